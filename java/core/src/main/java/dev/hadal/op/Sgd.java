package dev.hadal.op;

import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import java.util.List;

/**
 * Stochastic gradient descent with momentum and L2 decay, as PyTorch defines it (Sutskever et al. 2013 for Nesterov's).
 *
 * <pre>
 *   g ← g·min(1, limit/(norm + 10⁻⁶))
 *   d = g + λ·w
 *   m ← μ·m + d
 *   w ← w − η·m             or, Nesterov's:  w ← w − η·(d + μ·m)
 * </pre>
 *
 * From w, g, m of one shape, the global norm: [] and the {@link Hyper} block come the new w and m. If the norm is not
 * finite, they are the old ones.
 */
public record Sgd(float momentum, boolean nesterov) implements Op {

    public Sgd {
        if (!(0 <= momentum && momentum < 1)) {
            throw new IllegalArgumentException("SGD needs a momentum in [0, 1), got " + momentum);
        }
    }

    @Override
    public String name() {
        return "sgd";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "w", "g", "m", "norm", "hyper");
        AdamW.checkUpdate(name(), in, "g", "m");
        return List.of(in.get(0), in.get(0));
    }

    @Override
    public String toString() {
        return "sgd[momentum " + momentum + (nesterov ? ", nesterov]" : "]");
    }
}
