package dev.hadal.op;

import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.tensor.Shape;
import java.util.List;

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2, with the decay scaled by η as in
 * PyTorch).
 *
 * <pre>
 *   g ← g·min(1, limit/(norm + 10⁻⁶))
 *   m ← β₁·m + (1−β₁)·g          m̂ = m / (1−β₁ᵗ)
 *   v ← β₂·v + (1−β₂)·g²         v̂ = v / (1−β₂ᵗ)
 *   w ← w − η·(m̂ / (√v̂ + ε) + λ·w)
 * </pre>
 *
 * From w, g, m, v of one shape, the global norm: [] and the {@link Hyper} block come the new w, m and v. If the norm is
 * not finite, they are the old ones.
 */
public record AdamW(float beta1, float beta2, float epsilon) implements Op {

    public AdamW {
        if (!(0 <= beta1 && beta1 < 1 && 0 <= beta2 && beta2 < 1 && epsilon > 0)) {
            throw new IllegalArgumentException(
                    "AdamW needs betas in [0, 1) and epsilon > 0, got " + beta1 + ", " + beta2 + " and " + epsilon);
        }
    }

    @Override
    public String name() {
        return "adamw";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "w", "g", "m", "v", "norm", "hyper");
        checkUpdate(name(), in, "g", "m", "v");
        return List.of(in.get(0), in.get(0), in.get(0));
    }

    /** Checks what update ops have in common: w, tensors of its shape, the norm, the block. */
    static void checkUpdate(String op, List<Type> in, String... alike) {
        Shape w = Require.f32(op, "w", in.get(0));
        for (int i = 0; i < alike.length; i++) {
            Require.f32(op, alike[i], in.get(1 + i), w);
        }
        Require.f32(op, "norm", in.get(1 + alike.length), Shape.SCALAR);
        Require.f32(op, "hyper", in.get(2 + alike.length), Hyper.TYPE.shape());
    }

    @Override
    public String toString() {
        return "adamw[β₁ " + beta1 + ", β₂ " + beta2 + ", ε " + epsilon + "]";
    }
}
