package dev.hadal.data;

import java.util.List;

/** Some samples of another data set, by their indices there. */
final class Subset implements Dataset {
    private final Dataset source;
    private final int[] indices;

    Subset(Dataset source, int[] indices) {
        this.source = source;
        this.indices = indices.clone();
        for (int index : indices) {
            checkIndex(index, source);
        }
    }

    static int checkIndex(int index, Dataset source) {
        if (index < 0 || index >= source.size()) {
            throw new IndexOutOfBoundsException(
                    "sample " + index + " of a data set that has " + source.size() + " samples");
        }
        return index;
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
    public List<Field> fields() {
        return source.fields();
    }

    @Override
    public void read(int index, Row row) {
        source.read(indices[index], row);
    }

    @Override
    public int label(int index) {
        return source.label(indices[index]);
    }
}
