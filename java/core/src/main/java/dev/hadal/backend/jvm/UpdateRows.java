package dev.hadal.backend.jvm;

import dev.hadal.op.Adam;
import dev.hadal.op.Hyper;
import dev.hadal.op.Lion;
import dev.hadal.op.NAdam;
import dev.hadal.op.RmsProp;
import dev.hadal.op.Sgd;
import dev.hadal.op.UpdateOp;

/**
 * Updates weights row by row: what belongs to a row is copied into arrays of its own, where short loops work on it that
 * the JIT turns into vector code, and copied out again. A row and all that belongs to it stay in the first-level cache.
 */
final class UpdateRows {
    private static final int ROW = 512;

    private final float[] w = new float[ROW];
    private final float[] d = new float[ROW];
    private final float[][] moments;

    UpdateRows(int moments) {
        this.moments = new float[moments][ROW];
    }

    /** What a rule makes of n values of d and its moments: leaves s in place of d, and the new moments. */
    interface Step {
        void run(int n, float[] d, float[][] moments, Span hyper);
    }

    static Step step(UpdateOp op) {
        if (op instanceof Sgd sgd) {
            return sgd.momentum() == 0
                    ? (n, d, m, hyper) -> {}
                    : (n, d, m, hyper) -> sgd(n, d, m[0], sgd.momentum(), sgd.nesterov());
        } else if (op instanceof RmsProp rms) {
            return rmsprop(rms);
        } else if (op instanceof Adam adam) {
            return (n, d, m, hyper) -> {
                float c1 = hyper.get(Hyper.CORRECTION1);
                float c2 = hyper.get(Hyper.CORRECTION2);
                if (adam.amsgrad()) {
                    amsgrad(n, d, m[0], m[1], m[2], adam.beta1(), adam.beta2(), c1, c2, adam.epsilon());
                } else {
                    adam(n, d, m[0], m[1], adam.beta1(), adam.beta2(), c1, c2, 0, adam.epsilon());
                }
            };
        } else if (op instanceof NAdam nadam) {
            return (n, d, m, hyper) -> adam(
                    n,
                    d,
                    m[0],
                    m[1],
                    nadam.beta1(),
                    nadam.beta2(),
                    hyper.get(Hyper.CORRECTION1),
                    hyper.get(Hyper.CORRECTION2),
                    hyper.get(Hyper.CORRECTION3),
                    nadam.epsilon());
        } else if (op instanceof Lion lion) {
            return (n, d, m, hyper) -> lion(n, d, m[0], lion.beta1(), lion.beta2());
        }
        throw new IllegalArgumentException("no rows for " + op);
    }

    private static Step rmsprop(RmsProp op) {
        int last = op.moments().size() - 1;
        return (n, d, m, hyper) -> {
            if (op.centred()) {
                centred(n, d, m[0], m[1], op.alpha(), op.epsilon());
            } else {
                rms(n, d, m[0], op.alpha(), op.epsilon());
            }
            if (op.momentum() > 0) {
                sgd(n, d, m[last], op.momentum(), false);
            }
        };
    }

    /** On w and the moments, which are y. */
    void update(Step step, Span g, Span[] y, Span hyper, float clip, int from, int count) {
        float value = hyper.get(Hyper.CLIP_VALUE);
        float l2 = hyper.get(Hyper.L2);
        float rate = hyper.get(Hyper.RATE);
        float decay = hyper.get(Hyper.DECAY);
        for (int at = from; at < from + count; at += ROW) {
            int n = Math.min(ROW, from + count - at);
            read(y[0], at, w, n);
            read(g, at, d, n);
            for (int k = 0; k < moments.length; k++) {
                read(y[1 + k], at, moments[k], n);
            }
            prepare(n, w, d, clip, value, l2);
            step.run(n, d, moments, hyper);
            descend(n, w, d, rate, decay);
            write(w, y[0], at, n);
            for (int k = 0; k < moments.length; k++) {
                write(moments[k], y[1 + k], at, n);
            }
        }
    }

    private static void read(Span x, int at, float[] row, int n) {
        System.arraycopy(x.floats(), x.offset() + at, row, 0, n);
    }

    private static void write(float[] row, Span y, int at, int n) {
        System.arraycopy(row, 0, y.floats(), y.offset() + at, n);
    }

    /** d = clamp(g·clip, ±value) + λ₂·w, in place of g. */
    private static void prepare(int n, float[] w, float[] d, float clip, float value, float l2) {
        for (int i = 0; i < n; i++) {
            d[i] = Math.max(-value, Math.min(value, d[i] * clip)) + l2 * w[i];
        }
    }

    /** w ← w − η·(s + λ·w) */
    private static void descend(int n, float[] w, float[] s, float rate, float decay) {
        for (int i = 0; i < n; i++) {
            w[i] = w[i] - rate * (s[i] + decay * w[i]);
        }
    }

    private static void sgd(int n, float[] d, float[] m, float mu, boolean nesterov) {
        // m counts fully in the plain rule; in Nesterov's it is damped once more, and d counts, too
        float dShare = nesterov ? 1 : 0;
        float mShare = nesterov ? mu : 1;
        for (int i = 0; i < n; i++) {
            m[i] = mu * m[i] + d[i];
            d[i] = dShare * d[i] + mShare * m[i];
        }
    }

    private static void rms(int n, float[] d, float[] v, float alpha, float epsilon) {
        for (int i = 0; i < n; i++) {
            v[i] = alpha * v[i] + (1 - alpha) * (d[i] * d[i]);
            d[i] = d[i] / ((float) Math.sqrt(v[i]) + epsilon);
        }
    }

    private static void centred(int n, float[] d, float[] v, float[] c, float alpha, float epsilon) {
        for (int i = 0; i < n; i++) {
            v[i] = alpha * v[i] + (1 - alpha) * (d[i] * d[i]);
            c[i] = alpha * c[i] + (1 - alpha) * d[i];
            d[i] = d[i] / ((float) Math.sqrt(Math.max(v[i] - c[i] * c[i], 0f)) + epsilon);
        }
    }

    /** Adam, and with c3 ≠ 0 NAdam. */
    private static void adam(
            int n,
            float[] d,
            float[] m,
            float[] v,
            float beta1,
            float beta2,
            float c1,
            float c2,
            float c3,
            float epsilon) {
        for (int i = 0; i < n; i++) {
            m[i] = beta1 * m[i] + (1 - beta1) * d[i];
            v[i] = beta2 * v[i] + (1 - beta2) * (d[i] * d[i]);
            d[i] = (c1 * m[i] + c3 * d[i]) / ((float) Math.sqrt(c2 * v[i]) + epsilon);
        }
    }

    private static void amsgrad(
            int n,
            float[] d,
            float[] m,
            float[] v,
            float[] x,
            float beta1,
            float beta2,
            float c1,
            float c2,
            float epsilon) {
        for (int i = 0; i < n; i++) {
            m[i] = beta1 * m[i] + (1 - beta1) * d[i];
            v[i] = beta2 * v[i] + (1 - beta2) * (d[i] * d[i]);
            x[i] = Math.max(x[i], v[i]);
            d[i] = c1 * m[i] / ((float) Math.sqrt(c2 * x[i]) + epsilon);
        }
    }

    private static void lion(int n, float[] d, float[] m, float beta1, float beta2) {
        for (int i = 0; i < n; i++) {
            float u = beta1 * m[i] + (1 - beta1) * d[i];
            m[i] = beta2 * m[i] + (1 - beta2) * d[i];
            // the sign: what is not zero is more than 1 or less than −1 after this, even if it was subnormal
            d[i] = Math.max(-1f, Math.min(1f, u * 1e30f * 1e30f));
        }
    }
}
