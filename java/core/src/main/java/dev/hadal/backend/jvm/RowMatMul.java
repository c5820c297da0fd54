package dev.hadal.backend.jvm;

import static dev.hadal.backend.jvm.Blocks.ceilDiv;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.simd.Loops;
import dev.hadal.graph.Type;
import dev.hadal.op.MatMul;
import dev.hadal.tensor.Shape;
import java.util.List;

/**
 * y = a·bᵀ for one row a, as of a single sample in a linear layer. It reads b once, as it lies: copying it into panels takes
 * longer than the product. Sums have the bits of {@link MatMulKernel}'s.
 */
final class RowMatMul {
    /** The columns of y in one task. */
    private static final int COLUMNS = 64;

    static boolean suits(MatMul op, Shape a, Shape b) {
        return op.transposeB() && op.isOneProduct(a, b) && a.size() == op.k(a);
    }

    static Kernel prepare(MatMul op, List<Type> in, List<Type> out, Machine machine) {
        int k = op.k(in.get(0).shape());
        int n = op.n(in.get(1).shape());
        String name = "java row by matrix (" + machine.simd().name() + ")";
        return new HeapKernel(name, in, out, new Body(k, n, machine.forWork((long) k * n / 8)));
    }

    private record Body(int k, int n, Machine machine) implements HeapKernel.Body {
        @Override
        public Runnable bind(Span[] in, Span[] out, Span scratch) {
            return new Run(this, machine.loops(), in[0], in[1], out[0]);
        }
    }

    @SuppressWarnings("ArrayRecordComponent") // one per lane
    private record Run(Body of, Loops[] loops, Span a, Span b, Span y) implements Runnable, Workers.Body {
        @Override
        public void run() {
            of.machine.forEach(ceilDiv(of.n, COLUMNS), this);
        }

        @Override
        public void run(int task, int lane) {
            int j = task * COLUMNS;
            int count = Math.min(COLUMNS, of.n - j);
            int bAt = b.offset() + j * of.k;
            loops[lane].row(count, of.k, a.floats(), a.offset(), b.floats(), bAt, y.floats(), y.offset() + j);
        }
    }

    private RowMatMul() {}
}
