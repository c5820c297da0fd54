package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.graph.Type;
import dev.hadal.op.MatMul;
import dev.hadal.op.Recurrent;
import dev.hadal.op.Recurrent.Extent;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Recurrent networks: the products with the input are one matrix product for all steps, those with the state one for
 * each step of the whole batch, and the gradients of the weights one each at the end.
 */
final class RecurrentKernels {
    /** A step's functions take about as long for each unit as that many additions. */
    private static final int CELL = 64;

    static void add(OpTable<OpTable.Job, Kernel> table) {
        table.put(Recurrent.class, RecurrentForward::prepare);
        table.put(Recurrent.Backward.class, RecurrentBackward::prepare);
    }

    /** A machine for one step of all sequences. */
    static Machine forStep(Machine machine, Extent e) {
        return machine.forWork((long) CELL * e.n() * e.h());
    }

    /** A matrix product inside a kernel. */
    record Product(HeapKernel kernel) {
        static Product of(MatMul op, Type a, Type b, Machine machine) {
            List<Type> in = List.of(a, b);
            return new Product((HeapKernel) MatMulKernel.prepare(op, in, op.infer(in), machine));
        }

        /** In floats. */
        long scratch() {
            return kernel.scratch() / Float.BYTES;
        }

        /** At its operands, which are read as the matrices that it multiplies. */
        Runnable bind(Span a, Span b, Span y, Span scratch) {
            Span[] in = {as(a, kernel.in().get(0)), as(b, kernel.in().get(1))};
            return kernel.body().bind(in, new Span[] {as(y, kernel.out().get(0))}, scratch);
        }
    }

    private static Span as(Span x, Type type) {
        return new Span(x.floats(), x.ints(), x.bytes(), x.offset(), type);
    }

    /** Divides a kernel's scratch. */
    static final class Parts {
        private final Span scratch;
        private int next;

        Parts(Span scratch) {
            this.scratch = scratch;
        }

        Span take(int... dims) {
            Span part = new Span(
                    scratch.floats(), scratch.ints(), scratch.bytes(), scratch.offset() + next, Type.f32(dims));
            next += part.size();
            return part;
        }
    }

    /** The operand or result of that name, if there is one. */
    static @Nullable Span named(List<String> names, Span[] values, String name) {
        int at = names.indexOf(name);
        return at < 0 ? null : values[at];
    }

    /** Whether a step lies within its sequence. */
    static boolean within(@Nullable Span lengths, int n, int t) {
        return lengths == null || t < lengths.ints()[lengths.offset() + n];
    }

    /** Sets a state to its operand, or to zero. */
    static void start(Span state, @Nullable Span from) {
        if (from == null) {
            Arrays.fill(state.floats(), state.offset(), state.offset() + state.size(), 0);
        } else {
            System.arraycopy(from.floats(), from.offset(), state.floats(), state.offset(), state.size());
        }
    }

    static float sigmoid(float x) {
        return (float) (1 / (1 + Math.exp(-(double) x)));
    }

    /** In double, so that the difference costs nothing which an f32 would show. */
    static float tanh(float x) {
        return (float) (1 - 2 / (Math.exp(2 * (double) x) + 1));
    }

    private RecurrentKernels() {}
}
