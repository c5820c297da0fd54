package dev.hadal.backend.jvm.simd;

/** The register tile that matrix products are made of. A tile may keep scratch, so each thread has its own. */
public interface Tile {

    /** How many rows of a and c it takes at a time. */
    int rows();

    /** How many columns of b and c it takes at a time. */
    int columns();

    /**
     * c = a·b, or c += a·b, for c: [m, columns()] and sums of the given depth, each added up in the order of k.
     *
     * @param m a multiple of {@link #rows()}
     * @param a in panels of {@link #rows()} rows, which follow each other; within a panel, column after column
     * @param bRows where each row of b begins, counted from {@code bAt}; b thus may be packed, or may lie where it is
     * @param cStride from row to row of c
     * @param add whether to add to what is there
     */
    void multiply(
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
            boolean add);
}
