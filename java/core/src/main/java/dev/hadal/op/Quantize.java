package dev.hadal.op;

import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import java.util.List;

/** y = the integers for x: from f32 to s8 or u8. Rounding has no gradient. */
public record Quantize(Quantization to) implements Op {

    public Quantize {
        requireSome("quantize", to);
    }

    static void requireSome(String op, Quantization quantization) {
        if (!quantization.quantizes()) {
            throw new IllegalArgumentException(op + " needs a quantization to s8 or u8");
        }
    }

    @Override
    public String name() {
        return "quantize";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x");
        to.check(name() + ": x", Require.f32(name(), "x", in.get(0)));
        return List.of(to.narrowed(in.get(0)));
    }

    @Override
    public String toString() {
        return name() + "[" + to + "]";
    }
}
