package dev.hadal.optim;

/**
 * Lowers the learning rate when a metric no longer improves, as PyTorch's ReduceLROnPlateau. The rate of a schedule is
 * multiplied with factor^reductions.
 *
 * @param factor what the rate is multiplied with each time
 * @param patience how many epochs in a row may be no better before that
 * @param threshold by what share of the best value so far a better one must be better
 * @param cooldown for how many epochs after a reduction none is counted as bad
 * @param metric the metric's name
 * @param higherIsBetter whether the metric is to rise; a loss is to fall
 */
public record Plateau(
        double factor, int patience, double threshold, int cooldown, String metric, boolean higherIsBetter) {

    public Plateau {
        if (!(0 < factor && factor < 1) || patience < 0 || !(threshold >= 0) || cooldown < 0) {
            throw new IllegalArgumentException(
                    "a plateau needs a factor in (0, 1), and no negative patience, threshold or cooldown; got " + factor
                            + ", " + patience + ", " + threshold + " and " + cooldown);
        }
    }

    /** For the loss, with PyTorch's threshold of 10⁻⁴ and no cooldown. */
    public static Plateau of(double factor, int patience) {
        return new Plateau(factor, patience, 1e-4, 0, "loss", false);
    }

    /** The same for another metric. */
    public Plateau on(String name, boolean higher) {
        return new Plateau(factor, patience, threshold, cooldown, name, higher);
    }

    /** Before any epoch. */
    public State start() {
        return new State(higherIsBetter ? Double.NEGATIVE_INFINITY : Double.POSITIVE_INFINITY, 0, 0, 0);
    }

    /**
     * What has been seen: all that must be kept to go on.
     *
     * @param best the best metric so far
     * @param bad how many epochs in a row were no better
     * @param cooling for how many epochs none is counted as bad
     * @param reductions how often the rate was lowered
     */
    public record State(double best, int bad, int cooling, int reductions) {}

    /** The state after an epoch with that metric. NaN is no better than anything. */
    public State after(State state, double metric) {
        boolean better = higherIsBetter ? metric > state.best * (1 + threshold) : metric < state.best * (1 - threshold);
        double best = better ? metric : state.best;
        int bad = better ? 0 : state.bad + 1;
        int cooling = state.cooling;
        if (cooling > 0) {
            cooling--;
            bad = 0;
        }
        return bad > patience
                ? new State(best, 0, cooldown, state.reductions + 1)
                : new State(best, bad, cooling, state.reductions);
    }

    /** What the schedule's rate is multiplied with in that state. */
    public double factor(State state) {
        return Math.pow(factor, state.reductions);
    }
}
