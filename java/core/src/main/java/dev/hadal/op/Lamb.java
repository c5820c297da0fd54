package dev.hadal.op;

import java.util.List;

/**
 * LAMB (You et al. 2020, algorithm 2): Adam's step, made as long as the tensor itself before it is multiplied with η.
 *
 * <pre>
 *   m ← β₁·m + (1−β₁)·d          m̂ = m / (1−β₁ᵗ)
 *   v ← β₂·v + (1−β₂)·d²         v̂ = v / (1−β₂ᵗ)
 *   r = m̂ / (√v̂ + ε) + λ·w
 *   w ← w − η·φ·r                φ = ‖w‖/‖r‖, or 1 if either is 0
 * </pre>
 *
 * Two passes, since φ is known only after r.
 */
public record Lamb(float beta1, float beta2, float epsilon) implements UpdateOp {

    public Lamb {
        Adam.checkBetas("LAMB", beta1, beta2, epsilon);
    }

    @Override
    public String name() {
        return "lamb";
    }

    @Override
    public List<String> moments() {
        return List.of("m", "v");
    }

    @Override
    public boolean wholeTensors() {
        return true;
    }

    @Override
    public void correct(long t, float[] hyper) {
        hyper[Hyper.CORRECTION1] = UpdateRule.correction(beta1, t);
        hyper[Hyper.CORRECTION2] = UpdateRule.correction(beta2, t);
    }

    @Override
    public String toString() {
        return "lamb[β₁ " + beta1 + ", β₂ " + beta2 + ", ε " + epsilon + "]";
    }
}
