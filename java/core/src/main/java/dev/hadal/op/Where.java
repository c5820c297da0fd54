package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** y = a where the condition is not 0, else b; an i32 condition and f32 a and b, that broadcast as in NumPy. */
public record Where() implements Op {

    @Override
    public String name() {
        return "where";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "condition", "a", "b");
        Require.that(in.get(0).dtype() == DType.I32, "where: condition must be i32, but is %s", in.get(0));
        Shape condition = in.get(0).shape();
        Shape a = Require.f32(name(), "a", in.get(1));
        Shape b = Require.f32(name(), "b", in.get(2));
        Shape chosen = new Shape(Broadcast.dims(name(), "a", a, "b", b, 0));
        return List.of(Type.f32(new Shape(Broadcast.dims(name(), "condition", condition, "the values", chosen, 0))));
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> gradients) {
        Value condition = y.input(0);
        Value dy = Objects.requireNonNull(gradients.get(0));
        Value zero = Constant.f32(dy.graph(), Shape.SCALAR, 0);
        return Arrays.asList(
                null,
                Broadcast.sum(of(condition, dy, zero), y.input(1).shape()),
                Broadcast.sum(of(condition, zero, dy), y.input(2).shape()));
    }

    @Override
    public String toString() {
        return name();
    }
}
