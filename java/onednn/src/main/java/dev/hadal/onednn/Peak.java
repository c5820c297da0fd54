package dev.hadal.onednn;

import dev.hadal.onednn.natives.HadalNative;
import java.util.OptionalDouble;
import org.bytedeco.javacpp.FloatPointer;

/** What one core can do at most; benchmarks are held against it. */
public enum Peak {
    /** Additions and multiplications of f32, in registers. */
    F32(0),
    /** Those of bf16 products that are added up in f32. */
    BF16(1),
    /** Those of 8-bit products that are added up in 32 bits. */
    INT8(2),
    /** The same two on matrix tiles. */
    TILE_BF16(3),
    TILE_INT8(4),
    /** Bytes between core and memory: four reads for three writes, as in a step of Adam. */
    STREAM(5),
    /** The same, a read for a write. */
    COPY(6);

    /** The number of hadal.h's hadal_peak_kind. */
    private final int kind;

    Peak(int kind) {
        this.kind = kind;
    }

    /**
     * Measures it in this thread, for a fifth of a second.
     *
     * @param bytes how much memory to stream through; what fits into a cache is faster. Of no matter to arithmetic
     * @return operations or bytes in a second; empty where the processor, or libhadal to measure it, is lacking
     */
    public OptionalDouble measure(long bytes) {
        if (!Library.availability().available() || !Library.get().hasHadal()) {
            return OptionalDouble.empty();
        }
        boolean streams = this == STREAM || this == COPY;
        try (NativeMemory memory = NativeMemory.allocate(streams ? bytes : Float.BYTES)) {
            memory.clear();
            FloatPointer first = new FloatPointer(memory.at(0));
            double rate = rate(kind, first, memory.bytes() / Float.BYTES);
            return rate > 0 ? OptionalDouble.of(rate) : OptionalDouble.empty();
        }
    }

    private static double rate(int kind, FloatPointer memory, long count) {
        return HadalNative.peak(kind, memory, count);
    }
}
