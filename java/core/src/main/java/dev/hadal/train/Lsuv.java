package dev.hadal.train;

import dev.hadal.backend.Backends;
import dev.hadal.data.Batch;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Node;
import dev.hadal.graph.Value;
import dev.hadal.model.BatchSize;
import dev.hadal.model.Model;
import dev.hadal.op.Convolution;
import dev.hadal.op.ConvolutionTranspose;
import dev.hadal.op.MatMul;
import dev.hadal.op.Reshape;
import dev.hadal.run.Inputs;
import dev.hadal.run.Plan;
import dev.hadal.run.Session;
import dev.hadal.run.Store;
import dev.hadal.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Layer-sequential unit-variance initialisation (Mishkin and Matas 2016), for networks that are deep and have no norms.
 * The paper begins with {@code Init.orthogonal()} in every layer.
 */
public final class Lsuv {
    private static final String MEASURED = "lsuv/";

    private Lsuv() {}

    /** {@link #apply(Model, Batch, Backends)} on the best backend here. */
    public static Model apply(Model model, Batch sample) {
        return apply(model, sample, Backends.automatic());
    }

    /**
     * The same network with the weights of its convolutions and matrix products scaled, one after another in the graph's
     * order: W ← W/√Var(x·W), the variance being that of all results on a sample, without the bias. It is exact after one
     * step, as the results are linear in W. A weight that is used more than once is scaled at its first use; one whose
     * results are all alike stays as it is.
     *
     * @param sample a batch of the network's inputs by name, some dozens of samples; other fields are not read
     * @throws IllegalArgumentException if the sample does not fit the network, or the variance is not finite
     */
    public static Model apply(Model model, Batch sample, Backends backends) {
        Map<String, Tensor> inputs = new LinkedHashMap<>();
        model.inputs().keySet().forEach(name -> inputs.put(name, sample.get(name)));
        int n = Inputs.samples(model.inputs(), inputs);
        Graph graph = model.apply(new BatchSize(n)).graph();
        Map<String, Node> layers = layers(graph);
        layers.forEach((weight, node) -> graph.output(MEASURED + weight, node.output(0)));
        Map<String, Tensor> values = new LinkedHashMap<>(model.values());
        try (Plan plan = Plan.compile(graph, backends, Plan.Options.DEFAULT);
                Store store = Store.of(plan, values);
                Session session = plan.session(store)) {
            inputs.forEach(session::write);
            layers.forEach((weight, node) -> {
                session.run();
                double variance = variance(session.read(MEASURED + weight).floats());
                if (!Double.isFinite(variance)) {
                    throw new IllegalArgumentException("the results of '" + weight + "' in " + node
                            + " have the variance " + variance + " on this sample; are its values finite?");
                }
                if (variance > 0) {
                    Tensor scaled = scaled(Objects.requireNonNull(values.get(weight)), 1 / Math.sqrt(variance));
                    values.put(weight, scaled);
                    store.write(weight, scaled);
                }
            });
        }
        return model.withValues(values);
    }

    /** The first node that multiplies with each weight. */
    private static Map<String, Node> layers(Graph graph) {
        Map<String, Node> layers = new LinkedHashMap<>();
        for (Node node : graph.nodes()) {
            boolean linear = node.op() instanceof Convolution
                    || node.op() instanceof ConvolutionTranspose
                    || node.op() instanceof MatMul;
            String weight = linear ? weight(node.input(1)) : null;
            if (weight != null) {
                layers.putIfAbsent(weight, node);
            }
        }
        return layers;
    }

    /** The name of the weight that the value is, perhaps under another shape. */
    private static @Nullable String weight(Value value) {
        Node node = value.node();
        while (node.op() instanceof Reshape) {
            node = node.input(0).node();
        }
        return node.op() instanceof Leaf leaf && leaf.role() == Role.WEIGHT ? leaf.name() : null;
    }

    private static double variance(float[] values) {
        double mean = 0;
        for (float v : values) {
            mean += v;
        }
        mean /= values.length;
        double sum = 0;
        for (float v : values) {
            sum += (v - mean) * (v - mean);
        }
        return sum / values.length;
    }

    private static Tensor scaled(Tensor weight, double factor) {
        float[] values = weight.floats().clone();
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (values[i] * factor);
        }
        return Tensor.of(weight.shape(), values);
    }
}
