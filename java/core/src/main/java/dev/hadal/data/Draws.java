package dev.hadal.data;

import dev.hadal.tensor.Philox;
import org.jspecify.annotations.Nullable;

/**
 * Random numbers for one sample, or for one batch. What is drawn depends on the seed, the epoch and the number of the
 * sample or batch alone, never on threads or order. One object serves a thread for all that it draws.
 */
public final class Draws {
    /** Room for 2³⁰ draws between one number's and the next's in an epoch's stream. */
    private static final int DRAW_BITS = 30;

    private final long seed;
    private final String purpose;

    private int epoch = -1;
    private @Nullable Philox random;
    private long next;

    /** @param purpose what is drawn for: each has streams of its own */
    Draws(long seed, String purpose) {
        this.seed = seed;
        this.purpose = purpose;
    }

    /** From now on the draws of that number. */
    Draws at(int epoch, int number) {
        if (this.epoch != epoch || random == null) {
            this.epoch = epoch;
            random = new Philox(seed, Philox.streamOf(purpose + " " + epoch));
        }
        this.next = (long) number << DRAW_BITS;
        return this;
    }

    /** Draws an integer from 0 … bound − 1, all equally likely. */
    public int below(int bound) {
        return random().below(bound, next++);
    }

    /** Draws from a uniform distribution over [0, 1). */
    public float uniform() {
        return random().uniform(next++);
    }

    /** Draws from a uniform distribution between two values. */
    public double between(double from, double to) {
        return from + (to - from) * uniform();
    }

    /** Draws from a standard normal distribution. */
    public float normal() {
        long pair = (next + 1) >>> 1;
        next = 2 * pair + 2;
        return random().normal(pair);
    }

    /** Draws from Beta(α, α), for α > 0: x/(x + y), with x and y from Gamma(α). */
    public double beta(double alpha) {
        double x = logGamma(alpha), y = logGamma(alpha);
        return 1 / (1 + Math.exp(y - x));
    }

    /**
     * The logarithm of a draw from Gamma(α), so that a small α does not underflow (Marsaglia and Tsang 2000):
     *
     * <pre>
     *   d = α' − 1/3, c = 1/√(9·d), α' = α + 1
     *   repeat v = (1 + c·N)³ until v > 0 and ln U < N²/2 + d − d·v + d·ln v
     *   x = d·v · U^(1/α)                        (which takes α' back to α)
     * </pre>
     */
    private double logGamma(double alpha) {
        double d = alpha + 1 - 1 / 3.0, c = 1 / Math.sqrt(9 * d);
        while (true) {
            double n = normal();
            double root = 1 + c * n, v = root * root * root;
            if (v > 0 && logUniform() < n * n / 2 + d - d * v + d * Math.log(v)) {
                return Math.log(d * v) + logUniform() / alpha;
            }
        }
    }

    /** The logarithm of a uniform draw from (0, 1]. */
    private double logUniform() {
        return Math.log(1 - (double) uniform());
    }

    private Philox random() {
        if (random == null) {
            throw new IllegalStateException("this sample stands for none yet");
        }
        return random;
    }
}
