package dev.hadal.data;

import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import org.jspecify.annotations.Nullable;

/**
 * One sample of a batch, as an {@link Augmentation} sees it: its values, to be changed in place, and random numbers of
 * its own. What is drawn depends on the seed, the epoch and the sample's index alone, never on threads or order. One
 * object serves a thread for all its samples.
 */
public final class Sample {
    /** Room for 2³⁰ draws between one sample's and the next's in an epoch's stream. */
    private static final int DRAW_BITS = 30;

    private final Shape shape;
    private final long seed;

    private float[] values = {};
    private int offset;
    private int epoch = -1;
    private @Nullable Philox random;
    private long next;

    Sample(Shape shape, long seed) {
        this.shape = shape;
        this.seed = seed;
    }

    /** From now on the sample of that index, which lies at {@code values[offset …]}. */
    Sample at(int epoch, int index, float[] values, int offset) {
        if (this.epoch != epoch || random == null) {
            this.epoch = epoch;
            random = new Philox(seed, Philox.streamOf("augmentation " + epoch));
        }
        this.values = values;
        this.offset = offset;
        this.next = (long) index << DRAW_BITS;
        return this;
    }

    /** The array in which the sample lies, with others around it. */
    public float[] values() {
        return values;
    }

    /** Where in {@link #values()} the sample begins. */
    public int offset() {
        return offset;
    }

    /** The sample's shape: [C,H,W] for an image. */
    public Shape shape() {
        return shape;
    }

    /** Draws an integer from 0 … bound − 1, all equally likely. */
    public int below(int bound) {
        return random().below(bound, next++);
    }

    /** Draws from a uniform distribution over [0, 1). */
    public float uniform() {
        return random().uniform(next++);
    }

    /** Draws from a standard normal distribution. */
    public float normal() {
        long pair = (next + 1) >>> 1;
        next = 2 * pair + 2;
        return random().normal(pair);
    }

    private Philox random() {
        if (random == null) {
            throw new IllegalStateException("this sample stands for none yet");
        }
        return random;
    }
}
