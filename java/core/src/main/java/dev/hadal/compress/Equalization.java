package dev.hadal.compress;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Node;
import dev.hadal.graph.Readers;
import dev.hadal.graph.Value;
import dev.hadal.model.Model;
import dev.hadal.model.Pass;
import dev.hadal.op.Activation;
import dev.hadal.op.Bias;
import dev.hadal.op.Convolution;
import dev.hadal.op.GlobalAveragePool;
import dev.hadal.op.MatMul;
import dev.hadal.op.Pooling;
import dev.hadal.op.Reshape;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Cross-layer equalization (Nagel, van Baalen, Blankevoort and Welling 2019, section 4.1): two convolutions or linear layers
 * with nothing between them but a bias and what is positively homogeneous, f(s·x) = s·f(x) for s > 0, compute the same when
 * channel i of the first is divided by sᵢ and the second's weights for it are multiplied with sᵢ. With
 *
 * <pre>
 *   sᵢ = √(r¹ᵢ / r²ᵢ),   rᵢ the largest magnitude of the weights of channel i,
 * </pre>
 *
 * both layers have the same range for that channel, so that one scale fits more channels. Pairs share layers, as in
 * depthwise blocks, so that all are treated in turn until nothing changes. Batch norms must have been folded.
 */
public record Equalization() implements Pass {
    private static final int SWEEPS = 40;
    private static final double SETTLED = 1e-3;

    /** A product with a weight of its own, and the bias behind it. */
    private record Layer(
            Node product, Leaf weight, @Nullable Leaf bias) {}

    /** Two layers, of which only the second reads the first. */
    private record Pair(Layer first, Layer second) {}

    @Override
    public Model apply(Model model) {
        List<Pair> pairs = pairs(model.graph());
        Map<String, Tensor> values = new LinkedHashMap<>(model.values());
        for (Pair pair : pairs) { // copies, which are then written to
            for (Leaf leaf : leaves(pair)) {
                float[] copy = Objects.requireNonNull(model.values().get(leaf.name()))
                        .floats()
                        .clone();
                values.put(leaf.name(), Tensor.of(leaf.type().shape(), copy));
            }
        }
        double change = 1;
        for (int sweep = 0; sweep < SWEEPS && change > SETTLED; sweep++) {
            change = 0;
            for (Pair pair : pairs) {
                change = Math.max(change, equalize(pair, values));
            }
        }
        return model.withValues(values);
    }

    private static List<Leaf> leaves(Pair pair) {
        List<Leaf> leaves = new ArrayList<>(List.of(pair.first.weight, pair.second.weight));
        if (pair.first.bias != null) {
            leaves.add(pair.first.bias);
        }
        return leaves;
    }

    /** How many pairs of layers of a network it changes. */
    static int pairs(Model model) {
        return pairs(model.graph()).size();
    }

    // ---- scaling ----

    /** Returns the largest relative change of a channel. */
    private static double equalize(Pair pair, Map<String, Tensor> values) {
        Tensor w1 = Objects.requireNonNull(values.get(pair.first.weight.name()));
        Tensor w2 = Objects.requireNonNull(values.get(pair.second.weight.name()));
        int[] out = outputs(pair.first.product, w1.shape());
        int channels = 1;
        for (int c : out) {
            channels = Math.max(channels, c + 1);
        }
        int[] in = inputs(pair.second.product, w2.shape());
        float[] r1 = largest(w1.floats(), out, channels);
        float[] r2 = largest(w2.floats(), in, channels);
        float[] s = new float[channels];
        double change = 0;
        for (int c = 0; c < channels; c++) {
            float ratio = (float) Math.sqrt((double) r1[c] / r2[c]);
            s[c] = ratio > 0 && ratio <= Float.MAX_VALUE ? ratio : 1; // a channel of zeros stays as it is
            change = Math.max(change, Math.abs(s[c] - 1));
        }
        scale(w1.floats(), out, s, false);
        scale(w2.floats(), in, s, true);
        if (pair.first.bias != null) {
            float[] bias =
                    Objects.requireNonNull(values.get(pair.first.bias.name())).floats();
            for (int c = 0; c < channels; c++) {
                bias[c] /= s[c];
            }
        }
        return change;
    }

    private static float[] largest(float[] w, int[] channel, int channels) {
        float[] r = new float[channels];
        for (int i = 0; i < w.length; i++) {
            r[channel[i]] = Math.max(r[channel[i]], Math.abs(w[i]));
        }
        return r;
    }

    private static void scale(float[] w, int[] channel, float[] s, boolean up) {
        for (int i = 0; i < w.length; i++) {
            w[i] = up ? w[i] * s[channel[i]] : w[i] / s[channel[i]];
        }
    }

    /** Which channel of the result each weight leads to. */
    private static int[] outputs(Node product, Shape w) {
        int[] channel = new int[w.size()];
        boolean rows = product.op() instanceof Convolution || (product.op() instanceof MatMul m && m.transposeB());
        int stride = w.sizeFrom(1);
        for (int i = 0; i < channel.length; i++) {
            channel[i] = rows ? i / stride : i % stride;
        }
        return channel;
    }

    /** Which channel of the operand each weight takes. */
    private static int[] inputs(Node product, Shape w) {
        int[] channel = new int[w.size()];
        int stride = w.sizeFrom(1);
        for (int i = 0; i < channel.length; i++) {
            if (product.op() instanceof Convolution c) {
                int group = i / stride / (w.get(0) / c.groups());
                channel[i] = group * w.get(1) + i % stride / w.sizeFrom(2);
            } else {
                channel[i] = ((MatMul) product.op()).transposeB() ? i % stride : i / stride;
            }
        }
        return channel;
    }

    // ---- which layers ----

    private static List<Pair> pairs(Graph graph) {
        Readers readers = new Readers(graph);
        List<Pair> pairs = new ArrayList<>();
        for (Node node : graph.nodes()) {
            Leaf weight = weight(node, readers);
            Pair pair = weight == null ? null : pair(node, weight, readers);
            if (pair != null) {
                pairs.add(pair);
            }
        }
        return pairs;
    }

    /** The pair that a product is the first of. */
    private static @Nullable Pair pair(Node first, Leaf weight, Readers readers) {
        Leaf bias = null;
        Value at = first.output(0);
        while (true) {
            Node next = only(at, readers);
            if (next == null) {
                return null;
            }
            Leaf second = weight(next, readers);
            if (second != null) {
                boolean reads = next.input(0).equals(at);
                return reads ? new Pair(new Layer(first, weight, bias), new Layer(next, second, null)) : null;
            }
            boolean biased = next.op() instanceof Bias && at.node() == first;
            if (biased) {
                bias = own(next.input(1), readers);
            }
            if (biased ? bias == null : !isHomogeneous(next)) {
                return null;
            }
            at = next.output(0);
        }
    }

    private static @Nullable Node only(Value value, Readers readers) {
        return readers.of(value).size() == 1 && !readers.isLeft(value)
                ? readers.of(value).get(0)
                : null;
    }

    /** f(s·x) = s·f(x) for each channel's s > 0, channels staying where they are. */
    private static boolean isHomogeneous(Node node) {
        if (node.op() instanceof Reshape) {
            Shape x = node.input(0).shape(), y = node.output(0).shape();
            return y.rank() == 2 && x.rank() >= 2 && x.get(1) == y.get(1);
        }
        return node.op() instanceof Pooling
                || node.op() instanceof GlobalAveragePool
                || (node.op() instanceof Activation a
                        && (a.function() == Activation.Function.RELU
                                || a.function() == Activation.Function.LEAKY_RELU));
    }

    /** The weight of a convolution, or of a matrix product with a matrix of its own, if nothing else reads it. */
    private static @Nullable Leaf weight(Node node, Readers readers) {
        boolean product = node.op() instanceof Convolution
                || (node.op() instanceof MatMul m
                        && !m.transposeA()
                        && node.input(0).shape().rank() == 2
                        && node.input(1).shape().rank() == 2);
        return product ? own(node.input(1), readers) : null;
    }

    private static @Nullable Leaf own(Value value, Readers readers) {
        return value.node().op() instanceof Leaf leaf && leaf.role() == Role.WEIGHT && only(value, readers) != null
                ? leaf
                : null;
    }
}
