package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The mean over all rows of v·(1 − cos), with x and the target t: [N,…,D] and cos = Σ x·t / √((Σ x² + ε)·(Σ t² + ε)) over
 * a row of D values: PyTorch's cosine embedding loss of pairs that belong together, with its ε = 10⁻¹². The samples'
 * weights v: [N] are 1 if there are none. Target and weights are taken as constants: they get no gradient.
 *
 * @param weighted whether the samples' weights follow as a third operand
 */
public record CosineLoss(boolean weighted) implements Op {
    /** ε, which keeps a row of zeros from dividing by zero. */
    public static final double EPSILON = 1e-12;

    @Override
    public String name() {
        return "cosine_loss";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        check(name(), in, weighted, false);
        return List.of(Type.f32(Shape.SCALAR));
    }

    private static void check(String op, List<Type> in, boolean weighted, boolean backward) {
        Shape x = PointwiseLoss.check(op, in, weighted, backward);
        Require.that(x.rank() >= 2, "%s: x must be [N,…,D], but is %s", op, x);
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        return PointwiseLoss.gradient(new Backward(weighted), y, dy);
    }

    @Override
    public String toString() {
        return name();
    }

    /**
     * dx = (x·cos/m − t/√(m·n))·v·dloss/R, with R rows, m = Σ x² + ε and n = Σ t² + ε, from x, the target, the weights if
     * there are any, and dloss.
     */
    public record Backward(boolean weighted) implements Op {
        @Override
        public String name() {
            return "cosine_loss_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            check(name(), in, weighted, true);
            return List.of(in.get(0));
        }

        @Override
        public String toString() {
            return name();
        }
    }
}
