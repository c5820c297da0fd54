package dev.hadal.data;

import dev.hadal.tensor.Shape;

/**
 * One sample of a batch, as an {@link Augmentation} sees it: the values of its field {@value Dataset#X}, to be changed
 * in place, and random numbers of its own. What is drawn depends on the seed, the epoch and the sample's index alone,
 * never on threads or order. (Of {@linkplain Batching#balanced balanced} batches, which may hold a sample twice, on its
 * place in the epoch.) One object serves a thread for all its samples.
 */
public final class Sample {
    private final Shape shape;
    private final Draws draws;

    private float[] values = {};
    private int offset;
    private float[] scratch = {};

    Sample(Shape shape, long seed) {
        this.shape = shape;
        this.draws = new Draws(seed, "augmentation");
    }

    /** From now on the sample of that index, which lies at {@code values[offset …]}. */
    Sample at(int epoch, int index, float[] values, int offset) {
        draws.at(epoch, index);
        this.values = values;
        this.offset = offset;
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

    /**
     * The sample's shape, for an augmentation of images.
     *
     * @throws IllegalArgumentException if it is not [C,H,W]
     */
    public Shape image() {
        if (shape.rank() != 3) {
            throw new IllegalArgumentException("this augmentation takes samples [C,H,W], got " + shape);
        }
        return shape;
    }

    /** Room for a copy of the sample, to be used within one augmentation. */
    public float[] scratch() {
        if (scratch.length < shape.size()) {
            scratch = new float[shape.size()];
        }
        return scratch;
    }

    /** Random numbers for this sample. */
    public Draws draws() {
        return draws;
    }

    /** Draws an integer from 0 … bound − 1, all equally likely. */
    public int below(int bound) {
        return draws.below(bound);
    }

    /** Draws from a uniform distribution over [0, 1). */
    public float uniform() {
        return draws.uniform();
    }

    /** Draws from a standard normal distribution. */
    public float normal() {
        return draws.normal();
    }
}
