package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The Kullback–Leibler divergence of a batch, 1/N·Σ v·t·(log t − x), with log-probabilities x and probabilities t of one
 * shape [N,…], and the samples' weights v: [N] if there are any. The mean is over samples, PyTorch's {@code batchmean};
 * where t is 0, so is the term. Target and weights are taken as constants: they get no gradient.
 *
 * @param weighted whether the samples' weights follow as a third operand
 */
public record KlDivergence(boolean weighted) implements Op {

    @Override
    public String name() {
        return "kl_divergence";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        PointwiseLoss.check(name(), in, weighted, false);
        return List.of(Type.f32(Shape.SCALAR));
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        return PointwiseLoss.gradient(new Backward(weighted), y, dy);
    }

    @Override
    public String toString() {
        return name();
    }

    /** dx = −t·v·dloss/N, from x, the target, the weights if there are any, and dloss. */
    public record Backward(boolean weighted) implements Op {
        @Override
        public String name() {
            return "kl_divergence_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            PointwiseLoss.check(name(), in, weighted, true);
            return List.of(in.get(0));
        }

        @Override
        public String toString() {
            return name();
        }
    }
}
