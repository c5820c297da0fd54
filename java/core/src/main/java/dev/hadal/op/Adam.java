package dev.hadal.op;

import java.util.List;

/**
 * Adam (Kingma and Ba 2015), with decoupled decay AdamW (Loshchilov and Hutter 2019, algorithm 2, with the decay scaled
 * by η as in PyTorch); with {@code amsgrad}, v̂ never falls (Reddi et al. 2018).
 *
 * <pre>
 *   m ← β₁·m + (1−β₁)·d          m̂ = m / (1−β₁ᵗ)
 *   v ← β₂·v + (1−β₂)·d²         v̂ = v / (1−β₂ᵗ)
 *   s = m̂ / (√v̂ + ε)             or, AMSGrad's:  x ← max(x, v),  v̂ = x / (1−β₂ᵗ)
 * </pre>
 *
 * One pass.
 */
public record Adam(float beta1, float beta2, float epsilon, boolean amsgrad) implements UpdateOp {

    public Adam {
        checkBetas("Adam", beta1, beta2, epsilon);
    }

    static void checkBetas(String rule, float beta1, float beta2, float epsilon) {
        if (!(0 <= beta1 && beta1 < 1 && 0 <= beta2 && beta2 < 1 && epsilon > 0)) {
            throw new IllegalArgumentException(
                    rule + " needs betas in [0, 1) and epsilon > 0, got " + beta1 + ", " + beta2 + " and " + epsilon);
        }
    }

    @Override
    public String name() {
        return "adam";
    }

    @Override
    public List<String> moments() {
        return amsgrad ? List.of("m", "v", "v_max") : List.of("m", "v");
    }

    @Override
    public void correct(long t, float[] hyper) {
        hyper[Hyper.CORRECTION1] = UpdateRule.correction(beta1, t);
        hyper[Hyper.CORRECTION2] = UpdateRule.correction(beta2, t);
    }

    @Override
    public String toString() {
        return "adam[β₁ " + beta1 + ", β₂ " + beta2 + ", ε " + epsilon + (amsgrad ? ", amsgrad]" : "]");
    }
}
