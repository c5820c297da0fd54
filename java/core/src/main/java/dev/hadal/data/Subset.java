package dev.hadal.data;

import dev.hadal.tensor.Shape;

/** Some samples of another data set, by their indices there. */
final class Subset implements Dataset {
    private final Dataset source;
    private final int[] indices;

    Subset(Dataset source, int[] indices) {
        this.source = source;
        this.indices = indices.clone();
        for (int index : indices) {
            if (index < 0 || index >= source.size()) {
                throw new IndexOutOfBoundsException(
                        "sample " + index + " of a data set that has " + source.size() + " samples");
            }
        }
    }

    static void checkCount(int count, Dataset source) {
        if (count < 0 || count > source.size()) {
            throw new IllegalArgumentException(
                    "cannot take " + count + " samples from a data set that has " + source.size());
        }
    }

    @Override
    public int size() {
        return indices.length;
    }

    @Override
    public Shape shape() {
        return source.shape();
    }

    @Override
    public int classes() {
        return source.classes();
    }

    @Override
    public void copy(int index, float[] into, int offset) {
        source.copy(indices[index], into, offset);
    }

    @Override
    public int label(int index) {
        return source.label(indices[index]);
    }
}
