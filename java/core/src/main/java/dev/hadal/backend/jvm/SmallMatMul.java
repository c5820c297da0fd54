package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.simd.Loops;
import dev.hadal.graph.Type;
import dev.hadal.op.MatMul;
import dev.hadal.tensor.Shape;
import java.util.List;

/**
 * y = a·b of matrices that fit the nearest cache together: there, copying them into panels takes as long as the product.
 * Only a b that is stored transposed, or narrower than a vector, is copied; sums have the bits of {@link MatMulKernel}'s.
 */
final class SmallMatMul {
    /** The products up to which panels do not pay, on both kinds of loops. */
    private static final long LIMIT = 100_000;

    static boolean suits(MatMul op, Shape a, Shape b) {
        boolean oneProduct = op.isOneProduct(a, b) || (a.rank() == 2 && b.rank() == 2);
        return oneProduct && (long) a.size() * op.n(b) <= LIMIT;
    }

    static Kernel prepare(MatMul op, List<Type> in, List<Type> out, Machine machine) {
        int k = op.k(in.get(0).shape());
        int m = in.get(0).shape().size() / k;
        int n = op.n(in.get(1).shape());
        int width = Math.max(n, machine.simd().loops().productColumns());
        boolean copiesB = op.transposeB() || width > n;
        boolean copiesY = width > n;
        int bCopy = copiesB ? k * width : 0;
        int aRow = op.transposeA() ? 1 : k;
        int aColumn = op.transposeA() ? m : 1;
        return new HeapKernel("java small gemm (" + machine.simd().name() + ")", in, out, (x, y, scratch) -> {
                    Loops loops = machine.simd().loops();
                    float[] a = x[0].floats();
                    int aAt = x[0].offset();
                    Span b = x[1];
                    Span c = y[0];
                    float[] copies = scratch.floats();
                    int copiesAt = scratch.offset();
                    float[] bs = copiesB ? copies : b.floats();
                    int bAt = copiesB ? copiesAt : b.offset();
                    float[] cs = copiesY ? copies : c.floats();
                    int cAt = copiesY ? copiesAt + bCopy : c.offset();
                    return () -> {
                        if (op.transposeB()) {
                            Packing.columns(k, n, width, b.floats(), b.offset(), k, copies, copiesAt);
                        } else if (copiesB) {
                            Packing.rows(k, n, width, b.floats(), b.offset(), n, copies, copiesAt);
                        }
                        loops.product(m, width, k, a, aAt, aRow, aColumn, bs, bAt, width, cs, cAt, width);
                        for (int i = 0; copiesY && i < m; i++) {
                            System.arraycopy(cs, cAt + i * width, c.floats(), c.offset() + i * n, n);
                        }
                    };
                })
                .withScratch(bCopy + (copiesY ? (long) m * width : 0));
    }

    private SmallMatMul() {}
}
