package dev.hadal.backend;

import dev.hadal.graph.Fused;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Tensor;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A source of kernels, and the memory that they compute in. Implementations are found with
 * {@link java.util.ServiceLoader}.
 */
public interface Backend {

    /** The name by which users choose it, such as {@code onednn}. */
    String name();

    /** Backends with higher ranks are asked first. */
    int rank();

    /** Whether this backend can run here; asked once, and never throws. */
    Availability availability();

    /**
     * A kernel for this op on these operands. A chain is an op as any other, which {@link ChainKernel} runs part by part.
     *
     * @param threads how many threads a run may use
     * @return empty to let the next backend try
     */
    Optional<Kernel> prepare(Op op, List<Operand> inputs, List<Type> outputs, int threads);

    /**
     * A kernel that computes several nodes at once, which a plan has found in a chain.
     *
     * @param threads how many threads a run may use
     * @return empty where it is no better than one kernel after the other
     */
    default Optional<Kernel> fuse(Fused chain, List<Operand> inputs, List<Type> outputs, int threads) {
        return Optional.empty();
    }

    /** A kernel that copies one value from one of this backend's layouts to another of the same type. */
    Kernel reorder(Layout from, Layout to);

    /** Values whose types share a pool share one block of memory. */
    default String pool(DType dtype) {
        return "values";
    }

    /** A block of this backend's memory, of unknown content. */
    Memory allocate(String pool, long bytes);

    /**
     * A tensor's own array as memory of this backend, where what a kernel writes the tensor holds; null if this backend
     * does not compute in Java's arrays.
     */
    default @Nullable Memory over(Tensor values) {
        return null;
    }

    /** Several bound kernels as one, which runs and closes them in that order. */
    default Kernel.Bound inOrder(List<Kernel.Bound> kernels) {
        Kernel.Bound[] all = kernels.toArray(new Kernel.Bound[0]);
        return new Kernel.Bound() {
            @Override
            public void run() {
                for (Kernel.Bound kernel : all) {
                    kernel.run();
                }
            }

            @Override
            public void close() {
                for (Kernel.Bound kernel : all) {
                    kernel.close();
                }
            }
        };
    }

    /** Makes one of the bound kernels that follow each other, all of this backend, prepared for that many threads. */
    default Kernel.Sequence sequence(List<Kernel.Bound> steps, int threads) {
        return Kernel.Sequence.of(steps);
    }

    /** Whether a backend can run here, and if not, why not and what to do about it. */
    record Availability(boolean available, String detail) {
        public static Availability yes(String detail) {
            return new Availability(true, detail);
        }

        public static Availability no(String reasonAndRemedy) {
            return new Availability(false, reasonAndRemedy);
        }
    }
}
