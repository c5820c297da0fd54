package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.tensor.Shape;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** y = f(x), elementwise, for the functions of a calculator; {@link Activation} has those of networks. */
public record Unary(Function function) implements Op {

    /** The functions, each with its gradient. */
    public enum Function {
        /** y = eˣ; dx = dy·y */
        EXP,
        /** y = ln x; dx = dy/x */
        LOG,
        /** y = √x; dx = dy/(2y) */
        SQRT,
        /** y = |x|; dx = dy·sign x, 0 at 0 */
        ABS,
        /** y = −x; dx = −dy */
        NEG,
        /** y = 1/x; dx = −dy·y² */
        RECIPROCAL
    }

    @Override
    public String name() {
        return "unary";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x");
        Require.f32(name(), "x", in.get(0));
        return in;
    }

    @Override
    public List<@Nullable Value> gradient(Node node, List<@Nullable Value> gradients) {
        Value x = node.input(0);
        Value y = node.output(0);
        Value dy = Objects.requireNonNull(gradients.get(0));
        return List.of(
                switch (function) {
                    case EXP -> Binary.mul(dy, y);
                    case LOG -> Binary.div(dy, x);
                    case SQRT -> scaled(0.5f, Binary.div(dy, y));
                    case ABS -> signed(x, dy);
                    case NEG -> scaled(-1, dy);
                    case RECIPROCAL -> scaled(-1, Binary.mul(Binary.mul(dy, y), y));
                });
    }

    /** dy·sign x */
    private static Value signed(Value x, Value dy) {
        Value zero = Constant.f32(x.graph(), Shape.SCALAR, 0);
        Value below = new Where().of(new Compare(Compare.Function.LESS).of(x, zero), scaled(-1, dy), zero);
        return new Where().of(new Compare(Compare.Function.GREATER).of(x, zero), dy, below);
    }

    static Value scaled(float factor, Value x) {
        return new WeightedSum(List.of(factor)).of(x);
    }

    @Override
    public String toString() {
        return function.name().toLowerCase(Locale.ROOT);
    }
}
