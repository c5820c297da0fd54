package dev.hadal.op;

import dev.hadal.tensor.Shape;

/**
 * Each plane in height × width bins of about the same size, whatever the size of the plane: bin i of n along an axis of
 * length l goes from ⌊i·l/n⌋ to ⌈(i + 1)·l/n⌉, so that neighbours may overlap by one, as in PyTorch's AdaptiveAvgPool2d.
 */
public record AdaptivePool(Function function, int height, int width) implements Pooling {

    public AdaptivePool {
        if (height < 1 || width < 1 || function == Function.AVERAGE_WITHOUT_PADDING) {
            throw new IllegalArgumentException("an adaptive pooling is a MAX or an AVERAGE, which has no padding, of at"
                    + " least 1x1 bins, not " + function + " of " + height + "x" + width);
        }
    }

    @Override
    public String name() {
        return "adaptive_pool";
    }

    @Override
    public Bins rows(Shape x) {
        return bins(x, 2, height);
    }

    @Override
    public Bins columns(Shape x) {
        return bins(x, 3, width);
    }

    private Bins bins(Shape x, int dimension, int count) {
        Require.that(x.get(dimension) >= 1, "adaptive_pool: x %s has no values to make %d bins of", x, count);
        return Bins.adaptive(x.get(dimension), count);
    }

    @Override
    public String toString() {
        return "adaptive_" + text() + "[" + height + "x" + width + "]";
    }
}
