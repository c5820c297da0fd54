package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.DType;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * x in another type: to i32 by dropping the fraction, as PyTorch (the nearest i32 where it is out of range, and 0 for
 * NaN), to f32 and to bf16 by rounding to the nearest, ties to even. Its gradient is a cast back, between f32 and bf16;
 * there is none elsewhere.
 */
public record Cast(DType dtype) implements Op {

    @Override
    public String name() {
        return "cast";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x");
        Require.that(
                !in.get(0).dtype().isByte() && !dtype.isByte(),
                "cast: x %s cannot become %s; quantize and dequantize do that, with a scale",
                in.get(0),
                dtype);
        return List.of(new Type(dtype, in.get(0).shape()));
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        DType from = y.input(0).type().dtype();
        if (from == DType.I32 || dtype == DType.I32) {
            return Arrays.asList((Value) null);
        }
        Value g = Objects.requireNonNull(dy.get(0));
        return List.of(from == dtype ? g : new Cast(from).of(g));
    }

    @Override
    public String toString() {
        return name() + "[" + dtype.name().toLowerCase(Locale.ROOT) + "]";
    }
}
