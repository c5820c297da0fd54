package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** y = x if x > 0, else a·x, with x: [N,C,…] and a learned slope a: [C], or [1] for all (He, Zhang, Ren and Sun 2015). */
public record PRelu() implements Op {

    @Override
    public String name() {
        return "prelu";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x", "slope");
        check(name(), Require.f32(name(), "x", in.get(0)), Require.f32(name(), "slope", in.get(1)));
        return List.of(in.get(0));
    }

    private static void check(String op, Shape x, Shape slope) {
        Require.that(
                slope.equals(Shape.of(1)) || (x.rank() >= 2 && slope.equals(Shape.of(x.get(1)))),
                "%s: slope must be [1], or [C] for x [N,C,…], but is %s for x %s",
                op,
                slope,
                x);
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        return List.copyOf(new Backward().call(y.input(0), y.input(1), Objects.requireNonNull(dy.get(0))));
    }

    @Override
    public String toString() {
        return name();
    }

    /** dx = dy if x > 0, else a·dy; da = Σ x·dy over the places of a where x ≤ 0. From x, a and dy. */
    public record Backward() implements Op {
        @Override
        public String name() {
            return "prelu_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "x", "slope", "dy");
            Shape x = Require.f32(name(), "x", in.get(0));
            check(name(), x, Require.f32(name(), "slope", in.get(1)));
            Require.f32(name(), "dy", in.get(2), x);
            return List.of(in.get(0), in.get(1));
        }

        @Override
        public String toString() {
            return name();
        }
    }
}
