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
import dev.hadal.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * A kernel on f32 for operands and results of which some are bf16: those lie widened in the scratch memory, before the
 * kernel's own scratch, while it runs. Every operand is read before a bf16 result is written.
 */
record MixedKernel(Kernel kernel, List<Type> in, List<Type> out, Simd simd) implements Kernel {
    private static final int ALIGNMENT = 64;

    /** Whether a value is bf16. */
    static boolean concerns(List<Type> in, List<Type> out) {
        return anyBf16(in) || anyBf16(out);
    }

    private static boolean anyBf16(List<Type> types) {
        for (Type type : types) {
            if (isBf16(type)) {
                return true;
            }
        }
        return false;
    }

    private static boolean isBf16(Type type) {
        return type.dtype() == DType.BF16;
    }

    /** What the kernel on f32 is to compute. */
    static Op wide(Op op) {
        Op inner = Mixed.inner(op);
        return inner instanceof Cast cast && cast.dtype() == DType.BF16 ? new Cast(DType.F32) : inner;
    }

    static List<Type> wide(List<Type> types) {
        return types.stream().map(Mixed::widened).toList();
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
                .filter(MixedKernel::isBf16)
                .mapToLong(t -> aligned(Mixed.widened(t).bytes()))
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
        return kernel.implementation() + " between bf16";
    }

    @Override
    public Bound bind(List<Region> inputs, List<Region> outputs, Region scratch) {
        Room room = new Room(scratch);
        Loops loops = simd.loops();
        List<Runnable> before = new ArrayList<>();
        List<Runnable> after = new ArrayList<>();
        List<Region> x = new ArrayList<>();
        for (Region from : inputs) {
            if (isBf16(from.layout().type())) {
                Region to = room.widened(from);
                before.add(widening(loops, from, to));
                x.add(to);
            } else {
                x.add(from);
            }
        }
        List<Region> y = new ArrayList<>();
        for (Region to : outputs) {
            if (isBf16(to.layout().type())) {
                Region from = room.widened(to);
                after.add(narrowing(loops, from, to));
                y.add(from);
            } else {
                y.add(to);
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

    private static Runnable widening(Loops loops, Region from, Region to) {
        short[] bits = ((HeapMemory) from.memory()).bf16();
        float[] floats = ((HeapMemory) to.memory()).floats();
        int fromAt = (int) (from.offset() / Short.BYTES);
        int toAt = (int) (to.offset() / Float.BYTES);
        int count = from.layout().type().shape().size();
        return () -> loops.widen(count, bits, fromAt, floats, toAt);
    }

    private static Runnable narrowing(Loops loops, Region from, Region to) {
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
            Layout layout = Layout.plain(Mixed.widened(narrow.layout().type()));
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
