package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.tensor.Shape;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Batch normalization (Ioffe and Szegedy 2015) as it predicts: y = γ·(x − μ)/√(σ² + ε) + β along the channels, with
 * x: [N,C,…], and γ, β and the running statistics μ, σ²: [C]. A network is declared with this op; the pass that
 * readies a graph for training puts {@link Training} in its place.
 *
 * @param momentum the share of the new in a running average, as PyTorch counts it
 */
public record BatchNorm(float epsilon, float momentum) implements Op {

    public BatchNorm {
        if (!(epsilon > 0) || !(momentum >= 0 && momentum <= 1)) {
            throw new IllegalArgumentException("batch norm needs epsilon > 0 and momentum in [0, 1], got epsilon "
                    + epsilon + " and momentum " + momentum);
        }
    }

    @Override
    public String name() {
        return "batch_norm";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x", "scale", "bias", "mean", "variance");
        checkChannels(name(), in, "x", "scale", "bias", "mean", "variance");
        return List.of(in.get(0));
    }

    /** With statistics that do not depend on x: dx = γ·dy/√(σ² + ε), dγ and dβ as in training. */
    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        Value g = Require.gradientOfFirst(y, dy);
        Value scale = y.input(1);
        Value mean = y.input(3);
        Value variance = y.input(4);
        Value zero = new WeightedSum(List.of(0f)).of(mean);
        List<Value> d = new Backward(epsilon).call(y.input(0), g, scale, mean, variance);
        return Arrays.asList(of(g, scale, zero, zero, variance), d.get(1), d.get(2), null, null);
    }

    @Override
    public String toString() {
        return name();
    }

    /** Checks that the operands after the first all are [C]; returns the shape of the first. */
    private static Shape checkChannels(String op, List<Type> in, String... names) {
        Shape x = Require.f32(op, names[0], in.get(0));
        Require.that(x.rank() >= 2, "%s: %s must be [N,C,…], but is %s", op, names[0], x);
        for (int i = 1; i < names.length; i++) {
            Require.f32(op, names[i], in.get(i), Shape.of(x.get(1)));
        }
        return x;
    }

    /**
     * The same with the batch's own statistics: from x, γ and β come y, and μ and σ² (biased) of the batch.
     */
    public record Training(float epsilon) implements Op {
        @Override
        public String name() {
            return "batch_norm_training";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "x", "scale", "bias");
            Shape x = checkChannels(name(), in, "x", "scale", "bias");
            Type channels = Type.f32(x.get(1));
            return List.of(in.get(0), channels, channels);
        }

        @Override
        public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
            List<Value> d = new Backward(epsilon)
                    .call(y.input(0), Require.gradientOfFirst(y, dy), y.input(1), y.output(1), y.output(2));
            return Arrays.asList(d.get(0), d.get(1), d.get(2));
        }

        @Override
        public String toString() {
            return name();
        }
    }

    /**
     * From x, dy, γ and the batch's μ and σ² come dx, dγ and dβ: with x̂ = (x − μ)/√(σ² + ε) and m = the number of
     * values per channel, dβ = Σ dy, dγ = Σ dy·x̂, dx = γ/√(σ² + ε)·(dy − dβ/m − x̂·dγ/m).
     */
    public record Backward(float epsilon) implements Op {
        @Override
        public String name() {
            return "batch_norm_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "x", "dy", "scale", "mean", "variance");
            Shape x = checkChannels(
                    name(), List.of(in.get(0), in.get(2), in.get(3), in.get(4)), "x", "scale", "mean", "variance");
            Require.f32(name(), "dy", in.get(1), x);
            Type channels = Type.f32(x.get(1));
            return List.of(in.get(0), channels, channels);
        }

        @Override
        public String toString() {
            return name();
        }
    }
}
