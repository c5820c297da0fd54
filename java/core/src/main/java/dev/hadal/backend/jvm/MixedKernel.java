package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Region;
import dev.hadal.backend.jvm.simd.Loops;
import dev.hadal.backend.jvm.simd.Simd;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.op.Cast;
import dev.hadal.op.Mixed;
import dev.hadal.op.Quantization;
import dev.hadal.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * A kernel on f32 for operands and results of which some are bf16, s8 or u8: those lie widened in the scratch memory, before
 * the kernel's own scratch, while it runs. Every operand is read before a narrow result is written.
 *
 * @param from what the integers of each operand stand for
 * @param to the same of each result
 */
record MixedKernel(
        Kernel kernel, List<Type> in, List<Type> out, List<Quantization> from, List<Quantization> to, Simd simd)
        implements Kernel {
    private static final int ALIGNMENT = 64;

    /** For an op that knows of no quantization: integers stand for themselves. */
    static MixedKernel of(Kernel kernel, List<Type> in, List<Type> out, Simd simd) {
        return new MixedKernel(kernel, in, out, identities(in), identities(out), simd);
    }

    private static List<Quantization> identities(List<Type> types) {
        return types.stream()
                .map(t -> t.dtype().isByte() ? Quantization.identity(t.dtype()) : Quantization.NONE)
                .toList();
    }

    /** Whether a value is bf16, s8 or u8. */
    static boolean concerns(List<Type> in, List<Type> out) {
        return anyNarrow(in) || anyNarrow(out);
    }

    private static boolean anyNarrow(List<Type> types) {
        for (Type type : types) {
            if (isNarrow(type)) {
                return true;
            }
        }
        return false;
    }

    private static boolean isNarrow(Type type) {
        return type.dtype() == DType.BF16 || type.dtype().isByte();
    }

    private static Type wide(Type type) {
        return isNarrow(type) ? Type.f32(type.shape()) : type;
    }

    /** What the kernel on f32 is to compute. */
    static Op wide(Op op) {
        Op inner = Mixed.inner(op);
        return inner instanceof Cast cast && cast.dtype() == DType.BF16 ? new Cast(DType.F32) : inner;
    }

    static List<Type> wide(List<Type> types) {
        return types.stream().map(MixedKernel::wide).toList();
    }

    private static long aligned(long bytes) {
        return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    @Override
    public List<Layout> inputs() {
        return Layout.plain(in);
    }

    @Override
    public List<Layout> outputs() {
        return Layout.plain(out);
    }

    @Override
    public long scratch() {
        long widened = Stream.concat(in.stream(), out.stream())
                .filter(MixedKernel::isNarrow)
                .mapToLong(t -> aligned(wide(t).bytes()))
                .sum();
        return widened + kernel.scratch();
    }

    @Override
    public int inPlace(int output) {
        int operand = kernel.inPlace(output);
        return operand >= 0 && in.get(operand).dtype() == out.get(output).dtype() ? operand : -1;
    }

    @Override
    public String implementation() {
        boolean bytes = Stream.concat(in.stream(), out.stream()).anyMatch(t -> t.dtype().isByte());
        return kernel.implementation() + (bytes ? " between int8" : " between bf16");
    }

    @Override
    public Bound bind(List<Region> inputs, List<Region> outputs, Region scratch) {
        Room room = new Room(scratch);
        Loops loops = simd.loops();
        List<Runnable> before = new ArrayList<>();
        List<Runnable> after = new ArrayList<>();
        List<Region> x = new ArrayList<>();
        for (int i = 0; i < inputs.size(); i++) {
            Region given = inputs.get(i);
            if (isNarrow(given.layout().type())) {
                Region copy = room.widened(given);
                before.add(widening(loops, given, from.get(i), copy));
                x.add(copy);
            } else {
                x.add(given);
            }
        }
        List<Region> y = new ArrayList<>();
        for (int i = 0; i < outputs.size(); i++) {
            Region wanted = outputs.get(i);
            if (isNarrow(wanted.layout().type())) {
                Region copy = room.widened(wanted);
                after.add(narrowing(loops, copy, to.get(i), wanted));
                y.add(copy);
            } else {
                y.add(wanted);
            }
        }
        Bound inner = kernel.bind(x, y, room.rest());
        Runnable[] widen = before.toArray(Runnable[]::new);
        Runnable[] narrow = after.toArray(Runnable[]::new);
        return new Bound() {
            @Override
            public void run() {
                for (Runnable r : widen) {
                    r.run();
                }
                inner.run();
                for (Runnable r : narrow) {
                    r.run();
                }
            }

            @Override
            public void close() {
                inner.close();
            }
        };
    }

    private static Runnable widening(Loops loops, Region from, Quantization q, Region to) {
        if (q.quantizes()) {
            return new ByteConversion(q, from.layout().type().shape()).dequantizing(from, to);
        }
        short[] bits = ((HeapMemory) from.memory()).bf16();
        float[] floats = ((HeapMemory) to.memory()).floats();
        int fromAt = (int) (from.offset() / Short.BYTES);
        int toAt = (int) (to.offset() / Float.BYTES);
        int count = from.layout().type().shape().size();
        return () -> loops.widen(count, bits, fromAt, floats, toAt);
    }

    private static Runnable narrowing(Loops loops, Region from, Quantization q, Region to) {
        if (q.quantizes()) {
            return new ByteConversion(q, to.layout().type().shape()).quantizing(from, to);
        }
        float[] floats = ((HeapMemory) from.memory()).floats();
        short[] bits = ((HeapMemory) to.memory()).bf16();
        int fromAt = (int) (from.offset() / Float.BYTES);
        int toAt = (int) (to.offset() / Short.BYTES);
        int count = to.layout().type().shape().size();
        return () -> loops.narrow(count, floats, fromAt, bits, toAt);
    }

    @Override
    public void close() {
        kernel.close();
    }

    /** Scratch memory, cut into pieces from the front. */
    private static final class Room {
        private final Region all;
        private long next;

        Room(Region all) {
            this.all = all;
        }

        Region widened(Region narrow) {
            Layout layout = Layout.plain(wide(narrow.layout().type()));
            Region piece = new Region(all.memory(), all.offset() + next, layout);
            next += aligned(layout.bytes());
            return piece;
        }

        Region rest() {
            int floats = Math.toIntExact((all.layout().bytes() - next) / Float.BYTES);
            return new Region(all.memory(), all.offset() + next, Layout.plain(Type.f32(floats)));
        }
    }
}
