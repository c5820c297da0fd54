package dev.hadal.data;

import dev.hadal.tensor.DType;
import java.util.List;

/** Another data set, one field of each sample normalised as it is read. */
final class Normalized implements Dataset {
    private final Dataset source;
    private final Field field;
    private final Normalization normalization;

    Normalized(Dataset source, String name, Normalization normalization) {
        this.source = source;
        this.field = source.field(name);
        this.normalization = normalization;
        if (field.dtype() != DType.F32) {
            throw new IllegalArgumentException("an f32 field can be normalised, but not " + field);
        }
        normalization.check(field.shape());
    }

    @Override
    public int size() {
        return source.size();
    }

    @Override
    public List<Field> fields() {
        return source.fields();
    }

    @Override
    public void read(int index, Row row) {
        source.read(index, row);
        normalization.apply(row.floats(field.name()), row.offset(field.name()), field.shape());
    }

    @Override
    public int label(int index) {
        return source.label(index);
    }
}
