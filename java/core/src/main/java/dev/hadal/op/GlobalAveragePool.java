package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The mean over each channel's plane, with x: [N,C,H,W] and y: [N,C,1,1]. */
public record GlobalAveragePool() implements Op {

    @Override
    public String name() {
        return "global_average_pool";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x");
        Shape x = Require.f32(name(), "x", in.get(0), "N,C,H,W");
        return List.of(Type.f32(x.get(0), x.get(1), 1, 1));
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        return List.of(new Backward(y.input(0).shape()).of(Objects.requireNonNull(dy.get(0))));
    }

    @Override
    public String toString() {
        return name();
    }

    /** dx = dy / (H·W) at every place of the plane. */
    public record Backward(Shape x) implements Op {
        @Override
        public String name() {
            return "global_average_pool_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "dy");
            Require.f32(name(), "dy", in.get(0), Shape.of(x.get(0), x.get(1), 1, 1));
            return List.of(Type.f32(x));
        }

        @Override
        public String toString() {
            return name();
        }
    }
}
