package dev.hadal.data;

/**
 * Bilinear interpolation along one axis, which takes all values into account when it makes the axis shorter, as Pillow
 * does: with the scale s = from/to,
 *
 * <pre>
 *   y[i] = Σ_k w[i,k]·x[k] / Σ_k w[i,k]      w[i,k] = max(0, 1 − |k + ½ − (i + ½)·s| / max(s, 1))
 * </pre>
 */
final class Resize {
    /** The first k whose weight counts, for each i. */
    private final int[] first;
    /** The weights from there on, divided by their sum. */
    private final float[][] weights;

    Resize(int from, int to) {
        first = new int[to];
        weights = new float[to][];
        double scale = (double) from / to, reach = Math.max(scale, 1);
        for (int i = 0; i < to; i++) {
            double centre = (i + 0.5) * scale;
            first[i] = Math.max(0, (int) Math.floor(centre - reach));
            weights[i] = weights(first[i], Math.min(from, (int) Math.ceil(centre + reach)), centre, reach);
        }
    }

    private static float[] weights(int first, int end, double centre, double reach) {
        double[] w = new double[end - first];
        double sum = 0;
        for (int k = 0; k < w.length; k++) {
            w[k] = Math.max(0, 1 - Math.abs(first + k + 0.5 - centre) / reach);
            sum += w[k];
        }
        float[] normed = new float[w.length];
        for (int k = 0; k < w.length; k++) {
            normed[k] = (float) (w[k] / sum);
        }
        return normed;
    }

    /** From {@code x[xAt], x[xAt + xStep], …} to {@code y[yAt], y[yAt + yStep], …}. */
    void apply(float[] x, int xAt, int xStep, float[] y, int yAt, int yStep) {
        for (int i = 0; i < first.length; i++) {
            float[] w = weights[i];
            int at = xAt + first[i] * xStep;
            float sum = 0;
            for (int k = 0; k < w.length; k++) {
                sum += w[k] * x[at + k * xStep];
            }
            y[yAt + i * yStep] = sum;
        }
    }
}
