package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.simd.SimdChoice;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.op.Convolution;
import dev.hadal.op.ConvolutionTranspose;
import dev.hadal.op.MatMul;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** The fast pure-Java kernels. */
final class FastKernels {
    private static final OpTable<OpTable.Job, Kernel> TABLE = new OpTable<>();

    static {
        ElementwiseKernels.add(TABLE);
        ActivationKernels.add(TABLE);
        ArithmeticKernels.add(TABLE);
        ReduceKernels.add(TABLE);
        NormKernels.add(TABLE);
        GroupKernels.add(TABLE);
        SoftmaxKernels.add(TABLE);
        PoolKernels.add(TABLE);
        DropoutKernels.add(TABLE);
        LossKernels.add(TABLE);
        DistanceKernels.add(TABLE);
        AttentionKernels.add(TABLE);
        UpdateKernels.add(TABLE);
        TensorUpdateKernels.add(TABLE);
        MoveKernels.add(TABLE);
        RecurrentKernels.add(TABLE);
        GatherKernels.add(TABLE);
        ResizeKernels.add(TABLE);
        TABLE.put(MatMul.class, (op, j) -> MatMulKernel.prepare(op, j.in(), j.out(), j.machine()));
        TABLE.put(Convolution.class, (op, j) -> ConvolutionKernel.forward(op, j.in(), j.out(), j.machine()));
        TABLE.put(
                Convolution.BackwardData.class,
                (op, j) -> ConvolutionKernel.backwardData(op.forward(), j.in(), j.out(), j.machine()));
        TABLE.put(
                ConvolutionTranspose.class,
                (op, j) -> ConvolutionKernel.backwardData(op.convolution(), j.in(), j.out(), j.machine()));
        TABLE.put(
                Convolution.BackwardWeights.class,
                (op, j) -> ConvolutionWeightsKernel.prepare(op.forward(), j.in(), j.out(), j.machine()));
    }

    /** What they run on, for the log. */
    static String detail() {
        return SimdChoice.best().detail();
    }

    static Optional<Kernel> prepare(Op op, List<Type> in, List<Type> out, int threads) {
        return prepare(op, in, out, new Machine(SimdChoice.best().simd(), Workers.shared(), threads));
    }

    /** Declines what has no values, which the reference does no slower. */
    static Optional<Kernel> prepare(Op op, List<Type> in, List<Type> out, Machine machine) {
        boolean empty =
                Stream.concat(in.stream(), out.stream()).anyMatch(t -> t.shape().size() == 0);
        return empty ? Optional.empty() : Optional.ofNullable(TABLE.find(op, new OpTable.Job(in, out, machine)));
    }

    private FastKernels() {}
}
