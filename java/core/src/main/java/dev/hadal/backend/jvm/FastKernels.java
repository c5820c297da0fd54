package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.simd.SimdChoice;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.op.Convolution;
import dev.hadal.op.MatMul;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

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

    private static @org.jspecify.annotations.Nullable Kernel find(
            Op op, List<Type> in, List<Type> out, Machine machine) {
        if (op instanceof MatMul matmul) {
            return MatMulKernel.prepare(matmul, in, out, machine);
        } else if (op instanceof Convolution conv) {
            return ConvolutionKernel.forward(conv, in, out, machine);
        } else if (op instanceof Convolution.BackwardData b) {
            return ConvolutionKernel.backwardData(b.forward(), in, out, machine);
        } else if (op instanceof Convolution.BackwardWeights b) {
            return ConvolutionWeightsKernel.prepare(b.forward(), in, out, machine);
        }
        return null;
    }

    private FastKernels() {}
}
