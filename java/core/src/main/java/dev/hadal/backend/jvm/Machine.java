package dev.hadal.backend.jvm;

import dev.hadal.backend.jvm.simd.Loops;
import dev.hadal.backend.jvm.simd.Simd;

/** What a kernel is prepared for: its innermost loops, the threads that share the outer ones, and how many of them. */
record Machine(Simd simd, Workers workers, int threads) {

    /** Work that takes less than some 20 µs is not worth waking a thread for. */
    private static final long SMALL = 200_000;

    /** The same with one thread, if there is not more work than so many multiplications or values moved. */
    Machine forWork(long operations) {
        return operations < SMALL ? alone() : this;
    }

    /** The same with one thread. */
    Machine alone() {
        return new Machine(simd, workers, 1);
    }

    /** The number of lanes that a loop may run in. */
    int lanes() {
        return Math.min(threads, workers.threads());
    }

    void forEach(int tasks, Workers.Body body) {
        workers.forEach(tasks, threads, body);
    }

    /** Loops for each lane. */
    Loops[] loops() {
        Loops[] loops = new Loops[lanes()];
        for (int lane = 0; lane < loops.length; lane++) {
            loops[lane] = simd.loops();
        }
        return loops;
    }

    /** One of each per lane. */
    <T> T[] perLane(T[] empty, java.util.function.Supplier<T> maker) {
        return java.util.stream.Stream.generate(maker).limit(lanes()).toList().toArray(empty);
    }
}
