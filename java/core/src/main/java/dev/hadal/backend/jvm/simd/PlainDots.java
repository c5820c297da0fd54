package dev.hadal.backend.jvm.simd;

import java.util.Arrays;

/**
 * HotSpot does not vectorise a sum of floats, which it must not reorder. So these sums are kept as rows of partial
 * sums, each over every 256th product.
 */
final class PlainDots implements Dots {
    private static final int WIDTH = 256;
    private static final int PARTS = 4;
    private static final int ROWS = 16;

    private final float[][][] aBlock = new float[ROWS][PARTS][WIDTH];
    private final float[][] bBlock = new float[PARTS][WIDTH];
    private final float[] sums = new float[WIDTH];

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
        for (int q = 0; q < length; q += PARTS * WIDTH) {
            int count = Math.min(PARTS * WIDTH, length - q);
            for (int i0 = 0; i0 < m; i0 += ROWS) {
                int rows = Math.min(ROWS, m - i0);
                for (int i = 0; i < rows; i++) {
                    load(count, a, aAt + (i0 + i) * aStride + q, aBlock[i]);
                }
                for (int j = 0; j < n; j++) {
                    load(count, b, bAt + bRows[j] + q, bBlock);
                    for (int i = 0; i < rows; i++) {
                        float[][] ai = aBlock[i];
                        multiply(sums, ai[0], bBlock[0], ai[1], bBlock[1], ai[2], bBlock[2], ai[3], bBlock[3]);
                        c[cAt + (i0 + i) * cStride + j] += total(sums);
                    }
                }
            }
        }
    }

    /** Copies values into rows, and fills up with zeros. */
    private static void load(int count, float[] from, int at, float[][] rows) {
        for (int part = 0; part < PARTS; part++) {
            int here = Math.max(0, Math.min(WIDTH, count - part * WIDTH));
            System.arraycopy(from, at + Math.min(count, part * WIDTH), rows[part], 0, here);
            Arrays.fill(rows[part], here, WIDTH, 0f);
        }
    }

    private static void multiply(
            float[] sums,
            float[] a0,
            float[] b0,
            float[] a1,
            float[] b1,
            float[] a2,
            float[] b2,
            float[] a3,
            float[] b3) {
        for (int q = 0; q < WIDTH; q++) {
            sums[q] = a0[q] * b0[q] + a1[q] * b1[q] + a2[q] * b2[q] + a3[q] * b3[q];
        }
    }

    /** Their sum, by eight chains of additions that run side by side. */
    private static float total(float[] x) {
        float s0 = 0;
        float s1 = 0;
        float s2 = 0;
        float s3 = 0;
        float s4 = 0;
        float s5 = 0;
        float s6 = 0;
        float s7 = 0;
        for (int i = 0; i < WIDTH; i += 8) {
            s0 += x[i];
            s1 += x[i + 1];
            s2 += x[i + 2];
            s3 += x[i + 3];
            s4 += x[i + 4];
            s5 += x[i + 5];
            s6 += x[i + 6];
            s7 += x[i + 7];
        }
        return ((s0 + s4) + (s1 + s5)) + ((s2 + s6) + (s3 + s7));
    }
}
