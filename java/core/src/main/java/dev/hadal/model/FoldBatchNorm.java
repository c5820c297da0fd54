package dev.hadal.model;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Readers;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.op.BatchNorm;
import dev.hadal.op.Bias;
import dev.hadal.op.Convolution;
import dev.hadal.op.ConvolutionTranspose;
import dev.hadal.op.MatMul;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Folds a batch norm into the product before it, which may have a bias (Jacob et al. 2018, section 3.2): along the
 * channels, with s = γ/√(σ² + ε),
 *
 * <pre>
 *   γ·(x∗w + b − μ)/√(σ² + ε) + β = x∗(s·w) + (b − μ)·s + β
 * </pre>
 *
 * computed in f64 and rounded once. It stays where anything else reads the product or its sum with the bias, or where an
 * operand is no weight or state. What only this norm read keeps its name, with another value; what others read, too, is
 * left to them, and its folded copy named anew. For models that only predict.
 */
public record FoldBatchNorm() implements Pass {

    /** A norm and what is before it: all operands of both but the data, each a weight or a state. */
    private record Site(Node norm, @Nullable Node bias, Node product) {
        BatchNorm op() {
            return (BatchNorm) norm.op();
        }

        Value weight() {
            return product.input(1);
        }

        /** What the folded values depend on: where that is the same, they can be shared. */
        List<Object> key() {
            return List.of(
                    product.op(),
                    weight(),
                    bias == null ? "no bias" : bias.input(1),
                    op().epsilon(),
                    norm.inputs().subList(1, 5));
        }
    }

    @Override
    public Model apply(Model model) {
        return new Folding(model).run();
    }

    /** One model's folding. */
    private static final class Folding implements Graph.Rule {
        private final Model model;
        private final Readers readers;
        private final Names names;
        private final Map<String, Tensor> values;
        private final Map<Node, Site> sites = new HashMap<>();
        private final Map<List<Object>, String> weights = new HashMap<>();
        private final Map<List<Object>, String> biases = new HashMap<>();

        Folding(Model model) {
            this.model = model;
            this.readers = new Readers(model.graph());
            this.names = new Names(model);
            this.values = new LinkedHashMap<>(model.values());
        }

        Model run() {
            for (Node node : model.graph().nodes()) {
                Site site = site(node);
                if (site != null) {
                    sites.put(site.norm, site);
                    sites.put(site.product, site);
                    if (site.bias != null) {
                        sites.put(site.bias, site);
                    }
                }
            }
            return sites.isEmpty() ? model : DropUnused.of(model, model.graph().rewrite(this), values);
        }

        @Override
        public List<Value> apply(Node node, List<Value> inputs, Graph target) {
            Site site = sites.get(node);
            if (site == null) {
                return target.append(node.op(), inputs);
            } else if (node == site.product) {
                Type type = site.weight().type();
                Value w = target.leaf(Role.WEIGHT, weights.computeIfAbsent(site.key(), k -> weight(site)), type);
                return target.append(node.op(), List.of(inputs.get(0), w));
            } else if (node == site.norm) {
                Type type = node.input(1).type();
                Value b = target.leaf(Role.WEIGHT, biases.computeIfAbsent(site.key(), k -> bias(site)), type);
                return target.append(new Bias(), List.of(inputs.get(0), b));
            }
            return inputs.subList(0, 1); // the bias is added where the norm was
        }

        // ---- where ----

        private @Nullable Site site(Node norm) {
            if (!(norm.op() instanceof BatchNorm)
                    || norm.inputs().stream().skip(1).anyMatch(v -> !isConstant(v))) {
                return null;
            }
            Node before = norm.input(0).node();
            boolean biased = before.op() instanceof Bias && isConstant(before.input(1));
            Node product = biased ? before.input(0).node() : before;
            boolean alone = readers.onlyReader(product) == (biased ? before : norm)
                    && (!biased || readers.onlyReader(before) == norm);
            return alone && isProduct(product) ? new Site(norm, biased ? before : null, product) : null;
        }

        /** Whether it sums up over all but the channels of its result, along a constant's rows, columns or kernels. */
        private boolean isProduct(Node node) {
            Op op = node.op();
            boolean flat = node.inputs().stream().allMatch(v -> v.shape().rank() == 2);
            return (op instanceof Convolution || op instanceof ConvolutionTranspose || (op instanceof MatMul && flat))
                    && isConstant(node.input(1))
                    && !node.input(0).equals(node.input(1));
        }

        private boolean isConstant(Value v) {
            return v.node().op() instanceof Leaf leaf
                    && model.values().containsKey(leaf.name())
                    && leaf.type().dtype() == DType.F32
                    && !model.graph().commits().containsKey(v);
        }

        // ---- what ----

        private String weight(Site site) {
            Value w = site.weight();
            float[] old = floats(w);
            double[] s = scale(site);
            float[] scaled = new float[old.length];
            for (int i = 0; i < old.length; i++) {
                scaled[i] = (float) (old[i] * s[channel(site.product.op(), w.shape(), i, s.length)]);
            }
            return put(w, scaled);
        }

        private String bias(Site site) {
            Value beta = site.norm.input(2);
            float[] shift = floats(beta);
            float[] mean = floats(site.norm.input(3));
            double[] s = scale(site);
            float[] b = site.bias == null ? new float[s.length] : floats(site.bias.input(1));
            float[] folded = new float[s.length];
            for (int c = 0; c < folded.length; c++) {
                folded[c] = (float) (((double) b[c] - mean[c]) * s[c] + shift[c]);
            }
            return put(site.bias == null ? beta : site.bias.input(1), folded);
        }

        private double[] scale(Site site) {
            float[] gamma = floats(site.norm.input(1));
            float[] variance = floats(site.norm.input(4));
            double[] s = new double[gamma.length];
            for (int c = 0; c < s.length; c++) {
                s[c] = gamma[c] / Math.sqrt((double) variance[c] + site.op().epsilon());
            }
            return s;
        }

        /** Which channel of the result an element of the weight leads to. */
        private static int channel(Op product, Shape w, int i, int channels) {
            if (product instanceof MatMul m) {
                return m.transposeB() ? i / w.get(1) : i % w.get(1);
            } else if (product instanceof ConvolutionTranspose t) {
                int perGroup = w.get(1);
                int group = i / w.sizeFrom(1) / (w.get(0) / t.groups());
                return group * perGroup + i / w.sizeFrom(2) % perGroup;
            }
            return i / (w.size() / channels);
        }

        private float[] floats(Value leaf) {
            return Objects.requireNonNull(model.values().get(leaf.node().op().name()))
                    .floats();
        }

        /** Keeps a new value under the old one's name, if nobody else needs that. */
        private String put(Value old, float[] value) {
            Leaf leaf = Graph.leafOf(old);
            boolean free = leaf.role() == Role.WEIGHT && readers.of(old).size() == 1 && !readers.isLeft(old);
            String name = free ? leaf.name() : names.fresh(leaf.name());
            values.put(name, Tensor.of(old.shape(), value));
            return name;
        }
    }
}
