package dev.hadal.op;

import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import java.util.List;
import java.util.Locale;

/** y = what the integers x stand for: from s8 or u8 to f32. */
public record Dequantize(Quantization from) implements Op {

    public Dequantize {
        Quantize.requireSome("dequantize", from);
    }

    @Override
    public String name() {
        return "dequantize";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x");
        Type x = in.get(0);
        Require.that(
                x.dtype() == from.dtype(),
                "%s: x must be %s, but is %s",
                name(),
                from.dtype().name().toLowerCase(Locale.ROOT),
                x);
        from.check(name() + ": x", x.shape());
        return List.of(Type.f32(x.shape()));
    }

    @Override
    public String toString() {
        return name() + "[" + from + "]";
    }
}
