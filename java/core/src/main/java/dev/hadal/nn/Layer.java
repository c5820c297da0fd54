package dev.hadal.nn;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.model.Model;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;

/** A description of computation: applying it appends nodes to a graph, and runs nothing. */
public interface Layer {

    /** Appends this layer; weights and states are asked of the scope. */
    Value apply(Scope scope, Value x);

    /**
     * An untrained model of this network.
     *
     * @param input the shape of one sample, without the batch
     * @param seed decides the initial weights, together with their names
     * @throws dev.hadal.graph.TypeException if the layers do not fit each other; the message names the layer's path
     */
    default Model model(Shape input, long seed) {
        Graph graph = new Graph();
        Scope scope = new Scope(graph);
        Value x = graph.leaf(Role.INPUT, Model.INPUT, Type.f32(input.prepend(1)));
        graph.output(Model.OUTPUT, apply(scope, x));
        Map<String, Tensor> values = new LinkedHashMap<>();
        scope.initialisers()
                .forEach((name, init) ->
                        values.put(name, init.tensor(graph.leaf(name).shape(), seed, name)));
        return new Model(graph, values);
    }
}
