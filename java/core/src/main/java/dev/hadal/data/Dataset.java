package dev.hadal.data;

import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Labelled samples of one shape, found by index. Implement it to read from anywhere; sizes and shapes must not change,
 * and several threads may read at once. A source that reads files may throw {@link java.io.UncheckedIOException}.
 */
public interface Dataset {

    /** How many samples there are. */
    int size();

    /** The shape of one sample, without a batch dimension: [C,H,W] for an image. */
    Shape shape();

    /** Labels are 0 … classes − 1. */
    int classes();

    /** Copies the values of a sample, in row-major order, to {@code into[offset …]}. */
    void copy(int index, float[] into, int offset);

    int label(int index);

    /**
     * The samples x: [N,…] with their labels.
     *
     * @throws IllegalArgumentException if there are not N labels, or one is not in 0 … classes − 1
     */
    static Dataset of(Tensor x, int classes, int... labels) {
        return new InMemory(x, classes, labels);
    }

    /** The first {@code count} samples. */
    default Dataset take(int count) {
        Subset.checkCount(count, this);
        return new Subset(this, IntStream.range(0, count).toArray());
    }

    /** The samples with these indices, in this order; an index may come more than once. */
    default Dataset subset(int... indices) {
        return new Subset(this, indices);
    }

    /** Draws {@code count} samples at random, without replacement. */
    default Split split(int count, long seed) {
        Subset.checkCount(count, this);
        int[] order = IntStream.range(0, size()).toArray();
        new Philox(seed, Philox.streamOf("split")).shuffle(order);
        return new Split(subset(Arrays.copyOf(order, count)), subset(Arrays.copyOfRange(order, count, order.length)));
    }

    /** The same samples, normalised. Learn the normalisation from the training data, and test with that same one. */
    default Dataset normalized(Normalization normalization) {
        return new Normalized(this, normalization);
    }

    /** The samples that {@link #split} drew, and those it left. */
    record Split(Dataset drawn, Dataset rest) {}
}
