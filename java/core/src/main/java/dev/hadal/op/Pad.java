package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * x with so many more places before and after it along each axis, which all hold one value.
 *
 * @param value for an i32 operand, a whole number
 */
public record Pad(List<Integer> before, List<Integer> after, float value) implements Move.Only {

    public Pad {
        before = List.copyOf(before);
        after = List.copyOf(after);
        boolean negative =
                before.stream().anyMatch(p -> p < 0) || after.stream().anyMatch(p -> p < 0);
        if (before.size() != after.size() || negative) {
            throw new IllegalArgumentException(
                    "pad takes as many paddings before as after, all of them >= 0, got " + before + " and " + after);
        }
    }

    @Override
    public String name() {
        return "pad";
    }

    @Override
    public float filling() {
        return value;
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x");
        Type x = in.get(0);
        Require.that(
                x.dtype() != DType.I32 || value == (int) value,
                "pad: x is %s, which cannot hold %s; f32 could",
                x,
                value);
        return List.of(new Type(x.dtype(), padded(x.shape())));
    }

    private Shape padded(Shape x) {
        Require.that(x.rank() == before.size(), "pad: x %s has not the rank of the padding %s", x, before);
        List<Integer> dims = new ArrayList<>();
        for (int axis = 0; axis < x.rank(); axis++) {
            dims.add(Math.addExact(Math.addExact(x.get(axis), before.get(axis)), after.get(axis)));
        }
        return new Shape(dims);
    }

    @Override
    public List<Move> moves(List<Type> in, List<Type> out) {
        Shape x = in.get(0).shape();
        return List.of(new Move(0, 0, x.dims(), Move.Grid.whole(x), Move.Grid.dense(before)));
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        return List.of(new Backward(this, y.input(0).shape()).of(Objects.requireNonNull(dy.get(0))));
    }

    @Override
    public String toString() {
        return "pad" + before + after + (value == 0 ? "" : " with " + value);
    }

    /** dx: what dy holds in the places of x. */
    public record Backward(Pad forward, Shape x) implements Move.Only {
        @Override
        public String name() {
            return "pad_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "dy");
            Require.f32(name(), "dy", in.get(0), forward.padded(x));
            return List.of(Type.f32(x));
        }

        @Override
        public List<Move> moves(List<Type> in, List<Type> out) {
            return List.of(new Move(0, 0, x.dims(), Move.Grid.dense(forward.before), Move.Grid.whole(x)));
        }

        @Override
        public String toString() {
            return forward + " backward";
        }
    }
}
