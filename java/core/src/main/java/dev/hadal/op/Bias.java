package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** y = x + b along the channels, with x: [N,C,…] and b: [C]. */
public record Bias() implements Op {

    @Override
    public String name() {
        return "bias";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x", "b");
        Shape x = Require.f32(name(), "x", in.get(0));
        Require.that(x.rank() >= 2, "bias: x must be [N,C,…], but is %s", x);
        Require.f32(name(), "b", in.get(1), Shape.of(x.get(1)));
        return List.of(in.get(0));
    }

    /** Each value that a max pool hands back is one that it was handed, so these have the same sum, and are fewer. */
    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        Value g = Objects.requireNonNull(dy.get(0));
        boolean pooled = g.node().op() instanceof Pooling.MaxBackward;
        return List.of(g, new Backward().of(pooled ? g.node().input(0) : g));
    }

    @Override
    public String toString() {
        return name();
    }

    /** db: [C] = Σ dy over every axis but the channels. */
    public record Backward() implements Op {
        @Override
        public String name() {
            return "bias_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "dy");
            Shape dy = Require.f32(name(), "dy", in.get(0));
            Require.that(dy.rank() >= 2, "bias_backward: dy must be [N,C,…], but is %s", dy);
            return List.of(Type.f32(dy.get(1)));
        }

        @Override
        public String toString() {
            return name();
        }
    }
}
