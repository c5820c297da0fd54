package dev.hadal.backend.jvm;

import java.util.Arrays;

/** How operands of matrix products are copied into panels, which a tile then reads front to back. */
final class Packing {

    /**
     * Rows into a panel of columns: to[k·width + j] = from[k·stride + j] for j < count, and 0 from there up to the
     * panel's width.
     */
    static void rows(int depth, int count, int width, float[] from, int at, int stride, float[] to, int toAt) {
        for (int k = 0; k < depth; k++) {
            int panel = toAt + k * width;
            System.arraycopy(from, at + k * stride, to, panel, count);
            Arrays.fill(to, panel + count, panel + width, 0f);
        }
    }

    /** The same from a matrix that lies transposed: to[k·width + j] = from[j·stride + k]. */
    static void columns(int depth, int count, int width, float[] from, int at, int stride, float[] to, int toAt) {
        int j = 0;
        for (; j + 4 <= count; j += 4) {
            fourColumns(depth, width, from, at + j * stride, stride, to, toAt + j);
        }
        for (; j < width; j++) {
            for (int k = 0; k < depth; k++) {
                to[toAt + k * width + j] = j < count ? from[at + j * stride + k] : 0f;
            }
        }
    }

    private static void fourColumns(int depth, int width, float[] from, int at, int stride, float[] to, int toAt) {
        int column1 = at + stride;
        int column2 = column1 + stride;
        int column3 = column2 + stride;
        for (int k = 0; k < depth; k++) {
            int panel = toAt + k * width;
            to[panel] = from[at + k];
            to[panel + 1] = from[column1 + k];
            to[panel + 2] = from[column2 + k];
            to[panel + 3] = from[column3 + k];
        }
    }

    private Packing() {}
}
