package dev.hadal.data;

/**
 * Bilinear interpolation that takes all pixels into account when it makes an image smaller, as Pillow does: along each
 * axis, with the scale s = from/to,
 *
 * <pre>
 *   y[i] = Σ_k w[i,k]·x[k] / Σ_k w[i,k]      w[i,k] = max(0, 1 − |k + ½ − (i + ½)·s| / max(s, 1))
 * </pre>
 */
final class Resize {
    private Resize() {}

    /** From {@code x}, [height,width], to {@code y[offset …]}, [toHeight,toWidth]. */
    static void bilinear(float[] x, int height, int width, float[] y, int offset, int toHeight, int toWidth) {
        float[] narrow = new float[height * toWidth];
        axis(x, 0, width, 1, narrow, 0, toWidth, 1, height, width, toWidth);
        axis(narrow, 0, height, toWidth, y, offset, toHeight, toWidth, toWidth, 1, 1);
    }

    /** Resizes {@code lines} lines of {@code from} values to {@code to}, of given steps along and between them. */
    private static void axis(
            float[] x,
            int xAt,
            int from,
            int xStep,
            float[] y,
            int yAt,
            int to,
            int yStep,
            int lines,
            int xLine,
            int yLine) {
        double scale = (double) from / to, reach = Math.max(scale, 1);
        for (int i = 0; i < to; i++) {
            double centre = (i + 0.5) * scale;
            int first = Math.max(0, (int) Math.floor(centre - reach)),
                    end = Math.min(from, (int) Math.ceil(centre + reach));
            float[] w = new float[end - first];
            double sum = 0;
            for (int k = 0; k < w.length; k++) {
                w[k] = (float) Math.max(0, 1 - Math.abs(first + k + 0.5 - centre) / reach);
                sum += w[k];
            }
            for (int line = 0; line < lines; line++) {
                double total = 0;
                for (int k = 0; k < w.length; k++) {
                    total += (double) w[k] * x[xAt + line * xLine + (first + k) * xStep];
                }
                y[yAt + line * yLine + i * yStep] = (float) (total / sum);
            }
        }
    }
}
