package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Group normalization (Wu and He 2018): y = γ·(x − μ)/√(σ² + ε) + β with x: [N,C,…], γ and β: [C], and μ and σ² (biased)
 * over each sample's groups of C/groups consecutive channels. Its results are y, and μ and σ²: [N,groups], which the
 * backward op consumes. With as many groups as channels it is instance normalization.
 *
 * @param groups how many, a divisor of C
 */
public record GroupNorm(int groups, float epsilon) implements Op {

    public GroupNorm {
        if (groups < 1 || !(epsilon > 0)) {
            throw new IllegalArgumentException(
                    "group norm needs groups > 0 and epsilon > 0, got groups " + groups + " and epsilon " + epsilon);
        }
    }

    @Override
    public String name() {
        return "group_norm";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x", "scale", "bias");
        Shape x = checkGroups(name(), in.get(0), groups);
        Require.f32(name(), "scale", in.get(1), Shape.of(x.get(1)));
        Require.f32(name(), "bias", in.get(2), Shape.of(x.get(1)));
        Type statistics = Type.f32(x.get(0), groups);
        return List.of(in.get(0), statistics, statistics);
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        List<Value> d = new Backward(groups, epsilon)
                .call(y.input(0), Require.gradientOfFirst(y, dy), y.input(1), y.output(1), y.output(2));
        return Arrays.asList(d.get(0), d.get(1), d.get(2));
    }

    @Override
    public String toString() {
        return name();
    }

    private static Shape checkGroups(String op, Type x, int groups) {
        Shape shape = Require.f32(op, "x", x);
        Require.that(
                shape.rank() >= 2 && shape.get(1) % groups == 0,
                "%s: x must be [N,C,…] with C a multiple of the %d groups, but is %s",
                op,
                groups,
                shape);
        return shape;
    }

    /**
     * From x, dy, γ, μ and σ² come dx, dγ and dβ: with ρ = 1/√(σ² + ε), x̂ = ρ·(x − μ), g = γ·dy and means over each
     * group, dx = ρ·(g − mean(g) − x̂·mean(g·x̂)); dγ = Σ dy·x̂ and dβ = Σ dy over all axes but the channels.
     */
    public record Backward(int groups, float epsilon) implements Op {
        @Override
        public String name() {
            return "group_norm_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "x", "dy", "scale", "mean", "variance");
            Shape x = checkGroups(name(), in.get(0), groups);
            Require.f32(name(), "dy", in.get(1), x);
            Require.f32(name(), "scale", in.get(2), Shape.of(x.get(1)));
            Require.f32(name(), "mean", in.get(3), Shape.of(x.get(0), groups));
            Require.f32(name(), "variance", in.get(4), Shape.of(x.get(0), groups));
            return List.of(in.get(0), in.get(2), in.get(2));
        }

        @Override
        public String toString() {
            return name();
        }
    }
}
