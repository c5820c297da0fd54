package dev.hadal.backend.jvm.vector;

import dev.hadal.backend.jvm.simd.Tile;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Eight rows by three vectors, for CPUs with 32 vector registers: 24 accumulators, three vectors of b, one value of a.
 * It is written out because an accumulator must be a local variable to live in a register: in an array, or handed to
 * a method that is not inlined, it becomes an object on the heap, and the product a hundred times slower. Fewer
 * accumulators are less to read, but are held up by the loads: 4×4 reaches 160 GFLOP/s where this reaches 220.
 */
final class Tile8x3 implements Tile {
    private static final VectorSpecies<Float> S = FloatVector.SPECIES_PREFERRED;
    private static final int L = S.length();
    private static final int ROWS = 8;

    @Override
    public int rows() {
        return ROWS;
    }

    @Override
    public int columns() {
        return 3 * L;
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
        int c4 = c3 + cStride;
        int c5 = c4 + cStride;
        int c6 = c5 + cStride;
        int c7 = c6 + cStride;
        FloatVector c00 = add ? FloatVector.fromArray(S, c, c0) : zero;
        FloatVector c01 = add ? FloatVector.fromArray(S, c, c0 + L) : zero;
        FloatVector c02 = add ? FloatVector.fromArray(S, c, c0 + 2 * L) : zero;
        FloatVector c10 = add ? FloatVector.fromArray(S, c, c1) : zero;
        FloatVector c11 = add ? FloatVector.fromArray(S, c, c1 + L) : zero;
        FloatVector c12 = add ? FloatVector.fromArray(S, c, c1 + 2 * L) : zero;
        FloatVector c20 = add ? FloatVector.fromArray(S, c, c2) : zero;
        FloatVector c21 = add ? FloatVector.fromArray(S, c, c2 + L) : zero;
        FloatVector c22 = add ? FloatVector.fromArray(S, c, c2 + 2 * L) : zero;
        FloatVector c30 = add ? FloatVector.fromArray(S, c, c3) : zero;
        FloatVector c31 = add ? FloatVector.fromArray(S, c, c3 + L) : zero;
        FloatVector c32 = add ? FloatVector.fromArray(S, c, c3 + 2 * L) : zero;
        FloatVector c40 = add ? FloatVector.fromArray(S, c, c4) : zero;
        FloatVector c41 = add ? FloatVector.fromArray(S, c, c4 + L) : zero;
        FloatVector c42 = add ? FloatVector.fromArray(S, c, c4 + 2 * L) : zero;
        FloatVector c50 = add ? FloatVector.fromArray(S, c, c5) : zero;
        FloatVector c51 = add ? FloatVector.fromArray(S, c, c5 + L) : zero;
        FloatVector c52 = add ? FloatVector.fromArray(S, c, c5 + 2 * L) : zero;
        FloatVector c60 = add ? FloatVector.fromArray(S, c, c6) : zero;
        FloatVector c61 = add ? FloatVector.fromArray(S, c, c6 + L) : zero;
        FloatVector c62 = add ? FloatVector.fromArray(S, c, c6 + 2 * L) : zero;
        FloatVector c70 = add ? FloatVector.fromArray(S, c, c7) : zero;
        FloatVector c71 = add ? FloatVector.fromArray(S, c, c7 + L) : zero;
        FloatVector c72 = add ? FloatVector.fromArray(S, c, c7 + 2 * L) : zero;
        for (int k = 0; k < depth; k++) {
            int row = bAt + bRows[k];
            FloatVector b0 = FloatVector.fromArray(S, b, row);
            FloatVector b1 = FloatVector.fromArray(S, b, row + L);
            FloatVector b2 = FloatVector.fromArray(S, b, row + 2 * L);
            int column = aAt + k * ROWS;
            FloatVector a0 = FloatVector.broadcast(S, a[column]);
            c00 = a0.fma(b0, c00);
            c01 = a0.fma(b1, c01);
            c02 = a0.fma(b2, c02);
            FloatVector a1 = FloatVector.broadcast(S, a[column + 1]);
            c10 = a1.fma(b0, c10);
            c11 = a1.fma(b1, c11);
            c12 = a1.fma(b2, c12);
            FloatVector a2 = FloatVector.broadcast(S, a[column + 2]);
            c20 = a2.fma(b0, c20);
            c21 = a2.fma(b1, c21);
            c22 = a2.fma(b2, c22);
            FloatVector a3 = FloatVector.broadcast(S, a[column + 3]);
            c30 = a3.fma(b0, c30);
            c31 = a3.fma(b1, c31);
            c32 = a3.fma(b2, c32);
            FloatVector a4 = FloatVector.broadcast(S, a[column + 4]);
            c40 = a4.fma(b0, c40);
            c41 = a4.fma(b1, c41);
            c42 = a4.fma(b2, c42);
            FloatVector a5 = FloatVector.broadcast(S, a[column + 5]);
            c50 = a5.fma(b0, c50);
            c51 = a5.fma(b1, c51);
            c52 = a5.fma(b2, c52);
            FloatVector a6 = FloatVector.broadcast(S, a[column + 6]);
            c60 = a6.fma(b0, c60);
            c61 = a6.fma(b1, c61);
            c62 = a6.fma(b2, c62);
            FloatVector a7 = FloatVector.broadcast(S, a[column + 7]);
            c70 = a7.fma(b0, c70);
            c71 = a7.fma(b1, c71);
            c72 = a7.fma(b2, c72);
        }
        c00.intoArray(c, c0);
        c01.intoArray(c, c0 + L);
        c02.intoArray(c, c0 + 2 * L);
        c10.intoArray(c, c1);
        c11.intoArray(c, c1 + L);
        c12.intoArray(c, c1 + 2 * L);
        c20.intoArray(c, c2);
        c21.intoArray(c, c2 + L);
        c22.intoArray(c, c2 + 2 * L);
        c30.intoArray(c, c3);
        c31.intoArray(c, c3 + L);
        c32.intoArray(c, c3 + 2 * L);
        c40.intoArray(c, c4);
        c41.intoArray(c, c4 + L);
        c42.intoArray(c, c4 + 2 * L);
        c50.intoArray(c, c5);
        c51.intoArray(c, c5 + L);
        c52.intoArray(c, c5 + 2 * L);
        c60.intoArray(c, c6);
        c61.intoArray(c, c6 + L);
        c62.intoArray(c, c6 + 2 * L);
        c70.intoArray(c, c7);
        c71.intoArray(c, c7 + L);
        c72.intoArray(c, c7 + 2 * L);
    }
}
