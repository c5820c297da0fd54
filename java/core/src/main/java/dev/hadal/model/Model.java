package dev.hadal.model;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Node;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.op.SparseMatMul;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * A network with its weights and its state. Its inputs are the graph's input leaves, each a batch of samples, its outputs
 * the graph's; where there is one of each, they are {@value #INPUT} and {@value #OUTPUT}. Its values are named by the
 * paths of their layers.
 */
public final class Model {
    /** The name of a network's only input. */
    public static final String INPUT = "x";
    /** The name of a network's only output. */
    public static final String OUTPUT = "y";

    private static final List<Role> VALUES = List.of(Role.WEIGHT, Role.STATE);

    private final Graph graph;
    private final Map<String, Tensor> values;
    private final Map<String, String> metadata;

    /**
     * A model of that graph.
     *
     * @param values a tensor for each weight and each state of the graph, by name
     * @throws IllegalArgumentException if one is missing, or of another type than the graph says
     */
    public Model(Graph graph, Map<String, Tensor> values) {
        this(graph, values, Map.of());
    }

    private Model(Graph graph, Map<String, Tensor> values, Map<String, String> metadata) {
        this.graph = graph;
        this.values = Collections.unmodifiableMap(new LinkedHashMap<>(values));
        this.metadata = Collections.unmodifiableMap(new LinkedHashMap<>(metadata));
        for (Role role : VALUES) {
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

    /** The type of one sample of each input, by name. */
    public Map<String, Type> inputs() {
        Map<String, Type> inputs = new LinkedHashMap<>();
        for (Value v : graph.leaves(Role.INPUT)) {
            inputs.put(Graph.leafOf(v).name(), sample(v.type()));
        }
        return inputs;
    }

    /** The type of what the network gives for one sample, by name. */
    public Map<String, Type> outputs() {
        Map<String, Type> outputs = new LinkedHashMap<>();
        for (Map.Entry<String, Value> e : graph.outputs().entrySet()) {
            outputs.put(e.getKey(), sample(e.getValue().type()));
        }
        return outputs;
    }

    /** The type of one sample, given that of a batch. */
    public static Type sample(Type batch) {
        Shape shape = batch.shape();
        return new Type(batch.dtype(), new Shape(shape.dims().subList(1, shape.rank())));
    }

    /** The number of trained values. */
    public long parameters() {
        return graph.leaves(Role.WEIGHT).stream()
                .mapToLong(v -> v.shape().size())
                .sum();
    }

    /** Its layers with their shapes, parameters, multiply-adds and activations; {@code println} shows them as a table. */
    public Summary summary() {
        return Summary.of(this);
    }

    public Model apply(Pass pass) {
        return pass.apply(this);
    }

    /** The same values under another graph. */
    public Model withGraph(Graph rewritten) {
        return new Model(rewritten, values, metadata);
    }

    /** The same graph with other values. */
    public Model withValues(Map<String, Tensor> other) {
        return new Model(graph, other, metadata);
    }

    /** What is saved with the model beside its tensors: how its inputs are normalised, say. */
    public Map<String, String> metadata() {
        return metadata;
    }

    /** The same model with more metadata, such as {@code normalization.toMap("x")}. */
    public Model withMetadata(Map<String, String> entries) {
        Map<String, String> more = new LinkedHashMap<>(metadata);
        more.putAll(entries);
        return new Model(graph, values, more);
    }

    /**
     * Writes graph, weights and state into one safetensors file; an existing file is replaced only once the new one is
     * complete on disk.
     */
    public void save(Path file) throws IOException {
        Safetensors.Content content = content();
        Safetensors.write(file, content.tensors(), content.metadata());
    }

    /**
     * Reads what {@link #save} wrote; none of the code that declared the network is needed.
     *
     * @throws ModelFormatException if the file is not such a file, is damaged, or holds an op that this version does not
     *     know
     */
    public static Model load(Path file) throws IOException {
        Safetensors.Content content = Safetensors.readChecked(file);
        try {
            return of(content);
        } catch (ModelFormatException e) {
            throw new ModelFormatException(file + ": " + e.getMessage(), e);
        }
    }

    /** What a file of this model holds. */
    public Safetensors.Content content() {
        Map<String, String> all = new LinkedHashMap<>(metadata);
        all.put(GraphFile.METADATA, GraphFile.write(graph));
        return new Safetensors.Content(values, all);
    }

    /**
     * The model that a file holds.
     *
     * @throws ModelFormatException if it holds none, or an op that this version does not know, or a value is missing, or
     *     of another type than the graph says
     */
    public static Model of(Safetensors.Content content) throws ModelFormatException {
        Map<String, String> metadata = new LinkedHashMap<>(content.metadata());
        String text = metadata.remove(GraphFile.METADATA);
        if (text == null) {
            throw new ModelFormatException("it holds tensors but no Hadal graph; was it written by Model.save?");
        }
        try {
            Graph graph = GraphFile.read(text);
            Map<String, Tensor> values = new LinkedHashMap<>();
            for (Role role : VALUES) {
                for (Value v : graph.leaves(role)) {
                    String name = Graph.leafOf(v).name();
                    Tensor value = content.tensors().get(name);
                    if (value != null) {
                        values.put(name, value);
                    }
                }
            }
            Model model = new Model(graph, values, metadata);
            model.checkBlocks();
            return model;
        } catch (IllegalArgumentException | IndexOutOfBoundsException e) { // what the file says is not possible
            throw new ModelFormatException(String.valueOf(e.getMessage()), e);
        }
    }

    /** Refuses sparse weights whose blocks lie where there is nothing, before a run meets them. */
    private void checkBlocks() {
        for (Node node : graph.nodes()) {
            if (!node.op().name().equals("sparse_matmul") || !(node.op() instanceof SparseMatMul op)) {
                continue; // by its name first, which spares most models the loading of the class
            }
            Tensor columns = values.get(node.input(2).node().op().name());
            Tensor starts = values.get(node.input(3).node().op().name());
            if (columns != null && starts != null) {
                op.geometry(node.input(0).shape(), node.input(1).shape())
                        .check(b -> columns.ints()[b], r -> starts.ints()[r]);
            }
        }
    }

    // ---- weights from elsewhere ----

    /**
     * The same network with a file's tensors in the place of its weights and states, as far as their names and types
     * agree; the rest stays as it is.
     *
     * @param tensors by name, as {@link Safetensors#read} gives them
     * @param rename what a tensor's name is in this network: {@code name -> name.replaceFirst("^encoder\\.", "0.")}
     */
    public Transfer withTensors(Map<String, Tensor> tensors, UnaryOperator<String> rename) {
        return Transfer.of(this, tensors, rename);
    }
}
