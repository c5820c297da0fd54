package dev.hadal.model;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A network with its weights and its state. The graph takes {@value #INPUT}, a batch of samples, and gives
 * {@value #OUTPUT}; its values are named by the paths of their layers.
 */
public final class Model {
    /** The name of the graph's input. */
    public static final String INPUT = "x";
    /** The name of the graph's output. */
    public static final String OUTPUT = "y";

    private final Graph graph;
    private final Map<String, Tensor> values;

    /**
     * A model of that graph.
     *
     * @param values a tensor for each weight and each state of the graph, by name
     * @throws IllegalArgumentException if one is missing, or of another type than the graph says
     */
    public Model(Graph graph, Map<String, Tensor> values) {
        this.graph = graph;
        this.values = Collections.unmodifiableMap(new LinkedHashMap<>(values));
        for (Role role : new Role[] {Role.WEIGHT, Role.STATE}) {
            for (Value v : graph.leaves(role)) {
                check(Graph.leafOf(v), this.values.get(Graph.leafOf(v).name()));
            }
        }
    }

    private static void check(Leaf leaf, @Nullable Tensor tensor) {
        if (tensor == null) {
            throw new IllegalArgumentException("the model has no value for " + leaf + " : " + leaf.type());
        }
        if (!new Type(tensor.dtype(), tensor.shape()).equals(leaf.type())) {
            throw new IllegalArgumentException(leaf + " must be " + leaf.type() + ", but its value is " + tensor);
        }
    }

    public Graph graph() {
        return graph;
    }

    /** The weights and the state, by name. */
    public Map<String, Tensor> values() {
        return values;
    }

    /** The shape of one sample. */
    public Shape input() {
        Shape batch = graph.leaf(INPUT).shape();
        return new Shape(batch.dims().subList(1, batch.rank()));
    }

    /** The number of trained values. */
    public long parameters() {
        return graph.leaves(Role.WEIGHT).stream()
                .mapToLong(v -> v.shape().size())
                .sum();
    }

    public Model apply(Pass pass) {
        return pass.apply(this);
    }

    /** The same values under another graph. */
    public Model withGraph(Graph rewritten) {
        return new Model(rewritten, values);
    }

    /** The same graph with other values. */
    public Model withValues(Map<String, Tensor> other) {
        return new Model(graph, other);
    }

    /**
     * Writes graph, weights and state into one safetensors file; an existing file is replaced only once the new one is
     * complete.
     */
    public void save(Path file) throws IOException {
        Safetensors.write(file, values, Map.of(GraphFile.METADATA, GraphFile.write(graph)));
    }

    /**
     * Reads what {@link #save} wrote; none of the code that declared the network is needed.
     *
     * @throws ModelFormatException if the file is not such a file, is damaged, or holds an op that this version does not
     *     know
     */
    public static Model load(Path file) throws IOException {
        Safetensors.Content content = Safetensors.read(file);
        String text = content.metadata().get(GraphFile.METADATA);
        if (text == null) {
            throw new ModelFormatException(file + " holds tensors but no Hadal graph; was it written by Model.save?");
        }
        try {
            return new Model(GraphFile.read(text), content.tensors());
        } catch (IllegalArgumentException e) {
            throw new ModelFormatException(file + ": " + e.getMessage(), e);
        }
    }
}
