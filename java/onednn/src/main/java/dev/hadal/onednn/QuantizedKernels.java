package dev.hadal.onednn;

import static dev.hadal.onednn.HadalKernels.floats;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Operand;
import dev.hadal.backend.jvm.Reference;
import dev.hadal.graph.Fused;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.WeightedSum;
import dev.hadal.onednn.HadalKernels.FunctionKernel;
import dev.hadal.onednn.natives.HadalNative;
import dev.hadal.op.Activation;
import dev.hadal.op.Bias;
import dev.hadal.op.Clamp;
import dev.hadal.op.Convolution;
import dev.hadal.op.Dequantize;
import dev.hadal.op.Dropout;
import dev.hadal.op.GlobalAveragePool;
import dev.hadal.op.MatMul;
import dev.hadal.op.Move;
import dev.hadal.op.Pooling;
import dev.hadal.op.Quantization;
import dev.hadal.op.Quantize;
import dev.hadal.op.Quantized;
import dev.hadal.op.Reshape;
import dev.hadal.op.Transpose;
import dev.hadal.op.Unary;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.jspecify.annotations.Nullable;

/**
 * Ops on quantized values, computed with the integers: products by oneDNN, sums of s32 inside; the rest by libhadal. Images
 * lie with their channels innermost. What is declined here runs in f32 between conversions.
 */
final class QuantizedKernels {
    /** Up to so many rows oneDNN's product gets going no faster than libhadal reads the weights. */
    private static final int FEW_ROWS = 2;

    private static final int BYTES = 256;

    /** As libhadal has it, which knows u8 alone: s8 with its first bit flipped is 128 more. */
    record Octets(int zero, int flip) {
        static Octets of(Quantization q) {
            return q.dtype() == DType.S8 ? new Octets(q.zeroPoint() + 128, 0x80) : new Octets(q.zeroPoint(), 0);
        }
    }

    static Optional<Kernel> prepare(Op op, Request r) {
        try {
            return Optional.ofNullable(own(op, r));
        } catch (Status.UnimplementedException e) {
            return Optional.empty();
        }
    }

    private static @Nullable Kernel own(Op any, Request r) {
        if (any instanceof Fused) {
            return null;
        }
        Quantized op = quantized(any, r);
        Kernel product = op == null || !Library.get().multipliesBytes() ? null : product(op, r);
        if (product != null || !Library.get().hasHadal()) {
            return product;
        }
        if (any instanceof Quantize quantize) {
            return quantize(quantize, r);
        } else if (any instanceof Dequantize dequantize) {
            return dequantize(dequantize, r);
        }
        return op == null ? null : other(op, r);
    }

    private static @Nullable Quantized quantized(Op any, Request r) {
        if (any instanceof Quantize || any instanceof Dequantize) {
            return null;
        }
        return any instanceof Quantized q ? q : Quantized.plain(any, types(r), r.results());
    }

    private static List<Type> types(Request r) {
        return r.operands().stream().map(Operand::type).toList();
    }

    private static Op root(Op op) {
        return op instanceof Fused chain ? chain.root() : op;
    }

    /** Whether a value has one scale, if it has any. */
    private static boolean hasOneScale(Quantization q) {
        return !q.isPerIndex();
    }

    // ---- products ----

    private static @Nullable Kernel product(Quantized op, Request r) {
        Op root = root(op.op());
        if (!(root instanceof Convolution) && !(root instanceof MatMul)) {
            return null;
        }
        Epilogue more = Epilogue.of(op);
        if (more == null || !isProduct(op, root, r)) {
            return null;
        }
        if (root instanceof Convolution convolution) {
            return ConvolutionKernels.quantized(op, convolution, more, r);
        }
        Kernel few = Library.get().hasHadal() ? linear(op, (MatMul) root, r) : null;
        return few != null ? few : MatMulKernels.quantized(op, (MatMul) root, more, r);
    }

    /** Whether it is one of s8 weights with a scale for each output, or one for all; and nothing else has several scales. */
    private static boolean isProduct(Quantized op, Op root, Request r) {
        Quantization x = op.operands().get(0);
        Quantization w = op.operands().get(1);
        int outputs = root instanceof MatMul matmul ? r.shape(1).rank() - (matmul.transposeB() ? 2 : 1) : 0;
        List<Quantization> others =
                new ArrayList<>(op.operands().subList(2, op.operands().size()));
        others.addAll(op.results());
        return x.quantizes()
                && hasOneScale(x)
                && w.dtype() == DType.S8
                && w.zeroPoint() == 0
                && (hasOneScale(w) || w.axis() == outputs)
                && others.stream().allMatch(QuantizedKernels::hasOneScale);
    }

    /** A few rows, a bias, a ReLU: libhadal reads the weights once, as they are. */
    private static @Nullable Kernel linear(Quantized op, MatMul matmul, Request r) {
        boolean plain = r.layout(1) == null || Layout.plain(r.type(1)).equals(r.layout(1));
        Shape x = r.shape(0);
        Shape w = r.shape(1);
        List<Fused.Part> more = op.op() instanceof Fused chain ? chain.epilogue() : List.of();
        boolean biased = !more.isEmpty() && more.get(0).op() instanceof Bias;
        List<Fused.Part> last = more.subList(biased ? 1 : 0, more.size());
        boolean rectified = last.size() == 1 && isRelu(last.get(0).op());
        int k = matmul.k(x);
        int rows = x.size() / k;
        if (!plain
                || !matmul.transposeB()
                || !matmul.isOneProduct(x, w)
                || rows > FEW_ROWS
                || (!last.isEmpty() && !rectified)
                || (biased && r.result(0).shape().rank() != 2)
                || op.operands().get(0).dtype() != DType.U8) {
            return null;
        }
        int n = matmul.n(w);
        Quantization to = op.results().get(0);
        float[] scales = new float[n];
        for (int i = 0; i < n; i++) {
            scales[i] = op.operands().get(0).scale(0) * op.operands().get(1).scale(i);
        }
        NativeMemory constant = NativeMemory.of(scales);
        Octets y = Octets.of(to);
        List<Layout> in = types(r).stream().map(Layout::plain).toList();
        return new FunctionKernel(
                op,
                in,
                List.of(Layout.plain(r.result(0))),
                List.of(),
                0,
                List.of(constant),
                (b, steps) -> HadalNative.linearBytes(
                        steps.list(),
                        b.input(0),
                        rows,
                        k,
                        op.operands().get(0).zeroPoint(),
                        b.input(1),
                        n,
                        floats(constant.at(0)),
                        biased ? floats(b.input(2)) : null,
                        rectified ? 1 : 0,
                        to.quantizes() ? 1 / to.scale(0) : 1,
                        y.zero,
                        y.flip,
                        to.quantizes() ? b.output(0) : null,
                        to.quantizes() ? null : floats(b.output(0))));
    }

    private static boolean isRelu(Op op) {
        return op instanceof Activation a && a.function() == Activation.Function.RELU;
    }

    // ---- the rest ----

    private static @Nullable Kernel other(Quantized op, Request r) {
        boolean oneScale =
                Stream.concat(op.operands().stream(), op.results().stream()).allMatch(QuantizedKernels::hasOneScale);
        if (!oneScale || !r.operands().stream().allMatch(o -> o.type().dtype().isByte())) {
            return null;
        }
        Op inner = op.op();
        if (inner instanceof Pooling pooling) {
            return BinKernels.quantized(op, pooling, r);
        } else if (inner instanceof GlobalAveragePool) {
            return BinKernels.quantizedMean(op, r);
        } else if (root(inner) instanceof WeightedSum) {
            return sum(op, r);
        } else if (keepsBytes(op)) {
            Kernel move = move(op, r);
            return move != null ? move : table(op, r);
        }
        return table(op, r);
    }

    /** Whether all values have the same quantization. */
    private static boolean keepsBytes(Quantized op) {
        return Stream.concat(op.operands().stream(), op.results().stream())
                        .distinct()
                        .count()
                == 1;
    }

    private static @Nullable Kernel move(Quantized op, Request r) {
        if (op.op() instanceof Reshape reshape) {
            return CopyKernels.reshape(reshape, r);
        } else if (op.op() instanceof Dropout dropout) {
            return CopyKernels.identity(dropout, r);
        } else if (op.op() instanceof Transpose transpose) {
            return MoveKernels.transpose(transpose, r);
        } else if (op.op() instanceof Move.Only moves) {
            return MoveKernels.moves(moves, op.results().get(0), r);
        }
        return null;
    }

    /** y = a·x + b·z, and no less than 0 if a ReLU follows. */
    private static @Nullable Kernel sum(Quantized op, Request r) {
        List<Fused.Part> more = op.op() instanceof Fused chain ? chain.epilogue() : List.of();
        WeightedSum sum = (WeightedSum) root(op.op());
        boolean rectified = more.size() == 1 && isRelu(more.get(0).op());
        Quantization to = op.results().get(0);
        if (sum.scales().size() != 2 || (!more.isEmpty() && !rectified) || !to.quantizes()) {
            return null;
        }
        Octets a = Octets.of(op.operands().get(0));
        Octets b = Octets.of(op.operands().get(1));
        Octets y = Octets.of(to);
        float scaleA = sum.scales().get(0) * op.operands().get(0).scale(0) / to.scale(0);
        float scaleB = sum.scales().get(1) * op.operands().get(1).scale(0) / to.scale(0);
        boolean channelsLast = r.channelsLast()
                || (r.shape(1).rank() > 2
                        && OneDnnLayout.channelsLast(r.type(1)).equals(r.layout(1)));
        List<Layout> in = layouts(types(r), channelsLast);
        List<Layout> out = layouts(r.results(), channelsLast);
        long count = r.result(0).shape().size();
        return new FunctionKernel(
                op,
                in,
                out,
                List.of(0),
                (bound, steps) -> HadalNative.addBytes(
                        steps.list(),
                        bound.input(0),
                        scaleA,
                        a.zero,
                        a.flip,
                        bound.input(1),
                        scaleB,
                        b.zero,
                        b.flip,
                        count,
                        rectified ? 1 : 0,
                        y.zero,
                        y.flip,
                        bound.output(0)));
    }

    static List<Layout> layouts(List<Type> types, boolean channelsLast) {
        return types.stream()
                .map(channelsLast ? OneDnnLayout::channelsLast : Layout::plain)
                .toList();
    }

    /** A function of one value has 256 results, which the specification computes. */
    private static @Nullable Kernel table(Quantized op, Request r) {
        if (!isElementwise(op.op()) || !op.results().get(0).quantizes()) {
            return null;
        }
        Shape all = Shape.of(BYTES);
        double[][] x = {new double[BYTES]};
        double[][] y = {new double[BYTES]};
        DType from = op.operands().get(0).dtype();
        Arrays.setAll(x[0], i -> from.integer((byte) i));
        List<Type> in = List.of(new Type(from, all));
        Optional<Reference.Formula> formula = Reference.formula(op, in, op.infer(in));
        if (formula.isEmpty()) {
            return null;
        }
        formula.orElseThrow().run(x, y);
        byte[] entries = new byte[BYTES];
        for (int i = 0; i < BYTES; i++) {
            entries[i] = (byte) (int) y[0][i];
        }
        NativeMemory table = NativeMemory.of(entries);
        boolean channelsLast = r.channelsLast();
        long count = r.shape(0).size();
        return new FunctionKernel(
                op,
                layouts(types(r), channelsLast),
                layouts(r.results(), channelsLast),
                List.of(0),
                0,
                List.of(table),
                (b, steps) -> HadalNative.mapBytes(
                        steps.list(), new BytePointer(table.at(0)), b.input(0), count, b.output(0)));
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

    // ---- conversions ----

    /** [outer, channels, inner], with a scale for each of the channels; one channel if there is one scale. */
    private record Runs(long outer, long channels, long inner, NativeMemory scales) {
        static Runs of(Quantization q, Shape shape) {
            float[] scales = new float[q.scales().size()];
            for (int i = 0; i < scales.length; i++) {
                scales[i] = q.scale(i);
            }
            long inner = q.isPerIndex() ? shape.sizeFrom(q.axis() + 1) : shape.size();
            long outer = shape.size() / Math.max(1, inner * scales.length);
            return new Runs(outer, scales.length, inner, NativeMemory.of(scales));
        }
    }

    /** A plain image is brought into the order of the convolutions on the way. */
    private static Kernel quantize(Quantize op, Request r) {
        Quantization q = op.to();
        boolean channelsLast = r.channelsLast() && hasOneScale(q);
        Shape shape = r.shape(0);
        boolean turns = !channelsLast && hasOneScale(q) && shape.rank() == 4;
        Runs runs = turns ? perChannel(q, shape) : Runs.of(q, shape);
        Octets to = Octets.of(q);
        FloatPointer scales = floats(runs.scales.at(0));
        return new FunctionKernel(
                op,
                layouts(types(r), channelsLast),
                layouts(r.results(), channelsLast || turns),
                List.of(),
                0,
                List.of(runs.scales),
                (b, steps) -> HadalNative.quantize(
                        steps.list(),
                        floats(b.input(0)),
                        runs.outer,
                        runs.channels,
                        runs.inner,
                        scales,
                        to.zero,
                        to.flip,
                        turns ? 1 : 0,
                        b.output(0)));
    }

    private static Runs perChannel(Quantization q, Shape image) {
        float[] scales = new float[image.get(1)];
        Arrays.fill(scales, q.scale(0));
        return new Runs(image.get(0), image.get(1), image.sizeFrom(2), NativeMemory.of(scales));
    }

    private static Kernel dequantize(Dequantize op, Request r) {
        Quantization q = op.from();
        boolean channelsLast = r.channelsLast() && hasOneScale(q);
        Runs runs = Runs.of(q, r.shape(0));
        Octets from = Octets.of(q);
        FloatPointer scales = floats(runs.scales.at(0));
        return new FunctionKernel(
                op,
                layouts(types(r), channelsLast),
                layouts(r.results(), channelsLast),
                List.of(),
                0,
                List.of(runs.scales),
                (b, steps) -> HadalNative.dequantize(
                        steps.list(),
                        b.input(0),
                        runs.outer,
                        runs.channels,
                        runs.inner,
                        scales,
                        from.zero,
                        from.flip,
                        floats(b.output(0))));
    }

    private QuantizedKernels() {}
}
