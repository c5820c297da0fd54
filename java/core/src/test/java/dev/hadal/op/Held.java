package dev.hadal.op;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Memory;
import dev.hadal.backend.Region;
import dev.hadal.graph.Type;
import dev.hadal.tensor.Bf16;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
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
    private final DType dtype;
    private final int count;
    private final Memory memory;

    private Held(Backend backend, Layout layout, Memory memory) {
        this.backend = backend;
        this.layout = layout;
        this.dtype = layout.type().dtype();
        this.count = count(layout);
        this.memory = memory;
    }

    /** Room for a value of that layout. */
    Held(Backend backend, Layout layout) {
        this(
                backend,
                layout,
                backend.allocate(
                        backend.pool(layout.type().dtype()),
                        (long) layout.type().dtype().bytes() * count(layout) + 2 * GUARD));
        fill(0, count + 2 * GUARD / dtype.bytes(), GUARD_FLOAT, GUARD_INT);
        poison(Float.NaN);
    }

    /** The elements, those of padding included. */
    private static int count(Layout layout) {
        int each = layout.type().dtype().bytes();
        return Math.toIntExact((layout.bytes() + each - 1) / each);
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
        held.write(GUARD, tensor);
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
        fill(GUARD, count, value, POISON_INT);
    }

    private void fill(long offset, int number, float f, int i) {
        Tensor all = Tensor.zeros(dtype, Shape.of(number));
        switch (dtype) {
            case F32 -> Arrays.fill(all.floats(), f);
            case BF16 -> Arrays.fill(all.bf16Bits(), Bf16.narrow(f));
            case I32 -> Arrays.fill(all.ints(), i);
            case S8, U8 -> Arrays.fill(all.bytes(), (byte) i);
        }
        write(offset, all);
    }

    private void write(long offset, Tensor values) {
        int number = values.shape().size();
        switch (dtype) {
            case F32 -> memory.write(offset, values.floats(), 0, number);
            case BF16 -> memory.write(offset, values.bf16Bits(), 0, number);
            case I32 -> memory.write(offset, values.ints(), 0, number);
            case S8, U8 -> memory.write(offset, values.bytes(), 0, number);
        }
    }

    private Tensor read(long offset, Shape shape) {
        Tensor values = Tensor.zeros(dtype, shape);
        switch (dtype) {
            case F32 -> memory.read(offset, values.floats(), 0, shape.size());
            case BF16 -> memory.read(offset, values.bf16Bits(), 0, shape.size());
            case I32 -> memory.read(offset, values.ints(), 0, shape.size());
            case S8, U8 -> memory.read(offset, values.bytes(), 0, shape.size());
        }
        return values;
    }

    /** The value as it lies in memory, padding included. */
    Tensor inMemory() {
        return read(GUARD, Shape.of(count));
    }

    /** Fails if something was written before or after the value. */
    void checkGuards(String whose) {
        int number = GUARD / dtype.bytes();
        for (long offset : List.of(0L, GUARD + (long) dtype.bytes() * count)) {
            Tensor guard = read(offset, Shape.of(number));
            for (int i = 0; i < number; i++) {
                boolean untouched = switch (dtype) {
                    case F32 -> guard.floats()[i] == GUARD_FLOAT;
                    case BF16 -> guard.bf16Bits()[i] == Bf16.narrow(GUARD_FLOAT);
                    case I32 -> guard.ints()[i] == GUARD_INT;
                    case S8, U8 -> guard.bytes()[i] == (byte) GUARD_INT;
                };
                if (!untouched) {
                    throw new AssertionError((offset == 0 ? "the memory before " : "the memory behind ") + whose + " "
                            + layout.type() + " was written to");
                }
            }
        }
    }

    /** Fails unless what a layout adds to the values is zero: a norm over a packed block must not see it. */
    void checkPadding(String whose, Tensor value) {
        if (dtype != DType.I32 && layout.bytes() > layout.type().bytes()) {
            long inMemory = notZero(inMemory());
            long inValue = notZero(value);
            if (inMemory != inValue) {
                throw new AssertionError("the padding of " + whose + " " + layout.type() + " in " + layout + " holds "
                        + (inMemory - inValue) + " values that are not zero");
            }
        }
    }

    private static long notZero(Tensor t) {
        return Arrays.stream(Truth.wide(t)).filter(v -> v != 0).count();
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
        return read(GUARD, layout.type().shape());
    }

    @Override
    public void close() {
        memory.close();
    }
}
