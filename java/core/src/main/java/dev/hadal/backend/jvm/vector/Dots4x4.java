package dev.hadal.backend.jvm.vector;

import dev.hadal.backend.jvm.simd.Dots;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Four rows by four, for CPUs with 32 vector registers. Written out for the reason that {@link Tile8x3} gives.
 */
final class Dots4x4 implements Dots {
    private static final VectorSpecies<Float> S = FloatVector.SPECIES_PREFERRED;
    private static final int L = S.length();
    private static final int ROWS = 4;
    private static final int COLUMNS = 4;

    private final float[] lanes = new float[ROWS * COLUMNS * L];

    @Override
    public void multiply(
            int m,
            int n,
            int length,
            float[] a,
            int aAt,
            int aStride,
            float[] b,
            int[] bRows,
            int bAt,
            float[] c,
            int cAt,
            int cStride) {
        int vectors = S.loopBound(length);
        for (int i = 0; i < m; i += ROWS) {
            for (int j = 0; j < n; j += COLUMNS) {
                // At the edges, the last row is taken again in place of those that are not there.
                int a0 = aAt + i * aStride;
                int a1 = aAt + Math.min(i + 1, m - 1) * aStride;
                int a2 = aAt + Math.min(i + 2, m - 1) * aStride;
                int a3 = aAt + Math.min(i + 3, m - 1) * aStride;
                int b0 = bAt + bRows[j];
                int b1 = bAt + bRows[Math.min(j + 1, n - 1)];
                int b2 = bAt + bRows[Math.min(j + 2, n - 1)];
                int b3 = bAt + bRows[Math.min(j + 3, n - 1)];
                block(vectors, a, a0, a1, a2, a3, b, b0, b1, b2, b3, lanes);
                for (int r = 0; r < Math.min(ROWS, m - i); r++) {
                    int cRow = cAt + (i + r) * cStride + j;
                    for (int s = 0; s < Math.min(COLUMNS, n - j); s++) {
                        c[cRow + s] += Lanes.sum(lanes, (r * COLUMNS + s) * L);
                    }
                }
            }
        }
        if (vectors < length) {
            addTails(m, n, vectors, length, a, aAt, aStride, b, bRows, bAt, c, cAt, cStride);
        }
    }

    /** The products that do not fill a vector. */
    private static void addTails(
            int m,
            int n,
            int from,
            int to,
            float[] a,
            int aAt,
            int aStride,
            float[] b,
            int[] bRows,
            int bAt,
            float[] c,
            int cAt,
            int cStride) {
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < n; j++) {
                float sum = 0;
                for (int q = from; q < to; q++) {
                    sum += a[aAt + i * aStride + q] * b[bAt + bRows[j] + q];
                }
                c[cAt + i * cStride + j] += sum;
            }
        }
    }

    /** Every L-th product of each pair of rows, summed into a lane of its own. */
    private static void block(
            int length,
            float[] a,
            int a0At,
            int a1At,
            int a2At,
            int a3At,
            float[] b,
            int b0At,
            int b1At,
            int b2At,
            int b3At,
            float[] lanes) {
        FloatVector c00 = FloatVector.zero(S);
        FloatVector c01 = FloatVector.zero(S);
        FloatVector c02 = FloatVector.zero(S);
        FloatVector c03 = FloatVector.zero(S);
        FloatVector c10 = FloatVector.zero(S);
        FloatVector c11 = FloatVector.zero(S);
        FloatVector c12 = FloatVector.zero(S);
        FloatVector c13 = FloatVector.zero(S);
        FloatVector c20 = FloatVector.zero(S);
        FloatVector c21 = FloatVector.zero(S);
        FloatVector c22 = FloatVector.zero(S);
        FloatVector c23 = FloatVector.zero(S);
        FloatVector c30 = FloatVector.zero(S);
        FloatVector c31 = FloatVector.zero(S);
        FloatVector c32 = FloatVector.zero(S);
        FloatVector c33 = FloatVector.zero(S);
        for (int q = 0; q < length; q += L) {
            FloatVector b0 = FloatVector.fromArray(S, b, b0At + q);
            FloatVector b1 = FloatVector.fromArray(S, b, b1At + q);
            FloatVector b2 = FloatVector.fromArray(S, b, b2At + q);
            FloatVector b3 = FloatVector.fromArray(S, b, b3At + q);
            FloatVector a0 = FloatVector.fromArray(S, a, a0At + q);
            c00 = a0.fma(b0, c00);
            c01 = a0.fma(b1, c01);
            c02 = a0.fma(b2, c02);
            c03 = a0.fma(b3, c03);
            FloatVector a1 = FloatVector.fromArray(S, a, a1At + q);
            c10 = a1.fma(b0, c10);
            c11 = a1.fma(b1, c11);
            c12 = a1.fma(b2, c12);
            c13 = a1.fma(b3, c13);
            FloatVector a2 = FloatVector.fromArray(S, a, a2At + q);
            c20 = a2.fma(b0, c20);
            c21 = a2.fma(b1, c21);
            c22 = a2.fma(b2, c22);
            c23 = a2.fma(b3, c23);
            FloatVector a3 = FloatVector.fromArray(S, a, a3At + q);
            c30 = a3.fma(b0, c30);
            c31 = a3.fma(b1, c31);
            c32 = a3.fma(b2, c32);
            c33 = a3.fma(b3, c33);
        }
        c00.intoArray(lanes, 0);
        c01.intoArray(lanes, L);
        c02.intoArray(lanes, 2 * L);
        c03.intoArray(lanes, 3 * L);
        c10.intoArray(lanes, 4 * L);
        c11.intoArray(lanes, 5 * L);
        c12.intoArray(lanes, 6 * L);
        c13.intoArray(lanes, 7 * L);
        c20.intoArray(lanes, 8 * L);
        c21.intoArray(lanes, 9 * L);
        c22.intoArray(lanes, 10 * L);
        c23.intoArray(lanes, 11 * L);
        c30.intoArray(lanes, 12 * L);
        c31.intoArray(lanes, 13 * L);
        c32.intoArray(lanes, 14 * L);
        c33.intoArray(lanes, 15 * L);
    }
}
