package dev.hadal.tensor;

import java.util.ArrayList;
import java.util.List;
import java.util.StringJoiner;
import org.jspecify.annotations.Nullable;

/**
 * An immutable list of dimensions, outermost first; {@code []} is a scalar. A shape never holds more than
 * 2³¹ − 1 elements, so that an element's index always fits an {@code int}.
 */
public record Shape(List<Integer> dims) {

    public static final Shape SCALAR = new Shape(List.of());

    /**
     * @throws IllegalArgumentException if a dimension is negative, or the elements exceed 2³¹ − 1
     */
    public Shape {
        dims = List.copyOf(dims);
        long size = 1;
        for (int d : dims) {
            if (d < 0) {
                throw new IllegalArgumentException("shape " + dims + " has a negative dimension");
            }
            size = size > Integer.MAX_VALUE ? size : size * Math.max(d, 1); // beside a 0, too: see sizeFrom
        }
        if (size > Integer.MAX_VALUE) {
            throw new IllegalArgumentException("shape " + dims + " has more than 2^31 - 1 elements");
        }
    }

    public static Shape of(int... dims) {
        Integer[] boxed = new Integer[dims.length]; // without a stream: direct kernels make shapes by the million
        for (int i = 0; i < dims.length; i++) {
            boxed[i] = dims[i];
        }
        return new Shape(List.of(boxed));
    }

    public int get(int axis) {
        return dims.get(axis);
    }

    public int rank() {
        return dims.size();
    }

    /** The number of elements: the product of the dimensions, 1 for a scalar. */
    public int size() {
        return sizeFrom(0);
    }

    /** The product of the dimensions from {@code axis} on: the stride of {@code axis - 1} in row-major order. */
    public int sizeFrom(int axis) {
        int size = 1;
        for (int i = axis; i < dims.size(); i++) {
            size *= dims.get(i);
        }
        return size;
    }

    /** The product of some dimensions, 1 for none. */
    public static int product(List<Integer> dims) {
        return new Shape(dims).size();
    }

    /** Whether this is a batch, of at least one, of samples of that shape. */
    public boolean isBatchOf(Shape sample) {
        boolean alike = rank() == sample.rank() + 1 && get(0) >= 1;
        for (int i = 0; alike && i < sample.rank(); i++) {
            alike = get(i + 1) == sample.get(i);
        }
        return alike;
    }

    /** This shape with one dimension replaced. */
    public Shape with(int axis, int dim) {
        List<Integer> changed = new ArrayList<>(dims);
        changed.set(axis, dim);
        return new Shape(changed);
    }

    /** This shape with a new outermost dimension, such as a batch. */
    public Shape prepend(int dim) {
        List<Integer> longer = new ArrayList<>(rank() + 1);
        longer.add(dim);
        longer.addAll(dims);
        return new Shape(longer);
    }

    // Written out for a fast start, as dev.hadal.graph.Value's.
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Shape s && s.dims.equals(dims);
    }

    @Override
    public int hashCode() {
        return dims.hashCode();
    }

    @Override
    public String toString() {
        StringJoiner text = new StringJoiner(",", "[", "]");
        for (int d : dims) {
            text.add(String.valueOf(d));
        }
        return text.toString();
    }
}
