package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The slices of x along an axis that i32 indices of any shape name, as ONNX Gather: with x: [A…,D,B…] and indices: [I…],
 * y: [A…,I…,B…]. Each index must lie in 0 … D − 1; a run that meets another ends with an
 * {@link IndexOutOfBoundsException} that tells it. A negative axis counts from the last.
 */
public record Gather(int axis) implements Op {

    /**
     * The geometry that gathering and scattering share: x as [outer,rows,width], and how many indices.
     */
    public record Rows(String op, int outer, int rows, int width, int count) {
        static Rows of(String op, int axis, Shape x, Shape indices) {
            int at = Math.floorMod(axis, x.rank());
            int outer = Shape.product(x.dims().subList(0, at));
            return new Rows(op, outer, x.get(at), x.sizeFrom(at + 1), indices.size());
        }

        /** The error of an index that is none, at its position among the indices in row-major order. */
        public IndexOutOfBoundsException outside(int index, long position) {
            return new IndexOutOfBoundsException(
                    op + ": index " + index + " at position " + position + " lies outside of 0 … " + (rows - 1));
        }
    }

    @Override
    public String name() {
        return "gather";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x", "indices");
        Shape x = in.get(0).shape();
        Shape indices = indices(name(), in.get(1));
        return List.of(new Type(in.get(0).dtype(), gathered(Require.axis(name(), axis, "x", x), x, indices)));
    }

    static Shape indices(String op, Type indices) {
        Require.that(indices.dtype() == DType.I32, "%s: indices must be i32, but are %s", op, indices);
        return indices.shape();
    }

    static Shape gathered(int axis, Shape x, Shape indices) {
        List<Integer> dims = new ArrayList<>(x.dims().subList(0, axis));
        dims.addAll(indices.dims());
        dims.addAll(x.dims().subList(axis + 1, x.rank()));
        return new Shape(dims);
    }

    public Rows rows(Shape x, Shape indices) {
        return Rows.of(name(), axis, x, indices);
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        Value dx = new Backward(axis, y.input(0).shape()).of(Objects.requireNonNull(dy.get(0)), y.input(1));
        return Arrays.asList(dx, null);
    }

    @Override
    public String toString() {
        return name() + "[" + axis + "]";
    }

    /** dx: for each slice of x the sum of those of dy that it became, in the order of the indices; from dy and indices. */
    public record Backward(int axis, Shape x) implements Op {
        @Override
        public String name() {
            return "gather_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "dy", "indices");
            Shape indices = indices(name(), in.get(1));
            Require.f32(name(), "dy", in.get(0), gathered(Require.axis(name(), axis, "x", x), x, indices));
            return List.of(Type.f32(x));
        }

        public Rows rows(Shape indices) {
            return Rows.of(name(), axis, x, indices);
        }

        @Override
        public String toString() {
            return name() + "[" + axis + "]";
        }
    }
}
