package dev.hadal.op;

import dev.hadal.tensor.Shape;
import java.util.Arrays;
import java.util.Objects;

/** What a sliding kernel sees, in one value, as PyTorch's MaxPool2d and AvgPool2d have it. */
public record Pool(Function function, int kernelHeight, int kernelWidth, Window window) implements Pooling {

    public Pool {
        if (kernelHeight < 1 || kernelWidth < 1) {
            throw new IllegalArgumentException(
                    "a pooling needs a kernel of at least one tap, got " + kernelHeight + "x" + kernelWidth);
        }
    }

    @Override
    public String name() {
        return "pool";
    }

    @Override
    public Bins rows(Shape x) {
        return bins(x, 2, window.height(), kernelHeight);
    }

    @Override
    public Bins columns(Shape x) {
        return bins(x, 3, window.width(), kernelWidth);
    }

    private Bins bins(Shape x, int dimension, Window.Axis axis, int kernel) {
        int in = x.get(dimension);
        Require.that(
                axis.fits(in, kernel),
                "pool: the %dx%d kernel does not fit into x %s with %s",
                kernelHeight,
                kernelWidth,
                x,
                window);
        long extent = axis.dilation() * (kernel - 1L) + 1;
        Bins bins = 2L * Math.max(axis.padBefore(), axis.padAfter()) <= extent
                ? Bins.sliding(axis, kernel, in, function == Function.AVERAGE)
                : null;
        Require.that(
                bins != null && Arrays.stream(bins.count()).allMatch(count -> count > 0),
                "pool: the %dx%d kernel sees too little of x %s with %s; pad by no more than half of it",
                kernelHeight,
                kernelWidth,
                x,
                window);
        return Objects.requireNonNull(bins);
    }

    @Override
    public String toString() {
        return text() + "[" + kernelHeight + "x" + kernelWidth + ", " + window + "]";
    }
}
