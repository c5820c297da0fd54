package dev.hadal.data;

import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Another data set, each class index of its target a distribution over the classes. */
final class OneHot implements Dataset {
    private final Dataset source;
    private final Field labels;
    private final List<Field> fields;

    OneHot(Dataset source) {
        this.source = source;
        this.labels = source.field(TARGET);
        if (labels.classes() == 0) {
            throw new IllegalArgumentException("class indices are needed, but the field is " + labels);
        }
        List<Integer> dims = new ArrayList<>(labels.shape().dims());
        dims.add(labels.classes());
        List<Field> all = new ArrayList<>(source.fields());
        all.set(all.indexOf(labels), Field.floats(TARGET, new Shape(dims)));
        this.fields = List.copyOf(all);
    }

    @Override
    public int size() {
        return source.size();
    }

    @Override
    public List<Field> fields() {
        return fields;
    }

    @Override
    public void read(int index, Row row) {
        Row indices = row.with(labels);
        source.read(index, indices);
        int[] from = indices.ints(TARGET);
        float[] to = row.floats(TARGET);
        int first = indices.offset(TARGET);
        int count = labels.shape().size();
        int classes = labels.classes();
        Arrays.fill(to, row.offset(TARGET), row.offset(TARGET) + count * classes, 0);
        for (int i = 0; i < count; i++) {
            int label = from[first + i];
            if (!Labels.valid(label, classes)) {
                throw new IllegalArgumentException("the class in " + TARGET + " is " + Labels.range(label, classes));
            }
            to[row.offset(TARGET) + i * classes + label] = 1;
        }
    }

    @Override
    public int label(int index) {
        return source.label(index);
    }
}
