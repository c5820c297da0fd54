package dev.hadal.graph;

import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.Locale;

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

    @Override
    public String toString() {
        return dtype.name().toLowerCase(Locale.ROOT) + shape;
    }
}
