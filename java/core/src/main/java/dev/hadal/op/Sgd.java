package dev.hadal.op;

import java.util.List;

/**
 * Stochastic gradient descent with momentum, as PyTorch defines it (Sutskever et al. 2013 for Nesterov's).
 *
 * <pre>
 *   m ← μ·m + d
 *   s = m             or, Nesterov's:  s = d + μ·m             or, if μ = 0:  s = d, and there is no m
 * </pre>
 *
 * One pass.
 */
public record Sgd(float momentum, boolean nesterov) implements UpdateOp {

    public Sgd {
        if (!(0 <= momentum && momentum < 1) || (nesterov && momentum == 0)) {
            throw new IllegalArgumentException(
                    "SGD needs a momentum in [0, 1), and Nesterov's more than 0, got " + momentum);
        }
    }

    @Override
    public String name() {
        return "sgd";
    }

    @Override
    public List<String> moments() {
        return momentum == 0 ? List.of() : List.of("m");
    }

    @Override
    public String toString() {
        return "sgd[momentum " + momentum + (nesterov ? ", nesterov]" : "]");
    }
}
