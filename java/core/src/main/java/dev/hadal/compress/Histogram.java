package dev.hadal.compress;

/**
 * How often values of each size were seen: bins of equal width from 0 to the largest magnitude, and as many for negative
 * values if there are any. Exact zeros, of which a ReLU gives many and which every grid holds, are counted apart.
 */
public final class Histogram {
    /** Bins on each side of zero: as many as NVIDIA's TensorRT takes. */
    public static final int BINS = 2048;

    private final float min;
    private final float max;
    private final double width;
    private final long[] positive = new long[BINS];
    private final long[] negative;
    private long zeros;
    private long count;

    /**
     * An empty histogram.
     *
     * @param min the smallest value that will come
     * @param max the largest
     */
    Histogram(float min, float max) {
        if (!(min <= max) || !Float.isFinite(min) || !Float.isFinite(max)) {
            throw new IllegalArgumentException("values from " + min + " to " + max + " have no histogram");
        }
        this.min = min;
        this.max = max;
        this.width = Math.max(Math.abs((double) min), Math.abs((double) max)) / BINS;
        this.negative = new long[min < 0 ? BINS : 0];
    }

    /** Counts values, all of which lie between the smallest and the largest that were announced. */
    void add(float[] values) {
        for (float v : values) {
            if (v == 0) {
                zeros++;
            } else {
                int bin = Math.min(BINS - 1, (int) (Math.abs(v) / width));
                (v < 0 ? negative : positive)[bin]++;
            }
        }
        count += values.length;
    }

    public float min() {
        return min;
    }

    public float max() {
        return max;
    }

    /** How many values were seen. */
    public long count() {
        return count;
    }

    /** How many of them were 0. */
    public long zeros() {
        return zeros;
    }

    /** Whether there are bins below 0. */
    boolean isSigned() {
        return negative.length > 0;
    }

    /** How wide a bin is; 0 if nothing but zeros was seen. */
    double width() {
        return width;
    }

    /** How many values lie in bin {@code 0 … BINS − 1}, or, counted down from −1, below 0. */
    long bin(int index) {
        return index >= 0 ? positive[index] : isSigned() ? negative[-1 - index] : 0;
    }

    /** The value in the middle of a bin. */
    double middle(int index) {
        return (index + 0.5) * width;
    }

    /** How many values lie outside of a range, as a share of all; a bin that the range's end cuts counts by its middle. */
    public double outside(Range range) {
        long outside = 0;
        for (int i = isSigned() ? -BINS : 0; i < BINS; i++) {
            outside += middle(i) < range.min() || middle(i) > range.max() ? bin(i) : 0;
        }
        return count == 0 ? 0 : (double) outside / count;
    }
}
