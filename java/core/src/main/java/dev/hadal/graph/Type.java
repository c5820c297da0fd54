package dev.hadal.graph;

import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** What is known of a value before it is computed. */
public record Type(DType dtype, Shape shape) {

    public static Type f32(Shape shape) {
        return new Type(DType.F32, shape);
    }

    public static Type f32(int... dims) {
        return f32(Shape.of(dims));
    }

    public static Type i32(int... dims) {
        return new Type(DType.I32, Shape.of(dims));
    }

    /** Bytes of the values in row-major order. */
    public long bytes() {
        return (long) shape.size() * dtype.bytes();
    }

    // Written out for a fast start, as Value's.
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Type t && t.dtype == dtype && t.shape.equals(shape);
    }

    @Override
    public int hashCode() {
        return 31 * dtype.hashCode() + shape.hashCode();
    }

    @Override
    public String toString() {
        return dtype.name().toLowerCase(Locale.ROOT) + shape;
    }
}
