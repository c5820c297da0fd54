package dev.hadal.nn;

import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.model.Model;
import dev.hadal.tensor.Shape;
import java.util.Map;

/**
 * A description of computation: applying it appends nodes to a graph, and runs nothing. It holds no weights: those belong
 * to the path under which it is applied, so that it may be applied anywhere, and shares weights where it is applied twice
 * under one path; see {@link Scope#call}. Networks of several inputs or outputs are a {@link Network}.
 */
public interface Layer {

    /** Appends this layer; weights and states are asked of the scope. */
    Value apply(Scope scope, Value x);

    /**
     * An untrained model of this network, on f32 samples of that shape; otherwise as {@link #model(Type, long)}.
     *
     * @param input the shape of one sample, without the batch
     */
    default Model model(Shape input, long seed) {
        return model(Type.f32(input), seed);
    }

    /**
     * An untrained model of this network.
     *
     * @param input the type of one sample, without the batch
     * @param seed decides the initial weights, together with their names
     * @throws dev.hadal.graph.TypeException if the layers do not fit each other; the message names the layer's path
     */
    default Model model(Type input, long seed) {
        return Network.of(this).model(Map.of(Model.INPUT, input), seed);
    }
}
