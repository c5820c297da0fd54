package dev.hadal.backend.jvm;

import dev.hadal.backend.jvm.simd.Loops;
import dev.hadal.backend.jvm.simd.Runs;
import dev.hadal.tensor.Shape;

/** Where each channel's values lie, and the loops over one channel. */
final class Channels {
    private final Runs runs;
    private final Runs first;
    /** From channel to channel. */
    private final int stride;

    private Channels(Runs runs, int first, int stride) {
        this.runs = runs;
        this.first = Runs.of(first);
        this.stride = stride;
    }

    /** As in [N,C,…]: a run per image. */
    static Channels of(Shape x) {
        int plane = x.sizeFrom(2);
        return new Channels(new Runs(x.get(0), x.sizeFrom(1), plane), plane, plane);
    }

    /** Each channel in one piece, image after image. */
    static Channels turned(Shape x) {
        int values = x.get(0) * x.sizeFrom(2);
        return new Channels(Runs.of(values), x.sizeFrom(2), values);
    }

    /** How many values a channel has. */
    double values() {
        return (double) runs.count() * runs.length();
    }

    private int at(Span x, int channel) {
        return x.offset() + channel * stride;
    }

    /** The mean of a channel in the first image. */
    float firstMean(Loops loops, double[] sums, int channel, Span x) {
        sums[0] = 0;
        loops.moments(first, x.floats(), at(x, channel), 0, sums);
        return (float) (sums[0] / first.length());
    }

    /** sums = Σ(x − s), Σ(x − s)² */
    void moments(Loops loops, double[] sums, int channel, Span x, float s) {
        sums[0] = 0;
        sums[1] = 0;
        loops.moments(runs, x.floats(), at(x, channel), s, sums);
    }

    /** sums = Σy, Σ(x − s)·y */
    void products(Loops loops, double[] sums, int channel, Span x, float s, Span y) {
        sums[0] = 0;
        sums[1] = 0;
        loops.products(runs, x.floats(), at(x, channel), s, y.floats(), at(y, channel), sums);
    }

    /** z = a·(x − s) + c */
    void scale(Loops loops, int channel, double a, Span x, float s, double c, Span z) {
        loops.scale(runs, (float) a, x.floats(), at(x, channel), s, (float) c, z.floats(), at(z, channel));
    }

    /** z = a·x + b·(y − s) + c */
    void combine(Loops loops, int channel, double a, Span x, double b, Span y, float s, double c, Span z) {
        loops.combine(
                runs,
                (float) a,
                x.floats(),
                at(x, channel),
                (float) b,
                y.floats(),
                at(y, channel),
                s,
                (float) c,
                z.floats(),
                at(z, channel));
    }
}
