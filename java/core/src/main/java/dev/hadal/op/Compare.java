package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** y = 1 where the comparison of a and b holds, else 0; i32, of two f32 operands that broadcast as in NumPy. */
public record Compare(Function function) implements Op {

    /** The comparisons; NaN is not equal to anything, and neither less nor greater. */
    public enum Function {
        EQUAL,
        NOT_EQUAL,
        LESS,
        LESS_OR_EQUAL,
        GREATER,
        GREATER_OR_EQUAL
    }

    @Override
    public String name() {
        return "compare";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "a", "b");
        Shape a = Require.f32(name(), "a", in.get(0));
        Shape b = Require.f32(name(), "b", in.get(1));
        return List.of(new Type(DType.I32, new Shape(Broadcast.dims(name(), "a", a, "b", b, 0))));
    }

    /** None: it is flat wherever it does not jump. */
    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        return Arrays.asList(null, null);
    }

    @Override
    public String toString() {
        return function.name().toLowerCase(Locale.ROOT);
    }
}
