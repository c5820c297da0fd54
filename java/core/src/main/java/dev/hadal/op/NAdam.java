package dev.hadal.op;

import java.util.List;

/**
 * Adam with Nesterov's momentum (Dozat 2016), as PyTorch defines it.
 *
 * <pre>
 *   μₜ = β₁·(1 − ½·0.96^(t·ψ))
 *   m ← β₁·m + (1−β₁)·d
 *   v ← β₂·v + (1−β₂)·d²         v̂ = v / (1−β₂ᵗ)
 *   s = (μₜ₊₁·m / (1 − Πᵢ₌₁..ₜ₊₁ μᵢ) + (1−μₜ)·d / (1 − Πᵢ₌₁..ₜ μᵢ)) / (√v̂ + ε)
 * </pre>
 *
 * One pass.
 *
 * @param momentumDecay ψ
 */
public record NAdam(float beta1, float beta2, float epsilon, float momentumDecay) implements UpdateOp {
    /** A product below this changes no f32 from 1. */
    private static final double NOTHING = 1e-18;

    public NAdam {
        Adam.checkBetas("NAdam", beta1, beta2, epsilon);
        if (!(momentumDecay >= 0)) {
            throw new IllegalArgumentException("NAdam's momentum decay must not be negative, got " + momentumDecay);
        }
    }

    @Override
    public String name() {
        return "nadam";
    }

    @Override
    public List<String> moments() {
        return List.of("m", "v");
    }

    @Override
    public void correct(long t, float[] hyper) {
        double product = 1;
        for (long i = 1; i <= t && product > NOTHING; i++) {
            product *= mu(i);
        }
        double next = mu(t + 1);
        hyper[Hyper.CORRECTION1] = (float) (next / (1 - product * next));
        hyper[Hyper.CORRECTION2] = UpdateRule.correction(beta2, t);
        hyper[Hyper.CORRECTION3] = (float) ((1 - mu(t)) / (1 - product));
    }

    private double mu(long t) {
        return beta1 * (1 - 0.5 * Math.pow(0.96, t * (double) momentumDecay));
    }

    @Override
    public String toString() {
        return "nadam[β₁ " + beta1 + ", β₂ " + beta2 + ", ε " + epsilon + ", ψ " + momentumDecay + "]";
    }
}
