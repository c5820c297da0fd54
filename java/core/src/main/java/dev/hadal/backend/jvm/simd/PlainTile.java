package dev.hadal.backend.jvm.simd;

import java.util.Arrays;

/** One row of c and eight of b at a time: with more, HotSpot 17 gives up vectorising. */
final class PlainTile implements Tile {
    private static final int COLUMNS = 256;
    private static final int UNROLL = 8;
    private static final int DEPTH = 32;

    private final float[] row = new float[COLUMNS];
    private final float[][] block = new float[DEPTH][COLUMNS];

    @Override
    public int rows() {
        return 1;
    }

    @Override
    public int columns() {
        return COLUMNS;
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
        if (!add) {
            for (int i = 0; i < m; i++) {
                Arrays.fill(c, cAt + i * cStride, cAt + i * cStride + COLUMNS, 0f);
            }
        }
        for (int k = 0; k < depth; k += DEPTH) {
            int count = Math.min(DEPTH, depth - k);
            for (int l = 0; l < count; l++) {
                System.arraycopy(b, bAt + bRows[k + l], block[l], 0, COLUMNS);
            }
            for (int i = 0; i < m; i++) {
                System.arraycopy(c, cAt + i * cStride, row, 0, COLUMNS);
                addProducts(count, a, aAt + i * depth + k);
                System.arraycopy(row, 0, c, cAt + i * cStride, COLUMNS);
            }
        }
    }

    /** row += a·block */
    private void addProducts(int count, float[] a, int aAt) {
        int k = 0;
        for (; k + UNROLL <= count; k += UNROLL) {
            int at = aAt + k;
            addEight(
                    row,
                    a[at],
                    block[k],
                    a[at + 1],
                    block[k + 1],
                    a[at + 2],
                    block[k + 2],
                    a[at + 3],
                    block[k + 3],
                    a[at + 4],
                    block[k + 4],
                    a[at + 5],
                    block[k + 5],
                    a[at + 6],
                    block[k + 6],
                    a[at + 7],
                    block[k + 7]);
        }
        for (; k < count; k++) {
            addOne(row, a[aAt + k], block[k]);
        }
    }

    private static void addEight(
            float[] c,
            float a0,
            float[] b0,
            float a1,
            float[] b1,
            float a2,
            float[] b2,
            float a3,
            float[] b3,
            float a4,
            float[] b4,
            float a5,
            float[] b5,
            float a6,
            float[] b6,
            float a7,
            float[] b7) {
        for (int j = 0; j < COLUMNS; j++) {
            c[j] = c[j]
                    + a0 * b0[j]
                    + a1 * b1[j]
                    + a2 * b2[j]
                    + a3 * b3[j]
                    + a4 * b4[j]
                    + a5 * b5[j]
                    + a6 * b6[j]
                    + a7 * b7[j];
        }
    }

    private static void addOne(float[] c, float a, float[] b) {
        for (int j = 0; j < COLUMNS; j++) {
            c[j] += a * b[j];
        }
    }
}
