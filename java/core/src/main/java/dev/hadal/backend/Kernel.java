package dev.hadal.backend;

import java.util.List;

/**
 * An op made ready for known types. Preparing is slow and done once. A kernel is immutable and may be bound many times,
 * by many threads; everything mutable arrives when it is bound.
 */
public interface Kernel extends AutoCloseable {

    /** The layouts that the kernel reads; the planner inserts reorders where operands lie otherwise. */
    List<Layout> inputs();

    /** The layouts that the kernel writes. */
    List<Layout> outputs();

    /** Bytes of scratch memory that a run needs; they hold nothing between runs. */
    default long scratch() {
        return 0;
    }

    /** The operand whose memory this result may take over, or −1: the kernel then works in place. */
    default int inPlace(int output) {
        return -1;
    }

    /** What runs, for the printed plan: such as {@code brgconv:avx512_core} or {@code reference}. */
    String implementation();

    /**
     * Binds the kernel to memory, once and for all runs.
     *
     * @param scratch at least {@link #scratch()} bytes, shared with the other kernels of the session
     */
    Bound bind(List<Region> inputs, List<Region> outputs, Region scratch);

    @Override
    default void close() {}

    /** A kernel at its memory. */
    interface Bound extends AutoCloseable {

        /** Computes the outputs from the inputs; fast, and without allocation. */
        void run();

        @Override
        default void close() {}
    }

    /** Bound kernels, one after the other. */
    interface Sequence extends Bound {

        /**
         * The same, with a clock.
         *
         * @param nanos takes the time of each kernel, in nanoseconds
         */
        void run(long[] nanos);

        /** Runs each by itself. Closing this closes none of them. */
        static Sequence of(List<? extends Bound> kernels) {
            Bound[] all = kernels.toArray(new Bound[0]);
            return new Sequence() {
                @Override
                public void run() {
                    for (Bound kernel : all) {
                        kernel.run();
                    }
                }

                @Override
                public void run(long[] nanos) {
                    long start = System.nanoTime();
                    for (int i = 0; i < all.length; i++) {
                        all[i].run();
                        long end = System.nanoTime();
                        nanos[i] = end - start;
                        start = end;
                    }
                }
            };
        }
    }
}
