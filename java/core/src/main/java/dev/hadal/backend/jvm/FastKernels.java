package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.simd.SimdChoice;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Activation;
import dev.hadal.op.AdamW;
import dev.hadal.op.BatchNorm;
import dev.hadal.op.Bias;
import dev.hadal.op.Convolution;
import dev.hadal.op.CrossEntropy;
import dev.hadal.op.GlobalAveragePool;
import dev.hadal.op.MatMul;
import dev.hadal.op.Norm;
import dev.hadal.op.Reshape;
import dev.hadal.op.Sgd;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The fast pure-Java kernels. */
final class FastKernels {

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
        return empty ? Optional.empty() : Optional.ofNullable(find(op, in, out, machine));
    }

    private static @Nullable Kernel find(Op op, List<Type> in, List<Type> out, Machine machine) {
        if (op instanceof WeightedSum sum) {
            return ElementwiseKernels.weightedSum(sum, in, out, machine);
        } else if (op instanceof Activation f) {
            return ElementwiseKernels.activation(f, in, out, machine);
        } else if (op instanceof Activation.Backward f) {
            return ElementwiseKernels.activationBackward(f, in, out, machine);
        } else if (op instanceof Reshape) {
            return ElementwiseKernels.reshape(in, out);
        } else if (op instanceof Bias) {
            return NormKernels.bias(in, out, machine);
        } else if (op instanceof Bias.Backward) {
            return NormKernels.biasBackward(in, out, machine);
        } else if (op instanceof MatMul matmul) {
            return MatMulKernel.prepare(matmul, in, out, machine);
        } else if (op instanceof Convolution conv) {
            return ConvolutionKernel.forward(conv, in, out, machine);
        } else if (op instanceof Convolution.BackwardData b) {
            return ConvolutionKernel.backwardData(b.forward(), in, out, machine);
        } else if (op instanceof Convolution.BackwardWeights b) {
            return ConvolutionWeightsKernel.prepare(b.forward(), in, out, machine);
        } else if (op instanceof BatchNorm bn) {
            return NormKernels.inference(bn, in, out, machine);
        } else if (op instanceof BatchNorm.Training bn) {
            return NormKernels.training(bn, in, out, machine);
        } else if (op instanceof BatchNorm.Backward bn) {
            return NormKernels.backward(bn, in, out, machine);
        } else if (op instanceof GlobalAveragePool) {
            return PoolKernels.globalAverage(in, out, machine);
        } else if (op instanceof GlobalAveragePool.Backward) {
            return PoolKernels.globalAverageBackward(in, out, machine);
        } else if (op instanceof CrossEntropy ce) {
            return LossKernels.crossEntropy(ce, in, out, machine);
        } else if (op instanceof CrossEntropy.Backward ce) {
            return LossKernels.crossEntropyBackward(ce, in, out, machine);
        } else if (op instanceof Norm) {
            return UpdateKernels.norm(in, out, machine);
        } else if (op instanceof AdamW adamw) {
            return UpdateKernels.adamw(adamw, in, out, machine);
        } else if (op instanceof Sgd sgd) {
            return UpdateKernels.sgd(sgd, in, out, machine);
        }
        return null;
    }

    private FastKernels() {}
}
