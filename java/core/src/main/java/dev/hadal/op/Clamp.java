package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** y = min(max(x, min), max), elementwise; dx = dy where min ≤ x ≤ max, else 0. Infinite bounds do not bound. */
public record Clamp(float min, float max) implements Op {

    public Clamp {
        if (!(min <= max)) {
            throw new IllegalArgumentException("clamp takes min <= max, got " + min + " and " + max);
        }
    }

    @Override
    public String name() {
        return "clamp";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x");
        Require.f32(name(), "x", in.get(0));
        return in;
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        Value x = y.input(0);
        Value zero = Constant.f32(x.graph(), Shape.SCALAR, 0);
        Value low = Constant.f32(x.graph(), Shape.SCALAR, min);
        Value high = Constant.f32(x.graph(), Shape.SCALAR, max);
        Value below = new Where()
                .of(new Compare(Compare.Function.LESS_OR_EQUAL).of(x, high), Objects.requireNonNull(dy.get(0)), zero);
        return List.of(new Where().of(new Compare(Compare.Function.GREATER_OR_EQUAL).of(x, low), below, zero));
    }

    @Override
    public String toString() {
        return name() + "(" + min + ", " + max + ")";
    }
}
