package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** y = f(a, b), elementwise, of two f32 operands that broadcast as in NumPy. */
public record Binary(Function function) implements Op {

    /** The functions; gradients are summed back to each operand's shape. */
    public enum Function {
        /** y = a + b; da = dy, db = dy */
        ADD,
        /** y = a − b; da = dy, db = −dy */
        SUB,
        /** y = a·b; da = dy·b, db = dy·a */
        MUL,
        /** y = a/b; da = dy/b, db = −dy·y/b */
        DIV,
        /** y = aᵇ; da = dy·b·aᵇ⁻¹, 0 where b = 0; db = dy·y·ln a, 0 where a = 0 */
        POW,
        /** y = min(a, b); dy goes to the smaller, half to each where they are equal */
        MIN,
        /** y = max(a, b); dy goes to the larger, half to each where they are equal */
        MAX
    }

    static Value mul(Value a, Value b) {
        return new Binary(Function.MUL).of(a, b);
    }

    static Value div(Value a, Value b) {
        return new Binary(Function.DIV).of(a, b);
    }

    @Override
    public String name() {
        return "binary";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "a", "b");
        Shape a = Require.f32(name(), "a", in.get(0));
        Shape b = Require.f32(name(), "b", in.get(1));
        return List.of(Type.f32(new Shape(Broadcast.dims(name(), "a", a, "b", b, 0))));
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        Value a = y.input(0);
        Value b = y.input(1);
        List<Value> full = full(a, b, y.output(0), Objects.requireNonNull(dy.get(0)));
        return List.of(Broadcast.sum(full.get(0), a.shape()), Broadcast.sum(full.get(1), b.shape()));
    }

    /** The gradients before they are summed. */
    private List<Value> full(Value a, Value b, Value y, Value dy) {
        return switch (function) {
            case ADD -> List.of(dy, dy);
            case SUB -> List.of(dy, Unary.scaled(-1, dy));
            case MUL -> List.of(mul(dy, b), mul(dy, a));
            case DIV -> List.of(div(dy, b), Unary.scaled(-1, div(mul(dy, y), b)));
            case POW -> power(a, b, y, dy);
            case MIN -> List.of(share(Compare.Function.LESS, a, b, dy), share(Compare.Function.LESS, b, a, dy));
            case MAX -> List.of(share(Compare.Function.GREATER, a, b, dy), share(Compare.Function.GREATER, b, a, dy));
        };
    }

    private static List<Value> power(Value a, Value b, Value y, Value dy) {
        Value zero = Constant.f32(a.graph(), Shape.SCALAR, 0);
        Value one = Constant.f32(a.graph(), Shape.SCALAR, 1);
        Compare equal = new Compare(Compare.Function.EQUAL);
        Value slope = mul(b, new Binary(Function.POW).of(a, new Binary(Function.SUB).of(b, one)));
        Value da = mul(dy, new Where().of(equal.of(b, zero), zero, slope));
        Value logarithm = new Where().of(equal.of(a, zero), zero, new Unary(Unary.Function.LOG).of(a));
        return List.of(da, mul(mul(dy, y), logarithm));
    }

    /** dy where a wins, half of it where the two are equal. */
    private static Value share(Compare.Function wins, Value a, Value b, Value dy) {
        Value zero = Constant.f32(a.graph(), Shape.SCALAR, 0);
        Value tie = new Where().of(new Compare(Compare.Function.EQUAL).of(a, b), Unary.scaled(0.5f, dy), zero);
        return new Where().of(new Compare(wins).of(a, b), dy, tie);
    }

    @Override
    public String toString() {
        return function.name().toLowerCase(Locale.ROOT);
    }
}
