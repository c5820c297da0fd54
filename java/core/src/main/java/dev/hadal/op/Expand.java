package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * x repeated along axes of one element, up to the given dimensions, with axes aligned at the last as in NumPy. As in
 * PyTorch, −1 keeps the operand's dimension, so that a saved network takes any batch size.
 */
public record Expand(List<Integer> dims) implements Op {

    public Expand {
        dims = List.copyOf(dims);
        if (dims.stream().anyMatch(d -> d < -1)) {
            throw new IllegalArgumentException("expand takes dimensions >= 0, or -1 to keep one, got " + dims);
        }
    }

    @Override
    public String name() {
        return "expand";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x");
        Shape x = in.get(0).shape();
        int missing = dims.size() - x.rank();
        Require.that(missing >= 0, "expand: x %s has more axes than %s", x, dims);
        List<Integer> y = new ArrayList<>();
        for (int axis = 0; axis < dims.size(); axis++) {
            int wanted = dims.get(axis);
            Require.that(
                    axis >= missing || wanted != -1, "expand: x %s has no axis to keep at %d of %s", x, axis, dims);
            int given = axis < missing ? 1 : x.get(axis - missing);
            Require.that(
                    wanted == -1 || given == 1 || given == wanted,
                    "expand: x %s does not broadcast to %s, %d against %d",
                    x,
                    dims,
                    given,
                    wanted);
            y.add(wanted == -1 ? given : wanted);
        }
        return List.of(new Type(in.get(0).dtype(), new Shape(y)));
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        return List.of(
                Broadcast.sum(Objects.requireNonNull(dy.get(0)), y.input(0).shape()));
    }

    @Override
    public String toString() {
        return name() + dims;
    }

    /** dx = Σ dy over all that x was repeated for. */
    public record Backward(Shape x) implements Op {
        @Override
        public String name() {
            return "expand_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "dy");
            Shape dy = Require.f32(name(), "dy", in.get(0));
            int missing = dy.rank() - x.rank();
            boolean fits = missing >= 0;
            for (int axis = 0; fits && axis < x.rank(); axis++) {
                fits = x.get(axis) == 1 || x.get(axis) == dy.get(missing + axis);
            }
            Require.that(fits, "expand_backward: dy %s is no expansion of x %s", dy, x);
            return List.of(Type.f32(x));
        }

        @Override
        public String toString() {
            return name() + x;
        }
    }
}
