package dev.hadal.compress;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Node;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.model.Model;
import dev.hadal.model.Pass;
import dev.hadal.op.MatMul;
import dev.hadal.op.SparseMatMul;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Lets the linear layers of a pruned network compute with the weights that are left, where that is faster: their weights
 * become blocks with their columns, which the model then holds, and its file, in the place of the dense ones. What is better
 * off dense stays so, and {@link #report} says why. For prediction alone, before chains are fused: the dense model is what
 * can be trained on.
 *
 * <p>Where the one becomes faster than the other was measured ({@code SparseBreakEven} of the benchmarks: one core of an
 * AMD Zen 5 with AVX-512 and products of bf16, no AMX, 1024×1024 weights); on other machines it lies elsewhere.
 *
 * @param samples the batch to be fast for
 * @param bf16 whether the model will be predicted with in bf16
 */
public record Sparsify(int samples, boolean bf16) implements Pass {
    private static final int[] HEIGHTS = {32, 16, 8, 4, 1};

    /** What is smaller takes no time worth the trouble. */
    private static final int LEAST_WEIGHTS = 4096;

    public Sparsify {
        if (samples < 1) {
            throw new IllegalArgumentException("a batch holds at least one sample, not " + samples);
        }
    }

    /** To be fast in f32 for batches of that size. */
    public static Sparsify forBatch(int samples) {
        return new Sparsify(samples, false);
    }

    /** To be fast in bf16. */
    public Sparsify inBf16() {
        return new Sparsify(samples, true);
    }

    /** What becomes of each weight, and why. */
    public SparsityReport report(Model model) {
        List<SparsityReport.Row> rows = new ArrayList<>();
        for (ProductWeight w : ProductWeight.of(model.graph())) {
            rows.add(row(model, w));
        }
        return new SparsityReport(rows);
    }

    @Override
    public Model apply(Model model) {
        Map<String, SparsityReport.Row> chosen = new HashMap<>();
        report(model).rows().stream().filter(SparsityReport.Row::sparse).forEach(row -> chosen.put(row.weight(), row));
        Map<String, Tensor> values = new LinkedHashMap<>(model.values());
        Map<String, Blocks> blocks = new HashMap<>();
        Graph graph = model.graph().rewrite((node, inputs, target) -> {
            if (!(node.op() instanceof MatMul matmul)
                    || !(node.input(1).node().op() instanceof Leaf leaf)
                    || !chosen.containsKey(leaf.name())) {
                return target.append(node.op(), inputs);
            }
            Blocks b = blocks.computeIfAbsent(leaf.name(), name -> {
                SparsityReport.Row row = Objects.requireNonNull(chosen.get(name));
                Tensor w = Objects.requireNonNull(values.remove(name));
                Blocks made = Blocks.of(Matrix.of(w, matmul.transposeB()), row.height());
                values.put(name + ".values", made.values);
                values.put(name + ".columns", made.columns);
                values.put(name + ".starts", made.starts);
                return made;
            });
            return target.append(
                    new SparseMatMul(matmul.n(leaf.type().shape())),
                    List.of(
                            inputs.get(0),
                            leaf(target, Role.WEIGHT, leaf.name() + ".values", b.values),
                            leaf(target, Role.STATE, leaf.name() + ".columns", b.columns),
                            leaf(target, Role.STATE, leaf.name() + ".starts", b.starts)));
        });
        Graph alive = graph.rewrite(Graph.Rule.SAME); // without the dense weights
        Map<String, Tensor> all = new LinkedHashMap<>(model.values());
        all.putAll(values);
        return model.withValues(all).withGraph(alive).withValues(values);
    }

    private static Value leaf(Graph target, Role role, String name, Tensor value) {
        return target.leaf(role, name, new Type(value.dtype(), value.shape()));
    }

    // ---- the choice ----

    private SparsityReport.Row row(Model model, ProductWeight w) {
        Tensor value = Objects.requireNonNull(model.values().get(w.name()));
        List<Node> readers = model.graph().nodes().stream()
                .filter(node -> node.inputs().stream().anyMatch(v -> isLeaf(v, w.name())))
                .toList();
        long zeros = value.dtype() == DType.F32 ? zeros(value.floats()) : 0;
        boolean linear = value.dtype() == DType.F32
                && value.shape().rank() == 2
                && readers.stream().allMatch(node -> isLinear(node, w.name()));
        if (!linear || zeros == 0 || value.shape().size() < LEAST_WEIGHTS) {
            String why = zeros == 0
                    ? "it has no zeros"
                    : linear ? "it is too small to matter" : "only linear layers in f32 have sparse kernels";
            return new SparsityReport.Row(w.name(), value.shape(), zeros, 0, 1, 0, why);
        }
        Node reader = readers.get(0);
        Matrix matrix = Matrix.of(value, ((MatMul) reader.op()).transposeB());
        int rows = rows(model, reader);
        SparsityReport.Row fastest = null;
        SparsityReport.Row closest = null; // to where the zeros lie
        for (int height : HEIGHTS) {
            double kept = Blocks.kept(matrix, height);
            SparsityReport.Row row =
                    new SparsityReport.Row(w.name(), value.shape(), zeros, height, kept, breakEven(height, rows), "");
            fastest = fastest == null || row.speedUp() > fastest.speedUp() ? row : fastest;
            closest = closest == null || row.kept() < 0.95 * closest.kept() ? row : closest;
        }
        return Objects.requireNonNull(fastest).sparse() ? fastest : Objects.requireNonNull(closest);
    }

    private static boolean isLeaf(Value v, String name) {
        return v.node().op() instanceof Leaf leaf && leaf.name().equals(name);
    }

    private static boolean isLinear(Node node, String weight) {
        return node.op() instanceof MatMul matmul && !matmul.transposeA() && isLeaf(node.input(1), weight);
    }

    /** The rows that a product has for a batch of that size: those of a sample, so many times. */
    private int rows(Model model, Node product) {
        Shape x = product.input(0).shape();
        int batch = model.graph().leaves(Role.INPUT).stream()
                .mapToInt(v -> v.shape().rank() == 0 ? 1 : Math.max(1, v.shape().get(0)))
                .max()
                .orElse(1);
        long rows = (long) x.size() / Math.max(1, x.get(x.rank() - 1)) * samples / batch;
        return (int) Math.max(1, Math.min(rows, Integer.MAX_VALUE));
    }

    /** The share of the weights with which the sparse kernel is as fast as the dense one. */
    private double breakEven(int height, int rows) {
        boolean few = rows < 8;
        if (!bf16) {
            return switch (height) {
                case 1 -> few ? 0.10 : rows < 64 ? 0.22 : 0.34;
                case 4 -> few ? 0.45 : 0.72;
                default -> few ? 0.55 : 0.83;
            };
        }
        return switch (height) {
            case 1 -> few ? 0.03 : rows < 64 ? 0.06 : 0.14;
            case 4 -> few ? 0.14 : rows < 64 ? 0.20 : 0.45;
            case 8 -> few ? 0.25 : rows < 64 ? 0.30 : 0.72;
            default -> few ? 0.26 : rows < 64 ? 0.59 : 0.72;
        };
    }

    private static long zeros(float[] values) {
        long zeros = 0;
        for (float v : values) {
            zeros += v == 0 ? 1 : 0;
        }
        return zeros;
    }

    // ---- blocks ----

    /** W: [outputs,inputs], however it is stored. */
    private record Matrix(Tensor stored, int outputs, int inputs, int outputStride, int inputStride) {
        static Matrix of(Tensor w, boolean transposed) {
            int first = w.shape().get(0);
            int second = w.shape().get(1);
            return transposed ? new Matrix(w, first, second, second, 1) : new Matrix(w, second, first, 1, second);
        }

        float at(int output, int input) {
            return output < outputs ? stored.floats()[output * outputStride + input * inputStride] : 0;
        }

        boolean isKept(int firstOutput, int height, int input) {
            for (int i = 0; i < height; i++) {
                if (at(firstOutput + i, input) != 0) { // NaN is kept
                    return true;
                }
            }
            return false;
        }
    }

    /** What {@link SparseMatMul} reads. */
    private record Blocks(Tensor values, Tensor columns, Tensor starts) {

        /** The share of the weights that blocks of that height keep. */
        static double kept(Matrix w, int height) {
            long blocks = 0;
            for (int first = 0; first < w.outputs; first += height) {
                for (int k = 0; k < w.inputs; k++) {
                    blocks += w.isKept(first, height, k) ? 1 : 0;
                }
            }
            return (double) blocks * height / ((double) w.outputs * w.inputs);
        }

        static Blocks of(Matrix w, int height) {
            int blockRows = (w.outputs + height - 1) / height;
            int[] starts = new int[blockRows + 1];
            int[] columns = new int[blockRows * w.inputs];
            float[] values = new float[columns.length * height];
            int count = 0;
            for (int row = 0; row < blockRows; row++) {
                for (int k = 0; k < w.inputs; k++) {
                    if (w.isKept(row * height, height, k)) {
                        for (int i = 0; i < height; i++) {
                            values[count * height + i] = w.at(row * height + i, k);
                        }
                        columns[count++] = k;
                    }
                }
                starts[row + 1] = count;
            }
            return new Blocks(
                    Tensor.of(Shape.of(count, height), Arrays.copyOf(values, count * height)),
                    Tensor.of(Shape.of(count), Arrays.copyOf(columns, count)),
                    Tensor.of(Shape.of(starts.length), starts));
        }
    }
}
