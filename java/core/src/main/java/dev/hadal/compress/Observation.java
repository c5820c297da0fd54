package dev.hadal.compress;

import dev.hadal.tensor.Shape;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** What was seen of one value of a network: how far it reaches, its channels' means, and how it is spread. */
final class Observation {
    private float min = Float.POSITIVE_INFINITY;
    private float max = Float.NEGATIVE_INFINITY;
    private long count;
    /** Per index along axis 1, and along the last axis. */
    private double @Nullable [] channels;

    private double @Nullable [] lasts;
    private @Nullable Histogram histogram;

    /**
     * Takes some values into account.
     *
     * @param what names the value if one of them is not finite
     * @throws IllegalArgumentException if one is not
     */
    void add(String what, float[] values, Shape shape) {
        float low = min, high = max;
        boolean finite = true;
        for (float v : values) {
            low = Math.min(low, v);
            high = Math.max(high, v);
            finite &= Math.abs(v) <= Float.MAX_VALUE;
        }
        if (!finite) {
            throw new IllegalArgumentException(
                    what + " is NaN or infinite for some of the calibration data, so that it has"
                            + " no range; are the data and the weights finite?");
        }
        min = low;
        max = high;
        count += values.length;
        if (shape.rank() >= 2) {
            channels = added(channels, values, shape, 1);
            lasts = shape.rank() == 2 ? channels : added(lasts, values, shape, shape.rank() - 1);
        }
    }

    private static double[] added(double @Nullable [] sums, float[] values, Shape shape, int axis) {
        double[] all = sums == null ? new double[shape.get(axis)] : sums;
        int stride = shape.sizeFrom(axis + 1);
        for (int from = 0, c = 0; from < values.length; from += stride, c = (c + 1) % all.length) {
            double sum = 0;
            for (int i = from; i < from + stride; i++) {
                sum += values[i];
            }
            all[c] += sum;
        }
        return all;
    }

    /** Counts the same values once more, now that it is known how far they reach. */
    void count(float[] values) {
        if (histogram == null) {
            histogram = new Histogram(min, max);
        }
        histogram.add(values);
    }

    float min() {
        return min;
    }

    float max() {
        return max;
    }

    /** The mean at each index along axis 1, or along the last axis. */
    double[] means(boolean last) {
        double[] sums = Objects.requireNonNull(last ? lasts : channels, "a value of rank 1 has no channels");
        double[] means = new double[sums.length];
        for (int c = 0; c < means.length; c++) {
            means[c] = sums[c] / ((double) count / means.length);
        }
        return means;
    }

    /** How the values are spread; without a second look at them, no more is known than how far they reach. */
    Histogram histogram() {
        return histogram == null ? new Histogram(min, max) : histogram;
    }
}
