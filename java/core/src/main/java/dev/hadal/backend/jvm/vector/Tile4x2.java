package dev.hadal.backend.jvm.vector;

import dev.hadal.backend.jvm.simd.Tile;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Four rows by two vectors, for CPUs with 16 vector registers. Just enough accumulators to keep two units busy that
 * take four cycles; with twelve of them, HotSpot 25 runs out of registers. Written out like {@link Tile8x3}.
 */
final class Tile4x2 implements Tile {
    private static final VectorSpecies<Float> S = FloatVector.SPECIES_PREFERRED;
    private static final int L = S.length();
    private static final int ROWS = 4;

    @Override
    public int rows() {
        return ROWS;
    }

    @Override
    public int columns() {
        return 2 * L;
    }

    @Override
    public void multiply(
            int m,
            int depth,
            float[] a,
            int aAt,
            float[] b,
            int[] bRows,
            int bAt,
            float[] c,
            int cAt,
            int cStride,
            boolean add) {
        for (int i = 0; i < m; i += ROWS) {
            tile(depth, a, aAt + i * depth, b, bRows, bAt, c, cAt + i * cStride, cStride, add);
        }
    }

    private static void tile(
            int depth,
            float[] a,
            int aAt,
            float[] b,
            int[] bRows,
            int bAt,
            float[] c,
            int cAt,
            int cStride,
            boolean add) {
        FloatVector zero = FloatVector.zero(S);
        int c0 = cAt;
        int c1 = c0 + cStride;
        int c2 = c1 + cStride;
        int c3 = c2 + cStride;
        FloatVector c00 = add ? FloatVector.fromArray(S, c, c0) : zero;
        FloatVector c01 = add ? FloatVector.fromArray(S, c, c0 + L) : zero;
        FloatVector c10 = add ? FloatVector.fromArray(S, c, c1) : zero;
        FloatVector c11 = add ? FloatVector.fromArray(S, c, c1 + L) : zero;
        FloatVector c20 = add ? FloatVector.fromArray(S, c, c2) : zero;
        FloatVector c21 = add ? FloatVector.fromArray(S, c, c2 + L) : zero;
        FloatVector c30 = add ? FloatVector.fromArray(S, c, c3) : zero;
        FloatVector c31 = add ? FloatVector.fromArray(S, c, c3 + L) : zero;
        for (int k = 0; k < depth; k++) {
            int row = bAt + bRows[k];
            FloatVector b0 = FloatVector.fromArray(S, b, row);
            FloatVector b1 = FloatVector.fromArray(S, b, row + L);
            int column = aAt + k * ROWS;
            FloatVector a0 = FloatVector.broadcast(S, a[column]);
            c00 = a0.fma(b0, c00);
            c01 = a0.fma(b1, c01);
            FloatVector a1 = FloatVector.broadcast(S, a[column + 1]);
            c10 = a1.fma(b0, c10);
            c11 = a1.fma(b1, c11);
            FloatVector a2 = FloatVector.broadcast(S, a[column + 2]);
            c20 = a2.fma(b0, c20);
            c21 = a2.fma(b1, c21);
            FloatVector a3 = FloatVector.broadcast(S, a[column + 3]);
            c30 = a3.fma(b0, c30);
            c31 = a3.fma(b1, c31);
        }
        c00.intoArray(c, c0);
        c01.intoArray(c, c0 + L);
        c10.intoArray(c, c1);
        c11.intoArray(c, c1 + L);
        c20.intoArray(c, c2);
        c21.intoArray(c, c2 + L);
        c30.intoArray(c, c3);
        c31.intoArray(c, c3 + L);
    }
}
