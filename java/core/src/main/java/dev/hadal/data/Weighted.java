package dev.hadal.data;

import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.List;

/** Another data set, each sample with a weight: its own, or that of its class. */
final class Weighted implements Dataset {
    private final Dataset source;
    private final float[] weights;
    private final boolean byClass;
    private final List<Field> fields;

    Weighted(Dataset source, float[] weights, boolean byClass) {
        int needed = byClass ? source.classes() : source.size();
        if (weights.length != needed) {
            throw new IllegalArgumentException(weights.length + " weights for " + needed + " "
                    + (byClass ? "classes" : "samples") + "; one for each is needed");
        }
        for (int i = 0; i < weights.length; i++) {
            if (!(weights[i] >= 0 && Float.isFinite(weights[i]))) {
                throw new IllegalArgumentException(
                        "weight " + i + " is " + weights[i] + ", but a finite one of at least 0 is needed");
            }
        }
        if (source.has(WEIGHT)) {
            throw new IllegalArgumentException("these samples have weights already: " + source.fields());
        }
        this.source = source;
        this.weights = weights.clone();
        this.byClass = byClass;
        List<Field> all = new ArrayList<>(source.fields());
        all.add(Field.floats(WEIGHT, Shape.SCALAR));
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
        source.read(index, row);
        row.set(WEIGHT, weights[byClass ? label(row) : index]);
    }

    private int label(Row row) {
        int label = row.ints(TARGET)[row.offset(TARGET)];
        if (!Labels.valid(label, weights.length)) {
            throw new IllegalArgumentException("the class in " + TARGET + " is " + Labels.range(label, weights.length));
        }
        return label;
    }

    @Override
    public int label(int index) {
        return source.label(index);
    }
}
