package dev.hadal.data;

import dev.hadal.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What a {@link Csv} file holds: x is f32 [F], one value for each column but the target. */
public final class Table implements Dataset {
    private final Dataset data;
    private final List<String> columns;
    private final List<String> categories;

    Table(List<String> columns, Tensor x, @Nullable Tensor target, List<String> categories) {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put(X, x);
        if (target != null) {
            tensors.put(TARGET, target);
        }
        this.data = new InMemory(tensors, categories.size());
        this.columns = List.copyOf(columns);
        this.categories = List.copyOf(categories);
    }

    /** The names of the columns in x. */
    public List<String> columns() {
        return columns;
    }

    /** The names of the classes, by their indices; empty if the target is a number, or there is none. */
    public List<String> categories() {
        return categories;
    }

    @Override
    public int size() {
        return data.size();
    }

    @Override
    public List<Field> fields() {
        return data.fields();
    }

    @Override
    public void read(int index, Row row) {
        data.read(index, row);
    }

    @Override
    public int label(int index) {
        return data.label(index);
    }
}
