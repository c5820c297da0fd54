package dev.hadal.onednn;

import dev.hadal.backend.Kernel;
import dev.hadal.graph.Fused;
import dev.hadal.graph.Op;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Activation;
import dev.hadal.op.Adam;
import dev.hadal.op.AdaptivePool;
import dev.hadal.op.AttentionMask;
import dev.hadal.op.BatchNorm;
import dev.hadal.op.Bias;
import dev.hadal.op.Binary;
import dev.hadal.op.Cast;
import dev.hadal.op.ClipGradient;
import dev.hadal.op.Concat;
import dev.hadal.op.Convolution;
import dev.hadal.op.ConvolutionTranspose;
import dev.hadal.op.CrossEntropy;
import dev.hadal.op.Dropout;
import dev.hadal.op.Expand;
import dev.hadal.op.Gather;
import dev.hadal.op.GlobalAveragePool;
import dev.hadal.op.GroupNorm;
import dev.hadal.op.LayerNorm;
import dev.hadal.op.Lion;
import dev.hadal.op.MatMul;
import dev.hadal.op.MovingAverage;
import dev.hadal.op.NAdam;
import dev.hadal.op.Norm;
import dev.hadal.op.Pad;
import dev.hadal.op.Pool;
import dev.hadal.op.Pooling;
import dev.hadal.op.Recurrent;
import dev.hadal.op.Reshape;
import dev.hadal.op.Resize;
import dev.hadal.op.RmsNorm;
import dev.hadal.op.RmsProp;
import dev.hadal.op.ScatterAdd;
import dev.hadal.op.Sgd;
import dev.hadal.op.Shadowed;
import dev.hadal.op.Slice;
import dev.hadal.op.Softmax;
import dev.hadal.op.SparseMatMul;
import dev.hadal.op.Split;
import dev.hadal.op.Transpose;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Which ops there are kernels for, and who prepares them. */
final class KernelTable {

    /** Null declines. */
    private interface Preparation<O extends Op> {
        @Nullable
        Kernel prepare(O op, Request request);
    }

    private record Row<O extends Op>(Class<O> op, boolean needsHadal, boolean takesBf16, Preparation<O> preparation) {
        @Nullable
        Kernel prepare(Op any, Request request) {
            return preparation.prepare(op.cast(any), request);
        }
    }

    private static final List<Row<?>> TABLE = List.of(
            mixed(oneDnn(Fused.class, KernelTable::fused)),
            mixed(oneDnn(Convolution.class, ConvolutionKernels::forward)),
            mixed(oneDnn(ConvolutionTranspose.class, ConvolutionKernels::transpose)),
            mixed(oneDnn(Convolution.BackwardData.class, ConvolutionKernels::backwardData)),
            mixed(oneDnn(Convolution.BackwardWeights.class, ConvolutionKernels::backwardWeights)),
            mixed(oneDnn(MatMul.class, MatMulKernels::matmul)),
            mixed(hadal(SparseMatMul.class, SparseKernels::matmul)),
            mixed(hadal(Cast.class, HadalKernels::cast)),
            mixed(oneDnn(Cast.class, CopyKernels::cast)),
            mixed(oneDnn(Bias.class, BiasKernels::forward)),
            mixed(oneDnn(Bias.Backward.class, BiasKernels::backward)),
            mixed(oneDnn(BatchNorm.class, BatchNormKernels::inference)),
            mixed(oneDnn(BatchNorm.Training.class, BatchNormKernels::training)),
            mixed(oneDnn(BatchNorm.Backward.class, BatchNormKernels::backward)),
            mixed(oneDnn(Activation.class, ElementwiseKernels::activation)),
            oneDnn(Binary.class, BinaryKernels::binary),
            mixed(oneDnn(Activation.Backward.class, ElementwiseKernels::activationBackward)),
            mixed(oneDnn(WeightedSum.class, ElementwiseKernels::weightedSum)),
            mixed(oneDnn(GlobalAveragePool.class, PoolingKernels::globalAverage)),
            mixed(oneDnn(GlobalAveragePool.Backward.class, PoolingKernels::globalAverageBackward)),
            mixed(oneDnn(Reshape.class, CopyKernels::reshape)),
            mixed(oneDnn(Dropout.class, CopyKernels::identity)),
            hadal(Dropout.Training.class, HadalKernels::dropout),
            mixed(hadal(Pool.class, BinKernels::forward)),
            mixed(hadal(AdaptivePool.class, BinKernels::forward)),
            mixed(hadal(Pooling.MaxBackward.class, BinKernels::maxBackward)),
            mixed(hadal(Pooling.AverageBackward.class, BinKernels::averageBackward)),
            hadal(Recurrent.class, RecurrentKernels::forward),
            hadal(Recurrent.Backward.class, RecurrentKernels::backward),
            oneDnn(Resize.class, ResizeKernels::forward),
            oneDnn(Resize.Backward.class, ResizeKernels::backward),
            oneDnn(Transpose.class, MoveKernels::transpose),
            hadal(Expand.class, MoveKernels::expand),
            hadal(Expand.Backward.class, MoveKernels::expandBackward),
            hadal(Slice.class, MoveKernels::moves),
            hadal(Slice.Backward.class, MoveKernels::moves),
            hadal(Concat.class, MoveKernels::moves),
            hadal(Split.class, MoveKernels::moves),
            hadal(Split.Backward.class, MoveKernels::moves),
            hadal(Pad.class, MoveKernels::moves),
            hadal(Pad.Backward.class, MoveKernels::moves),
            hadal(Gather.class, MoveKernels::gather),
            hadal(Gather.Backward.class, MoveKernels::gatherBackward),
            hadal(ScatterAdd.class, MoveKernels::scatterAdd),
            hadal(Norm.class, HadalKernels::norm),
            hadal(LayerNorm.class, HadalKernels::layerNorm),
            hadal(LayerNorm.Backward.class, HadalKernels::layerNormBackward),
            hadal(RmsNorm.class, HadalKernels::rmsNorm),
            hadal(RmsNorm.Backward.class, HadalKernels::rmsNormBackward),
            hadal(GroupNorm.class, HadalKernels::groupNorm),
            hadal(GroupNorm.Backward.class, HadalKernels::groupNormBackward),
            hadal(AttentionMask.class, HadalKernels::attentionMask),
            hadal(AttentionMask.Backward.class, HadalKernels::attentionMaskBackward),
            hadal(Softmax.class, HadalKernels::softmax),
            hadal(Softmax.Backward.class, HadalKernels::softmaxBackward),
            hadal(Sgd.class, HadalKernels::update),
            hadal(RmsProp.class, HadalKernels::update),
            hadal(Adam.class, HadalKernels::update),
            mixed(hadal(Shadowed.class, HadalKernels::shadowed)),
            hadal(NAdam.class, HadalKernels::update),
            hadal(Lion.class, HadalKernels::update),
            hadal(MovingAverage.class, HadalKernels::movingAverage),
            hadal(ClipGradient.class, (op, r) -> op.adaptive() ? null : HadalKernels.clipGradient(op, r)),
            hadal(CrossEntropy.class, HadalKernels::crossEntropy),
            hadal(CrossEntropy.Backward.class, HadalKernels::crossEntropyBackward));

    /** A primitive of oneDNN. */
    private static <O extends Op> Row<O> oneDnn(Class<O> op, Preparation<O> preparation) {
        return new Row<>(op, false, false, preparation);
    }

    /** A function of libhadal. */
    private static <O extends Op> Row<O> hadal(Class<O> op, Preparation<O> preparation) {
        return new Row<>(op, true, false, preparation);
    }

    /** One that knows of bf16, wherever it may come in the op's mixed form. */
    private static <O extends Op> Row<O> mixed(Row<O> row) {
        return new Row<>(row.op, row.needsHadal, true, row.preparation);
    }

    /** A primitive does more to its results before it writes them; libhadal adds gradients up as it computes them. */
    private static @Nullable Kernel fused(Fused op, Request r) {
        if (op.keep() || op.root() instanceof SparseMatMul) {
            return !Library.get().hasHadal() || r.hasBf16()
                    ? null
                    : op.keep() ? BiasKernels.reluBackward(op, r) : SparseKernels.matmul(op, r);
        }
        Epilogue more = Epilogue.of(op);
        if (more == null) {
            return null;
        }
        return op.root() instanceof Convolution
                ? ConvolutionKernels.forward(op, more, r)
                : op.root() instanceof MatMul ? MatMulKernels.matmul(op, more, r) : null;
    }

    /** A kernel for the op; empty where there is none. */
    static Optional<Kernel> prepare(Op op, Request request) {
        if (request.hasBytes()) {
            return QuantizedKernels.prepare(op, request);
        }
        if (!request.hasBf16()) {
            return direct(op, request);
        }
        Optional<Kernel> kernel = inBf16(op, request);
        return kernel.isPresent()
                        || op instanceof Cast
                        || op instanceof Fused
                        || !Library.get().hasHadal()
                ? kernel
                : WidenedKernel.prepare(op, request);
    }

    /** oneDNN's plain loops are slower than its good kernels between conversions. */
    private static Optional<Kernel> inBf16(Op op, Request request) {
        try {
            Optional<Kernel> kernel = direct(op, request);
            if (kernel.isPresent() && kernel.orElseThrow().implementation().contains("ref:")) {
                kernel.orElseThrow().close();
                return Optional.empty();
            }
            return kernel;
        } catch (Status.UnimplementedException e) {
            return Optional.empty();
        }
    }

    private static Optional<Kernel> direct(Op op, Request request) {
        return TABLE.stream()
                .filter(row -> row.op.isInstance(op))
                .filter(row -> row.takesBf16 || !request.hasBf16())
                .filter(row -> !row.needsHadal || Library.get().hasHadal())
                .findFirst()
                .flatMap(row -> Optional.ofNullable(row.prepare(op, request)));
    }

    private KernelTable() {}
}
