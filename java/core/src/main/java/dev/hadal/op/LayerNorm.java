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
 * Layer normalization (Ba, Kiros and Hinton 2016): y = γ·(x − μ)/√(σ² + ε) + β, with μ and σ² (biased) over the last
 * axes of x, and γ and β of the shape of those axes. Its results are y, and μ and σ² of the shape of the axes before
 * them, which the backward op consumes.
 *
 * @param axes how many axes are normalized over, the last ones
 */
public record LayerNorm(int axes, float epsilon) implements Op {

    public LayerNorm {
        check("layer norm", axes, epsilon);
    }

    static void check(String what, int axes, float epsilon) {
        if (axes < 1 || !(epsilon > 0)) {
            throw new IllegalArgumentException(
                    what + " needs axes > 0 and epsilon > 0, got axes " + axes + " and epsilon " + epsilon);
        }
    }

    @Override
    public String name() {
        return "layer_norm";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x", "scale", "bias");
        Shape x = checkRows(name(), in.get(0), axes);
        Require.f32(name(), "scale", in.get(1), row(x, axes));
        Require.f32(name(), "bias", in.get(2), row(x, axes));
        Type statistics = Type.f32(rows(x, axes));
        return List.of(in.get(0), statistics, statistics);
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        List<Value> d = new Backward(axes, epsilon)
                .call(y.input(0), Require.gradientOfFirst(y, dy), y.input(1), y.output(1), y.output(2));
        return Arrays.asList(d.get(0), d.get(1), d.get(2));
    }

    @Override
    public String toString() {
        return name();
    }

    /** Checks that x has the axes to normalize over; returns its shape. */
    static Shape checkRows(String op, Type x, int axes) {
        Shape shape = Require.f32(op, "x", x);
        Require.that(
                shape.rank() >= axes,
                "%s: x must have at least the %d axes to normalize over, but is %s",
                op,
                axes,
                shape);
        return shape;
    }

    /** The axes that are normalized over. */
    static Shape row(Shape x, int axes) {
        return new Shape(x.dims().subList(x.rank() - axes, x.rank()));
    }

    /** The axes before them. */
    static Shape rows(Shape x, int axes) {
        return new Shape(x.dims().subList(0, x.rank() - axes));
    }

    /**
     * From x, dy, γ, μ and σ² come dx, dγ and dβ: with ρ = 1/√(σ² + ε), x̂ = ρ·(x − μ), g = γ·dy and means over the
     * normalized axes, dx = ρ·(g − mean(g) − x̂·mean(g·x̂)); dγ = Σ dy·x̂ and dβ = Σ dy over the other axes.
     */
    public record Backward(int axes, float epsilon) implements Op {
        @Override
        public String name() {
            return "layer_norm_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "x", "dy", "scale", "mean", "variance");
            Shape x = checkRows(name(), in.get(0), axes);
            Require.f32(name(), "dy", in.get(1), x);
            Require.f32(name(), "scale", in.get(2), row(x, axes));
            Require.f32(name(), "mean", in.get(3), rows(x, axes));
            Require.f32(name(), "variance", in.get(4), rows(x, axes));
            return List.of(in.get(0), in.get(2), in.get(2));
        }

        @Override
        public String toString() {
            return name();
        }
    }
}
