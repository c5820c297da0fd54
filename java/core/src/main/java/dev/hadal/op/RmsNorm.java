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
 * Root-mean-square normalization (Zhang and Sennrich 2019): y = γ·x/√(m + ε), with m = mean(x²) over the last axes of
 * x, and γ of the shape of those axes. Its results are y, and m of the shape of the axes before them, which the backward
 * op consumes.
 *
 * @param axes how many axes are normalized over, the last ones
 */
public record RmsNorm(int axes, float epsilon) implements Op {

    public RmsNorm {
        LayerNorm.check("rms norm", axes, epsilon);
    }

    @Override
    public String name() {
        return "rms_norm";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x", "scale");
        Shape x = LayerNorm.checkRows(name(), in.get(0), axes);
        Require.f32(name(), "scale", in.get(1), LayerNorm.row(x, axes));
        return List.of(in.get(0), Type.f32(LayerNorm.rows(x, axes)));
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        List<Value> d =
                new Backward(axes, epsilon).call(y.input(0), Require.gradientOfFirst(y, dy), y.input(1), y.output(1));
        return Arrays.asList(d.get(0), d.get(1));
    }

    @Override
    public String toString() {
        return name();
    }

    /**
     * From x, dy, γ and m come dx and dγ: with ρ = 1/√(m + ε), x̂ = ρ·x and g = γ·dy, dx = ρ·(g − x̂·mean(g·x̂)) and dγ =
     * Σ dy·x̂ over the axes that are not normalized.
     */
    public record Backward(int axes, float epsilon) implements Op {
        @Override
        public String name() {
            return "rms_norm_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "x", "dy", "scale", "square");
            Shape x = LayerNorm.checkRows(name(), in.get(0), axes);
            Require.f32(name(), "dy", in.get(1), x);
            Require.f32(name(), "scale", in.get(2), LayerNorm.row(x, axes));
            Require.f32(name(), "square", in.get(3), LayerNorm.rows(x, axes));
            return List.of(in.get(0), in.get(2));
        }

        @Override
        public String toString() {
            return name();
        }
    }
}
