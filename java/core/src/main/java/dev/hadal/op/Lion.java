package dev.hadal.op;

import java.util.List;

/**
 * Lion (Chen et al. 2023, algorithm 2): the sign of a momentum.
 *
 * <pre>
 *   s = sign(β₁·m + (1−β₁)·d)
 *   m ← β₂·m + (1−β₂)·d
 * </pre>
 *
 * One pass.
 */
public record Lion(float beta1, float beta2) implements UpdateOp {

    public Lion {
        Adam.checkBetas("Lion", beta1, beta2, 1);
    }

    @Override
    public String name() {
        return "lion";
    }

    @Override
    public List<String> moments() {
        return List.of("m");
    }

    @Override
    public String toString() {
        return "lion[β₁ " + beta1 + ", β₂ " + beta2 + "]";
    }
}
