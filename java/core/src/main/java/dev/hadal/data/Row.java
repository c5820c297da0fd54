package dev.hadal.data;

import dev.hadal.tensor.DType;
import org.jspecify.annotations.Nullable;

/**
 * One sample's place in a batch, into which a {@link Dataset} writes it. The values of a field lie at
 * {@code floats(field)[offset(field) …]}, or {@code ints}, in row-major order, with other samples around them.
 */
public final class Row {
    private Batch batch;
    private int row;
    private @Nullable Row other;
    private @Nullable Batch otherOf;

    Row(Batch batch) {
        this.batch = batch;
    }

    Row at(Batch batch, int row) {
        this.batch = batch;
        this.row = row;
        return this;
    }

    /** The same sample's place in a batch that has the same tensors, but for one field that has its own, of another type. */
    @SuppressWarnings("ReferenceEquality") // the very batch that the other was made of
    Row with(Field field) {
        if (other == null || otherOf != batch) {
            other = new Row(batch.with(field));
            otherOf = batch;
        }
        return other.at(other.batch, row);
    }

    /** The array in which an f32 field lies. */
    public float[] floats(String field) {
        return batch.get(field).floats();
    }

    /** The array in which an i32 field lies. */
    public int[] ints(String field) {
        return batch.get(field).ints();
    }

    /** Where in its array this sample's part of a field begins. */
    public int offset(String field) {
        return row * batch.stride(field);
    }

    /** Writes a field of one number. */
    public void set(String field, float value) {
        floats(field)[single(field)] = value;
    }

    /** Writes a field of one number, f32 or i32. */
    public void set(String field, int value) {
        if (batch.get(field).dtype() == DType.F32) {
            set(field, (float) value);
        } else {
            ints(field)[single(field)] = value;
        }
    }

    /** Writes an f32 field from {@code values[from …]}. */
    public void copy(String field, float[] values, int from) {
        System.arraycopy(values, from, floats(field), offset(field), batch.stride(field));
    }

    /** Writes an i32 field from {@code values[from …]}. */
    public void copy(String field, int[] values, int from) {
        System.arraycopy(values, from, ints(field), offset(field), batch.stride(field));
    }

    private int single(String field) {
        if (batch.stride(field) != 1) {
            throw new IllegalArgumentException(
                    "field " + field + " takes " + batch.stride(field) + " values for a sample, not one");
        }
        return offset(field);
    }
}
