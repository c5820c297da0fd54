package dev.hadal.nn;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.model.Model;
import dev.hadal.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;

/** A network of named inputs and outputs, freely composed, for what a {@link Layer} of one input and one output cannot say. */
public interface Network {

    /**
     * Appends the network.
     *
     * @param inputs the inputs by name, each with a leading batch axis
     * @return the outputs by name
     */
    Map<String, Value> apply(Scope scope, Map<String, Value> inputs);

    /** From {@value Model#INPUT} to {@value Model#OUTPUT}. */
    static Network of(Layer layer) {
        return (scope, inputs) -> {
            Value x = inputs.get(Model.INPUT);
            if (x == null) {
                throw scope.error("a layer takes the input '" + Model.INPUT + "', not " + inputs.keySet());
            }
            return Map.of(Model.OUTPUT, layer.apply(scope, x));
        };
    }

    /**
     * An untrained model of this network.
     *
     * @param inputs the type of one sample of each input, without the batch
     * @param seed decides the initial weights, together with their names
     * @throws dev.hadal.graph.TypeException if the layers do not fit each other; the message names the layer's path
     */
    default Model model(Map<String, Type> inputs, long seed) {
        Graph graph = new Graph();
        Scope scope = new Scope(graph);
        Map<String, Value> leaves = new LinkedHashMap<>();
        inputs.forEach((name, sample) -> leaves.put(
                name,
                graph.leaf(
                        Role.INPUT,
                        name,
                        new Type(sample.dtype(), sample.shape().prepend(1)))));
        apply(scope, leaves).forEach(graph::output);
        Map<String, Tensor> values = new LinkedHashMap<>();
        scope.initialisers()
                .forEach((name, init) ->
                        values.put(name, init.tensor(graph.leaf(name).shape(), seed, name)));
        return new Model(graph, values);
    }
}
