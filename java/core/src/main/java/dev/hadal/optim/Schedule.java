package dev.hadal.optim;

/** The learning rate, step by step. */
public interface Schedule {

    /**
     * The rate of one step.
     *
     * @param step from 0 to steps − 1
     * @param steps how many there will be
     */
    double rate(long step, long steps);

    static Schedule constant(double rate) {
        return (step, steps) -> rate;
    }

    /** rate·factor^⌊step/every⌋ */
    static Schedule step(double rate, long every, double factor) {
        requirePositive("the steps between two changes of the rate", every);
        return (step, steps) -> {
            long changes = step / every;
            return rate * Math.pow(factor, (double) changes);
        };
    }

    /** rate·factor^step */
    static Schedule exponential(double rate, double factor) {
        return (step, steps) -> rate * Math.pow(factor, (double) step);
    }

    /** rate·(1 − step/steps)^power: down to zero; a straight line for power 1. */
    static Schedule polynomial(double rate, double power) {
        return (step, steps) -> rate * Math.pow(1 - Math.min(1, step / (double) Math.max(1, steps)), power);
    }

    /** rate·½·(1 + cos(π·step/steps)): half a cosine, from the rate to zero (Loshchilov and Hutter 2017). */
    static Schedule cosine(double rate) {
        return (step, steps) -> rate * 0.5 * (1 + Math.cos(Math.PI * step / Math.max(1, steps)));
    }

    /**
     * Half a cosine over the first period, then again from the full rate over a period that many times as long, and so on
     * (Loshchilov and Hutter 2017, SGDR).
     *
     * @param period how many steps the first takes
     * @param multiplier how much longer each period is than the one before it; at least 1
     */
    static Schedule cosineWithRestarts(double rate, long period, int multiplier) {
        requirePositive("a period's steps", period);
        requirePositive("the multiplier of periods", multiplier);
        return (step, steps) -> {
            long start = 0;
            long length = period;
            if (multiplier == 1) {
                start = step / period * period;
            } else {
                while (step >= start + length) {
                    start += length;
                    length *= multiplier;
                }
            }
            return rate * 0.5 * (1 + Math.cos(Math.PI * (step - start) / length));
        };
    }

    /** One cycle with PyTorch's settings: see {@link #oneCycle(double, double, double, double)}. */
    static Schedule oneCycle(double highest) {
        return oneCycle(highest, 0.3, 25, 1e4);
    }

    /**
     * Up from highest/start to the highest rate over a share of the steps, then down to highest/start/end, each by half a
     * cosine (Smith and Topin 2019, in PyTorch's form).
     */
    static Schedule oneCycle(double highest, double share, double start, double end) {
        if (!(0 < share && share < 1)) {
            throw new IllegalArgumentException("a cycle rises over a share of its steps in (0, 1), not " + share);
        }
        double first = highest / start;
        double last = first / end;
        return (step, steps) -> {
            double top = share * steps - 1;
            double bottom = Math.max(1, steps - 1);
            return top > 0 && step <= top
                    ? between(first, highest, step / top)
                    : between(highest, last, Math.min(1, (step - top) / (bottom - top)));
        };
    }

    private static double between(double from, double to, double part) {
        return to + (from - to) / 2 * (1 + Math.cos(Math.PI * part));
    }

    private static void requirePositive(String what, long count) {
        if (count < 1) {
            throw new IllegalArgumentException(what + " must be at least 1, got " + count);
        }
    }

    /** This schedule behind a linear rise over the first steps, from 1/count of its own first rate (Goyal et al. 2017). */
    default Schedule warmup(long count) {
        return (step, steps) ->
                step < count ? rate(0, steps) * (step + 1) / count : rate(step - count, Math.max(1, steps - count));
    }
}
