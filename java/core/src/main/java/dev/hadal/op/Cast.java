package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.DType;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * x in another type: to i32 by dropping the fraction, as PyTorch (the nearest i32 where it is out of range, and 0 for
 * NaN), to f32 by rounding. Its gradient goes through where both are f32, and there is none elsewhere.
 */
public record Cast(DType dtype) implements Op {

    @Override
    public String name() {
        return "cast";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x");
        return List.of(new Type(dtype, in.get(0).shape()));
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        boolean same = dtype == DType.F32 && y.input(0).type().dtype() == DType.F32;
        return Arrays.asList(same ? dy.get(0) : null);
    }

    @Override
    public String toString() {
        return name() + "[" + dtype.name().toLowerCase(Locale.ROOT) + "]";
    }
}
