package dev.hadal.onednn;

import static dev.hadal.onednn.HadalKernels.floats;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.graph.Fused;
import dev.hadal.graph.Op;
import dev.hadal.onednn.HadalKernels.FunctionKernel;
import dev.hadal.onednn.natives.HadalNative;
import dev.hadal.op.Activation;
import dev.hadal.op.Bias;
import dev.hadal.op.SparseMatMul;
import dev.hadal.op.SparseMatMul.Geometry;
import dev.hadal.tensor.DType;
import java.util.List;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.ShortPointer;
import org.jspecify.annotations.Nullable;

/** Products with weights of which few blocks are kept; with a bias and a ReLU, if there are some. */
final class SparseKernels {
    private static final float NO_SLOPE = 1;
    private static final int BIAS = 4; // behind the product's own operands

    /** In f32, or with x and the values in bf16; of other mixtures, what is bf16 is widened. */
    static @Nullable Kernel matmul(SparseMatMul op, Request r) {
        return prepare(op, op, false, NO_SLOPE, r);
    }

    /** Null if more is to be done than a bias along the last axis and a ReLU. */
    static @Nullable Kernel matmul(Fused op, Request r) {
        List<Fused.Part> more = op.epilogue();
        boolean bias = !more.isEmpty() && more.get(0).op() instanceof Bias;
        float slope = NO_SLOPE;
        for (int i = bias ? 1 : 0; i < more.size(); i++) {
            if (i < more.size() - 1 || !(more.get(i).op() instanceof Activation a && isRelu(a))) {
                return null;
            }
            slope = a.alpha();
        }
        boolean fits = !bias || r.result(0).shape().rank() == 2;
        return fits ? prepare(op, (SparseMatMul) op.root(), bias, slope, r) : null;
    }

    private static boolean isRelu(Activation a) {
        return a.function() == Activation.Function.RELU || a.function() == Activation.Function.LEAKY_RELU;
    }

    private static @Nullable Kernel prepare(Op node, SparseMatMul op, boolean bias, float slope, Request r) {
        boolean bf16 = r.type(0).dtype() == DType.BF16;
        boolean narrow = r.result(0).dtype() == DType.BF16;
        if (r.type(1).dtype() != r.type(0).dtype() || (narrow && !bf16)) {
            return null;
        }
        Geometry g = op.geometry(r.shape(0), r.shape(1));
        List<Layout> in = r.operands().stream().map(o -> Layout.plain(o.type())).toList();
        List<Layout> out = List.of(Layout.plain(r.result(0)));
        long scratch = HadalNative.sparseMatmulScratch(g.rows(), g.in(), g.out(), g.blocks(), g.height(), bf16 ? 1 : 0);
        return new FunctionKernel(node, in, out, List.of(), scratch * Float.BYTES, (b, steps) -> {
            IntPointer columns = new IntPointer(b.input(2));
            IntPointer starts = new IntPointer(b.input(3));
            FloatPointer biases = bias ? floats(b.input(BIAS)) : null;
            if (bf16) {
                HadalNative.sparseMatmulBf16(
                        steps.list(),
                        new ShortPointer(b.input(0)),
                        new ShortPointer(b.input(1)),
                        columns,
                        starts,
                        biases,
                        g.rows(),
                        g.in(),
                        g.out(),
                        g.blocks(),
                        g.height(),
                        slope,
                        narrow ? 1 : 0,
                        b.output(0),
                        floats(b.scratch()));
            } else {
                HadalNative.sparseMatmul(
                        steps.list(),
                        floats(b.input(0)),
                        floats(b.input(1)),
                        columns,
                        starts,
                        biases,
                        g.rows(),
                        g.in(),
                        g.out(),
                        g.blocks(),
                        g.height(),
                        slope,
                        floats(b.output(0)),
                        floats(b.scratch()));
            }
            steps.onFault(position -> g.misplaced(
                    position, position < g.blocks() ? columns.get(position) : starts.get(position - g.blocks())));
        });
    }

    private SparseKernels() {}
}
