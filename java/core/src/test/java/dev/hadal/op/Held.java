package dev.hadal.op;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Memory;
import dev.hadal.backend.Region;
import dev.hadal.graph.Type;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Tensor;
import java.util.Arrays;
import java.util.List;

/** One value in a backend's memory, poisoned until somebody writes it, between two guards that nobody may touch. */
final class Held implements AutoCloseable {
    /** A multiple of every alignment that a backend may ask of an offset. */
    private static final int GUARD = 256;

    private static final float GUARD_FLOAT = -12345.678f;
    private static final int GUARD_INT = 0xDEADBEEF;
    private static final int POISON_INT = -777_777_777;

    private final Backend backend;
    private final Layout layout;
    private final boolean floats;
    private final int words;
    private final Memory memory;

    private Held(Backend backend, Layout layout, Memory memory) {
        this.backend = backend;
        this.layout = layout;
        this.floats = layout.type().dtype() == DType.F32;
        this.words = words(layout);
        this.memory = memory;
    }

    /** Room for a value of that layout. */
    Held(Backend backend, Layout layout) {
        this(backend, layout, backend.allocate(backend.pool(layout.type().dtype()), 4L * words(layout) + 2 * GUARD));
        fill(0, words + 2 * GUARD / 4, GUARD_FLOAT, GUARD_INT);
        poison(Float.NaN);
    }

    private static int words(Layout layout) {
        return Math.toIntExact((layout.bytes() + 3) / 4);
    }

    /** The same memory, for a result that takes it over: of the same layout, or of another type in as many bytes. */
    Held as(Layout result) {
        boolean fits = result.type().equals(layout.type())
                ? result.equals(layout)
                : result.type().dtype() == layout.type().dtype() && result.bytes() == layout.bytes();
        if (!fits) {
            throw new AssertionError(
                    result.type() + " in " + result + " cannot take the place of " + layout.type() + " in " + layout);
        }
        return new Held(backend, result, memory);
    }

    /** The tensor, row-major. */
    static Held plain(Backend backend, Tensor tensor) {
        Held held = new Held(backend, Layout.plain(new Type(tensor.dtype(), tensor.shape())));
        if (held.floats) {
            held.memory.write(GUARD, tensor.floats(), 0, held.words);
        } else {
            held.memory.write(GUARD, tensor.ints(), 0, held.words);
        }
        return held;
    }

    /** Scratch for a kernel: f32, whatever the kernel makes of it. */
    static Held scratch(Backend backend, long bytes) {
        return new Held(backend, Layout.plain(Type.f32(Math.toIntExact((bytes + 3) / 4))));
    }

    Layout layout() {
        return layout;
    }

    Region region() {
        return new Region(memory, GUARD, layout);
    }

    /** Overwrites the value with something that shows wherever it gets through. */
    void poison(float value) {
        fill(GUARD, words, value, POISON_INT);
    }

    private void fill(long offset, int count, float f, int i) {
        if (floats) {
            float[] all = new float[count];
            Arrays.fill(all, f);
            memory.write(offset, all, 0, count);
        } else {
            int[] all = new int[count];
            Arrays.fill(all, i);
            memory.write(offset, all, 0, count);
        }
    }

    /** The value as it lies in memory, padding included. */
    int[] bits() {
        return bits(GUARD, words);
    }

    private int[] bits(long offset, int count) {
        int[] bits = new int[count];
        if (floats) {
            float[] values = new float[count];
            memory.read(offset, values, 0, count);
            for (int i = 0; i < count; i++) {
                bits[i] = Float.floatToRawIntBits(values[i]);
            }
        } else {
            memory.read(offset, bits, 0, count);
        }
        return bits;
    }

    /** Fails if something was written before or after the value. */
    void checkGuards(String whose) {
        int untouched = floats ? Float.floatToRawIntBits(GUARD_FLOAT) : GUARD_INT;
        for (long offset : List.of(0L, GUARD + 4L * words)) {
            for (int bits : bits(offset, GUARD / 4)) {
                if (bits != untouched) {
                    throw new AssertionError((offset == 0 ? "the memory before " : "the memory behind ") + whose + " "
                            + layout.type() + " was written to");
                }
            }
        }
    }

    /** Fails unless what a layout adds to the values is zero: a norm over a packed block must not see it. */
    void checkPadding(String whose, Tensor value) {
        if (floats && layout.bytes() > layout.type().bytes()) {
            long inMemory = Arrays.stream(bits())
                    .filter(b -> Float.intBitsToFloat(b) != 0)
                    .count();
            long inValue = 0;
            for (float v : value.floats()) {
                inValue += v != 0 ? 1 : 0;
            }
            if (inMemory != inValue) {
                throw new AssertionError("the padding of " + whose + " " + layout.type() + " in " + layout + " holds "
                        + (inMemory - inValue) + " values that are not zero");
            }
        }
    }

    /** A copy in another layout. */
    Held to(Layout wanted) {
        Held copy = new Held(backend, wanted);
        try (Kernel reorder = backend.reorder(layout, wanted);
                Held scratch = scratch(backend, reorder.scratch());
                Kernel.Bound bound = reorder.bind(List.of(region()), List.of(copy.region()), scratch.region())) {
            bound.run();
        }
        copy.checkGuards("the reordered");
        return copy;
    }

    /** The value in row-major order, on the host. */
    Tensor read() {
        if (!layout.equals(Layout.plain(layout.type()))) {
            try (Held plain = to(Layout.plain(layout.type()))) {
                return plain.read();
            }
        }
        Tensor tensor = Tensor.zeros(layout.type().dtype(), layout.type().shape());
        if (floats) {
            memory.read(GUARD, tensor.floats(), 0, words);
        } else {
            memory.read(GUARD, tensor.ints(), 0, words);
        }
        return tensor;
    }

    @Override
    public void close() {
        memory.close();
    }
}
