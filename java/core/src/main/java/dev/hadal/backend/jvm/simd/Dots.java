package dev.hadal.backend.jvm.simd;

/** Many inner products at once: a matrix product whose sums run along both operands' rows. One per thread, too. */
public interface Dots {

    /**
     * c[i][j] += Σ_q a[i][q]·b[j][q] for i < m, j < n and q < length, rounded alike however often it runs.
     *
     * @param aStride from row to row of a
     * @param bRows where each row of b begins, counted from {@code bAt}
     * @param cStride from row to row of c
     */
    void multiply(
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
            int cStride);
}
