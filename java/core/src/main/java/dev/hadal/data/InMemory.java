package dev.hadal.data;

import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Samples in tensors, one for each field. */
final class InMemory implements Dataset {
    private final int size;
    private final List<Field> fields;
    private final Tensor[] tensors;
    private final int target;

    /** @param classes of the field {@value Dataset#TARGET}, 0 if it is no class index */
    InMemory(Map<String, Tensor> tensors, int classes) {
        this.size = Labels.samples(tensors);
        this.tensors = tensors.values().toArray(Tensor[]::new);
        List<Field> all = new ArrayList<>();
        int at = -1;
        for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
            Tensor tensor = entry.getValue();
            Shape shape =
                    new Shape(tensor.shape().dims().subList(1, tensor.shape().rank()));
            boolean labels = classes > 0 && entry.getKey().equals(TARGET);
            at = labels ? all.size() : at;
            all.add(new Field(entry.getKey(), tensor.dtype(), shape, labels ? classes : 0));
        }
        this.fields = List.copyOf(all);
        this.target = at;
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public List<Field> fields() {
        return fields;
    }

    @Override
    public void read(int index, Row row) {
        for (int i = 0; i < tensors.length; i++) {
            Field field = fields.get(i);
            int from = index * field.shape().size();
            if (field.dtype() == DType.F32) {
                row.copy(field.name(), tensors[i].floats(), from);
            } else {
                row.copy(field.name(), tensors[i].ints(), from);
            }
        }
    }

    @Override
    public int label(int index) {
        return target >= 0 && fields.get(target).shape().rank() == 0
                ? tensors[target].ints()[index]
                : Dataset.super.label(index);
    }
}
