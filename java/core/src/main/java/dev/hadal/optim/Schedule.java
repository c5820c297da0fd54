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

    /** rate·½·(1 + cos(π·step/steps)): half a cosine, from the rate to zero (Loshchilov and Hutter 2017). */
    static Schedule cosine(double rate) {
        return (step, steps) -> rate * 0.5 * (1 + Math.cos(Math.PI * step / Math.max(1, steps)));
    }

    /** This schedule behind a linear rise over the first steps, from 1/count of its own first rate (Goyal et al. 2017). */
    default Schedule warmup(long count) {
        return (step, steps) ->
                step < count ? rate(0, steps) * (step + 1) / count : rate(step - count, Math.max(1, steps - count));
    }
}
