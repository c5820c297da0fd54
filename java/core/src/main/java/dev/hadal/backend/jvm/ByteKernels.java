package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.graph.Fused;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Activation;
import dev.hadal.op.Bias;
import dev.hadal.op.Clamp;
import dev.hadal.op.Dropout;
import dev.hadal.op.MatMul;
import dev.hadal.op.Move;
import dev.hadal.op.Quantization;
import dev.hadal.op.Quantized;
import dev.hadal.op.Reshape;
import dev.hadal.op.Transpose;
import dev.hadal.op.Unary;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Ops on quantized values, computed with the integers, where that is faster in Java than f32 between conversions: what
 * moves bytes, what maps each to another, and products of few rows, which wait for the weights to be read. Wide products
 * are not: a register multiplies as many floats as it does integers of 32 bits, to which bytes have to be widened first.
 */
final class ByteKernels {
    /** Up to so many rows, each weight that is read serves too few products for f32 to catch up. */
    private static final int FEW_ROWS = 4;

    /** Outputs of a task. */
    private static final int BLOCK = 32;

    private static final int BYTES = 256;

    /** Null declines. */
    static @Nullable Kernel prepare(Quantized op, List<Type> in, List<Type> out, Machine machine) {
        if (Stream.concat(in.stream(), out.stream()).anyMatch(t -> t.shape().size() == 0)) {
            return null;
        }
        Kernel linear = linear(op, in, out, machine);
        if (linear != null) {
            return linear;
        }
        List<Quantization> all =
                Stream.concat(op.operands().stream(), op.results().stream()).toList();
        if (all.stream().anyMatch(q -> !q.quantizes() || q.isPerIndex())) {
            return null;
        }
        Kernel move = all.stream().distinct().count() == 1 ? move(op, in, out, machine) : null;
        return move != null ? move : table(op, in, out, machine);
    }

    // ---- moves ----

    private static @Nullable Kernel move(Quantized op, List<Type> in, List<Type> out, Machine machine) {
        if (op.op() instanceof Reshape || op.op() instanceof Dropout) {
            return new HeapKernel(
                            "java " + op.name() + " of bytes",
                            in,
                            out,
                            (x, y, scratch) -> () -> System.arraycopy(
                                    x[0].bytes(), x[0].offset(), y[0].bytes(), y[0].offset(), x[0].size()))
                    .withInPlace(0);
        } else if (op.op() instanceof Transpose transpose) {
            return MoveKernels.transpose(transpose, in, out, machine);
        } else if (op.op() instanceof Move.Only moves) {
            int filling = op.results().get(0).integer(moves.filling(), 0);
            return MoveKernels.moves(moves, filling, new OpTable.Job(in, out, machine));
        }
        return null;
    }

    // ---- tables ----

    /** A function of one value has 256 results, which the specification computes. */
    private static @Nullable Kernel table(Quantized op, List<Type> in, List<Type> out, Machine machine) {
        if (!isElementwise(op.op())) {
            return null;
        }
        Type each = new Type(in.get(0).dtype(), Shape.of(BYTES));
        Optional<Reference.Formula> formula = Reference.formula(op, List.of(each), op.infer(List.of(each)));
        if (formula.isEmpty()) {
            return null;
        }
        double[] q = new double[BYTES];
        double[] results = new double[BYTES];
        Arrays.setAll(q, i -> each.dtype().integer((byte) i));
        formula.orElseThrow().run(new double[][] {q}, new double[][] {results});
        byte[] table = new byte[BYTES];
        for (int i = 0; i < BYTES; i++) {
            table[i] = (byte) (int) results[i];
        }
        Chunks chunks = new Chunks(in.get(0).shape().size());
        Machine sized = machine.forWork(in.get(0).shape().size());
        return new HeapKernel("java table", in, out, (x, y, scratch) -> {
                    Workers.Body body = (task, lane) -> {
                        int from = x[0].offset() + chunks.start(task);
                        int to = y[0].offset() + chunks.start(task);
                        map(chunks.length(task), table, x[0].bytes(), from, y[0].bytes(), to);
                    };
                    return () -> sized.forEach(chunks.count(), body);
                })
                .withInPlace(0);
    }

    private static void map(int n, byte[] table, byte[] x, int xAt, byte[] y, int yAt) {
        for (int i = 0; i < n; i++) {
            y[yAt + i] = table[x[xAt + i] & 0xFF];
        }
    }

    private static boolean isElementwise(Op op) {
        return op instanceof Fused chain
                ? !chain.keep() && chain.parts().stream().allMatch(p -> p.operands() == 1 && isElementwise(p.op()))
                : op instanceof Activation
                        || op instanceof Unary
                        || op instanceof Clamp
                        || op instanceof Dropout
                        || (op instanceof WeightedSum sum && sum.scales().size() == 1);
    }

    // ---- products of few rows ----

    /**
     * y = x·wᵀ, with sums of integers, then a bias, a ReLU:
     *
     * <pre>
     *   y = s_x·s_w·Σ (x − z)·w + b
     * </pre>
     */
    private record Linear(
            int rows, int k, int n, Quantization x, float[] scales, boolean biased, boolean rectified, Quantization y) {

        /** From what a sum stands for to what is written. */
        void write(Span result, int at, float value) {
            float v = rectified && value < 0 ? 0 : value;
            if (y.quantizes()) {
                result.bytes()[result.offset() + at] = (byte) y.integer(v, 0);
            } else {
                result.floats()[result.offset() + at] = v;
            }
        }

        /** x − z, of each value. */
        void centre(Span from, short[] to) {
            byte[] bytes = from.bytes();
            boolean unsigned = x.dtype() == DType.U8;
            for (int i = 0; i < to.length; i++) {
                byte q = bytes[from.offset() + i];
                to[i] = (short) ((unsigned ? q & 0xFF : q) - x.zeroPoint());
            }
        }
    }

    private static @Nullable Kernel linear(Quantized op, List<Type> in, List<Type> out, Machine machine) {
        Linear linear = linear(op, in, out);
        if (linear == null) {
            return null;
        }
        int blocks = (linear.n - 1) / BLOCK + 1;
        Machine sized = machine.forWork((long) linear.rows * linear.k * linear.n);
        return new HeapKernel("java matmul of bytes " + machine.simd().name(), in, out, (x, y, scratch) -> {
            short[] centred = new short[linear.rows * linear.k];
            int[][] sums = sized.perLane(new int[0][], () -> new int[BLOCK]);
            Workers.Body body = (task, lane) -> {
                int first = task * BLOCK;
                int count = Math.min(BLOCK, linear.n - first);
                int w = x[1].offset() + first * linear.k;
                for (int row = 0; row < linear.rows; row++) {
                    int[] own = sums[lane];
                    machine.simd().loops().dots(count, linear.k, centred, row * linear.k, x[1].bytes(), w, own);
                    for (int o = 0; o < count; o++) {
                        float bias = linear.biased ? x[2].get(first + o) : 0;
                        linear.write(y[0], row * linear.n + first + o, own[o] * linear.scales[first + o] + bias);
                    }
                }
            };
            return () -> {
                linear.centre(x[0], centred);
                sized.forEach(blocks, body);
            };
        });
    }

    private static @Nullable Linear linear(Quantized op, List<Type> in, List<Type> out) {
        Op root = op.op() instanceof Fused chain ? chain.root() : op.op();
        List<Fused.Part> more = op.op() instanceof Fused chain ? chain.epilogue() : List.of();
        if (!(root instanceof MatMul matmul) || !matmul.transposeB()) {
            return null;
        }
        Shape w = in.get(1).shape();
        boolean biased = !more.isEmpty() && more.get(0).op() instanceof Bias;
        List<Fused.Part> last = more.subList(biased ? 1 : 0, more.size());
        boolean rectified = last.size() == 1
                && last.get(0).op() instanceof Activation a
                && a.function() == Activation.Function.RELU;
        Quantization qx = op.operands().get(0);
        Quantization qw = op.operands().get(1);
        Quantization qy = op.results().get(0);
        boolean scaled = qx.quantizes() && !qx.isPerIndex() && !qy.isPerIndex();
        boolean weights = qw.dtype() == DType.S8 && qw.zeroPoint() == 0;
        int k = matmul.k(in.get(0).shape());
        int rows = in.get(0).shape().size() / k;
        int n = matmul.n(w);
        if (!scaled
                || !weights
                || (qw.isPerIndex() && qw.axis() != w.rank() - 2)
                || !matmul.isOneProduct(in.get(0).shape(), w)
                || rows > FEW_ROWS
                || (!last.isEmpty() && !rectified)
                || (biased && out.get(0).shape().rank() != 2)) {
            return null;
        }
        float[] scales = new float[n];
        for (int i = 0; i < n; i++) {
            scales[i] = qx.scale(0) * qw.scale(i);
        }
        return new Linear(rows, k, n, qx, scales, biased, rectified, qy);
    }

    private ByteKernels() {}
}
