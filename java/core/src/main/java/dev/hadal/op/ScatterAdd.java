package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * x with updates added to the slices along an axis that i32 indices name: what {@link Gather} of y by the same indices
 * would read, updates are added to. With x: [A…,D,B…] and indices: [I…], updates: [A…,I…,B…] and y is as x. Updates of one
 * slice are added in the order of the indices, whatever the number of threads; each index must lie in 0 … D − 1, or the
 * run ends with an {@link IndexOutOfBoundsException}. A negative axis counts from the last.
 */
public record ScatterAdd(int axis) implements Op {

    @Override
    public String name() {
        return "scatter_add";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x", "indices", "updates");
        Shape x = Require.f32(name(), "x", in.get(0));
        Shape indices = Gather.indices(name(), in.get(1));
        int at = Require.axis(name(), axis, "x", x);
        Require.f32(name(), "updates", in.get(2), Gather.gathered(at, x, indices));
        return List.of(in.get(0));
    }

    /** The geometry of x and the indices. */
    public Gather.Rows rows(Shape x, Shape indices) {
        return Gather.Rows.of(name(), axis, x, indices);
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        Value g = Objects.requireNonNull(dy.get(0));
        return Arrays.asList(g, null, new Gather(axis).of(g, y.input(1)));
    }

    @Override
    public String toString() {
        return name() + "[" + axis + "]";
    }
}
