package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.simd.SimdChoice;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.op.Activation;
import dev.hadal.op.Bias;
import dev.hadal.op.Convolution;
import dev.hadal.op.ConvolutionTranspose;
import dev.hadal.op.MatMul;
import dev.hadal.op.Reshape;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The fast pure-Java kernels. */
final class FastKernels {

    /**
     * For the ops of a perceptron, without the table: a JVM that predicts with one, and soon ends, is spared the loading of
     * everything else.
     */
    private static @Nullable Kernel ofPerceptron(Op any, OpTable.Job j) {
        if (any instanceof MatMul op) {
            return MatMulKernel.prepare(op, j.in(), j.out(), j.machine());
        } else if (any instanceof Bias) {
            return NormKernels.bias(j.in(), j.out(), j.machine());
        } else if (any instanceof Activation op) {
            return ActivationKernels.forward(op, j);
        } else if (any instanceof Reshape) {
            return ElementwiseKernels.reshape(j.in(), j.out());
        }
        return null;
    }

    /** All others. */
    private static final class Table {
        static final OpTable<OpTable.Job, Kernel> ROWS = new OpTable<>();

        static {
            ElementwiseKernels.add(ROWS);
            ActivationKernels.add(ROWS);
            ArithmeticKernels.add(ROWS);
            ReduceKernels.add(ROWS);
            NormKernels.add(ROWS);
            GroupKernels.add(ROWS);
            SoftmaxKernels.add(ROWS);
            PoolKernels.add(ROWS);
            DropoutKernels.add(ROWS);
            FakeQuantizeKernels.add(ROWS);
            LossKernels.add(ROWS);
            DistanceKernels.add(ROWS);
            AttentionKernels.add(ROWS);
            UpdateKernels.add(ROWS);
            TensorUpdateKernels.add(ROWS);
            MoveKernels.add(ROWS);
            RecurrentKernels.add(ROWS);
            GatherKernels.add(ROWS);
            SparseKernels.add(ROWS);
            ResizeKernels.add(ROWS);
            ROWS.put(Convolution.class, (op, j) -> ConvolutionKernel.forward(op, j.in(), j.out(), j.machine()));
            ROWS.put(
                    Convolution.BackwardData.class,
                    (op, j) -> ConvolutionKernel.backwardData(op.forward(), j.in(), j.out(), j.machine()));
            ROWS.put(
                    ConvolutionTranspose.class,
                    (op, j) -> ConvolutionKernel.backwardData(op.convolution(), j.in(), j.out(), j.machine()));
            ROWS.put(
                    Convolution.BackwardWeights.class,
                    (op, j) -> ConvolutionWeightsKernel.prepare(op.forward(), j.in(), j.out(), j.machine()));
        }
    }

    /** What they run on, for the log. */
    static String detail() {
        return SimdChoice.best().detail();
    }

    static Machine machine(int threads) {
        return new Machine(SimdChoice.best().simd(), Workers.shared(), threads);
    }

    static Optional<Kernel> prepare(Op op, List<Type> in, List<Type> out, int threads) {
        return prepare(op, in, out, machine(threads));
    }

    /** Declines what has no values, which the reference does no slower. */
    static Optional<Kernel> prepare(Op op, List<Type> in, List<Type> out, Machine machine) {
        if (anyEmpty(in) || anyEmpty(out)) {
            return Optional.empty();
        }
        OpTable.Job job = new OpTable.Job(in, out, machine);
        Kernel kernel = ofPerceptron(op, job);
        return Optional.ofNullable(kernel == null ? Table.ROWS.find(op, job) : kernel);
    }

    private static boolean anyEmpty(List<Type> types) {
        for (Type type : types) {
            if (type.shape().size() == 0) {
                return true;
            }
        }
        return false;
    }

    private FastKernels() {}
}
