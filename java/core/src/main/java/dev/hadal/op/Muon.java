package dev.hadal.op;

import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.tensor.Shape;
import java.util.List;

/**
 * Muon (Jordan et al. 2024): momentum whose singular values are all brought near 1. For matrices; a convolution's
 * weights count as one, a row for each output channel.
 *
 * <pre>
 *   m ← μ·m + d                  u = m, or Nesterov's:  u = d + μ·m
 *   X = u / (‖u‖ + 10⁻⁷)         as a matrix [R,C]
 *   five times:  A = X·Xᵀ,  X ← a·X + (b·A + c·A²)·X       a, b, c = 3.4445, −4.7750, 2.0315
 *   w ← w − η·(√max(1, R/C)·X + λ·w)
 * </pre>
 *
 * Where R &gt; C, A = Xᵀ·X stands on the other side: the same X by smaller products. Two passes over the momentum, one over
 * w, and three matrix products in each of the five steps.
 */
public record Muon(float momentum, boolean nesterov) implements UpdateRule {
    /** Of the Newton–Schulz iteration, chosen by its author for a steep slope at zero. */
    private static final float A = 3.4445f;

    private static final float B = -4.7750f;
    private static final float C = 2.0315f;
    private static final int STEPS = 5;

    public Muon {
        if (!(0 <= momentum && momentum < 1)) {
            throw new IllegalArgumentException("Muon needs a momentum in [0, 1), got " + momentum);
        }
    }

    @Override
    public List<String> moments() {
        return List.of("m");
    }

    @Override
    public boolean wholeTensors() {
        return true;
    }

    @Override
    public boolean trains(Shape w) {
        return w.rank() >= 2;
    }

    @Override
    public List<Value> update(Value w, Value g, List<Value> moments, Value norm, Value hyper) {
        List<Value> ahead = new Direction(momentum, nesterov).call(w, g, moments.get(0), norm, hyper);
        int rows = w.shape().get(0);
        int columns = w.shape().sizeFrom(1);
        Value x = new Reshape(List.of(rows, columns)).of(ahead.get(1));
        for (int i = 0; i < STEPS; i++) {
            x = step(x, rows <= columns);
        }
        float scale = (float) Math.sqrt(Math.max(1, (double) rows / columns));
        Value o = new Reshape(w.shape().dims()).of(x);
        return List.of(new Apply(scale).of(w, o, norm, hyper), ahead.get(0));
    }

    private static Value step(Value x, boolean left) {
        Value a = left ? new MatMul(false, true).of(x, x) : new MatMul(true, false).of(x, x);
        Value polynomial = new WeightedSum(List.of(B, C)).of(a, new MatMul(false, false).of(a, a));
        Value product = left ? new MatMul(false, false).of(polynomial, x) : new MatMul(false, false).of(x, polynomial);
        return new WeightedSum(List.of(A, 1f)).of(x, product);
    }

    @Override
    public String toString() {
        return "muon[momentum " + momentum + (nesterov ? ", nesterov]" : "]");
    }

    /**
     * The momentum and where it points: from w, g, m, the norm and the {@link Hyper} block come the new m and
     * u / (‖u‖ + 10⁻⁷), with d as in {@link UpdateOp}. If the norm is not finite, they are m and 0.
     */
    public record Direction(float momentum, boolean nesterov) implements Op {
        @Override
        public String name() {
            return "muon_direction";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "w", "g", "m", "norm", "hyper");
            Shape w = Require.f32(name(), "w", in.get(0));
            Require.f32(name(), "g", in.get(1), w);
            Require.f32(name(), "m", in.get(2), w);
            Require.f32(name(), "norm", in.get(3), Shape.SCALAR);
            Require.f32(name(), "hyper", in.get(4), Hyper.TYPE.shape());
            return List.of(in.get(0), in.get(0));
        }

        @Override
        public String toString() {
            return name() + "[momentum " + momentum + (nesterov ? ", nesterov]" : "]");
        }
    }

    /** w ← w − η·(scale·x + λ·w), from w, x, the norm and the {@link Hyper} block; w if the norm is not finite. */
    public record Apply(float scale) implements Op {
        @Override
        public String name() {
            return "muon_apply";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "w", "x", "norm", "hyper");
            Shape w = Require.f32(name(), "w", in.get(0));
            Require.f32(name(), "x", in.get(1), w);
            Require.f32(name(), "norm", in.get(2), Shape.SCALAR);
            Require.f32(name(), "hyper", in.get(3), Hyper.TYPE.shape());
            return List.of(in.get(0));
        }

        @Override
        public String toString() {
            return name() + "[scale " + scale + "]";
        }
    }
}
