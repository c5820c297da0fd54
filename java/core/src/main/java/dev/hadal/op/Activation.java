package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** y = f(x), elementwise, where f′ can be told from y alone, so that x need not be kept for the backward pass. */
public record Activation(Function function) implements Op {

    /** The functions, each with its derivative in terms of y. */
    public enum Function {
        /** y = max(x, 0); y′ = [y > 0] */
        RELU,
        /** y = 1 / (1 + e⁻ˣ); y′ = y·(1 − y) */
        SIGMOID,
        /** y = tanh x; y′ = 1 − y² */
        TANH
    }

    @Override
    public String name() {
        return "activation";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x");
        Require.f32(name(), "x", in.get(0));
        return in;
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        return List.of(new Backward(function).of(y.output(0), Objects.requireNonNull(dy.get(0))));
    }

    @Override
    public String toString() {
        return function.name().toLowerCase(Locale.ROOT);
    }

    /** dx = f′(y)·dy, from y and dy. */
    public record Backward(Function function) implements Op {
        @Override
        public String name() {
            return "activation_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "y", "dy");
            Require.f32(name(), "dy", in.get(1), Require.f32(name(), "y", in.get(0)));
            return List.of(in.get(0));
        }

        @Override
        public String toString() {
            return function.name().toLowerCase(Locale.ROOT) + "_backward";
        }
    }
}
