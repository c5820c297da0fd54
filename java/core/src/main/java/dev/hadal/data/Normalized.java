package dev.hadal.data;

import dev.hadal.tensor.Shape;

/** Another data set, each sample normalised as it is read. */
final class Normalized implements Dataset {
    private final Dataset source;
    private final Normalization normalization;
    private final Shape shape;

    Normalized(Dataset source, Normalization normalization) {
        this.source = source;
        this.normalization = normalization;
        this.shape = source.shape();
        normalization.check(shape);
    }

    @Override
    public int size() {
        return source.size();
    }

    @Override
    public Shape shape() {
        return shape;
    }

    @Override
    public int classes() {
        return source.classes();
    }

    @Override
    public void copy(int index, float[] into, int offset) {
        source.copy(index, into, offset);
        normalization.apply(into, offset, shape);
    }

    @Override
    public int label(int index) {
        return source.label(index);
    }
}
