package dev.hadal.data;

import dev.hadal.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** Some samples: a tensor [B,…] for each of their fields. */
public final class Batch {
    private final int size;
    private final String[] names;
    private final Tensor[] tensors;
    /** How many values of each field a sample has. */
    private final int[] strides;

    private Batch(int size, String[] names, Tensor[] tensors) {
        this.size = size;
        this.names = names;
        this.tensors = tensors;
        this.strides = new int[tensors.length];
        for (int i = 0; i < tensors.length; i++) {
            strides[i] = tensors[i].shape().sizeFrom(1);
        }
    }

    /** Room for so many samples with these fields. */
    Batch(List<Field> fields, int size) {
        this(
                size,
                fields.stream().map(Field::name).toArray(String[]::new),
                fields.stream()
                        .map(f -> Tensor.zeros(f.dtype(), f.shape().prepend(size)))
                        .toArray(Tensor[]::new));
    }

    /** A batch with other fields of the same names. Those that are as they were share their tensors with this one. */
    Batch with(List<Field> before, List<Field> after) {
        Tensor[] changed = tensors.clone();
        for (int i = 0; i < changed.length; i++) {
            Field field = after.get(i);
            if (!field.name().equals(names[i])) {
                throw new IllegalArgumentException(
                        "a batch augmentation must keep the fields' names and order, but made " + after + " of "
                                + before);
            }
            if (!field.equals(before.get(i))) {
                changed[i] = Tensor.zeros(field.dtype(), field.shape().prepend(size));
            }
        }
        return new Batch(size, names, changed);
    }

    /** A batch with one field of another type, and the very tensors of the others. */
    Batch with(Field field) {
        Tensor[] changed = tensors.clone();
        changed[index(field.name())] = Tensor.zeros(field.dtype(), field.shape().prepend(size));
        return new Batch(size, names, changed);
    }

    /**
     * These tensors, by their fields' names; not copied.
     *
     * @throws IllegalArgumentException if there is none, or their first dimensions differ
     */
    public static Batch of(Map<String, Tensor> tensors) {
        return new Batch(
                Labels.samples(tensors),
                tensors.keySet().toArray(String[]::new),
                tensors.values().toArray(Tensor[]::new));
    }

    /** Inputs and what to make of them. */
    public static Batch of(Tensor x, Tensor target) {
        return of(Labels.inOrder(Dataset.X, x, Dataset.TARGET, target));
    }

    /** How many samples. */
    public int size() {
        return size;
    }

    /** The names of the fields. */
    public List<String> fields() {
        return List.of(names);
    }

    public boolean has(String field) {
        return find(field) >= 0;
    }

    /**
     * All samples' values of a field, [B, one sample's shape].
     *
     * @throws IllegalArgumentException if there is no such field
     */
    public Tensor get(String field) {
        return tensors[index(field)];
    }

    /** The field {@value Dataset#X}. */
    public Tensor x() {
        return get(Dataset.X);
    }

    /** The field {@value Dataset#TARGET}. */
    public Tensor target() {
        return get(Dataset.TARGET);
    }

    int stride(String field) {
        return strides[index(field)];
    }

    private int index(String field) {
        int i = find(field);
        if (i < 0) {
            throw new IllegalArgumentException("no field " + field + " among " + Arrays.toString(names));
        }
        return i;
    }

    private int find(String field) {
        for (int i = 0; i < names.length; i++) {
            if (names[i].equals(field)) {
                return i;
            }
        }
        return -1;
    }

    /** The same fields, with values equal bit by bit. */
    @Override
    public boolean equals(Object other) {
        return other instanceof Batch b && Arrays.equals(b.names, names) && Arrays.equals(b.tensors, tensors);
    }

    @Override
    public int hashCode() {
        return 31 * Arrays.hashCode(names) + Arrays.hashCode(tensors);
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder("batch of ").append(size).append(':');
        for (int i = 0; i < names.length; i++) {
            text.append(' ').append(names[i]).append(' ').append(tensors[i]);
        }
        return text.toString();
    }
}
