package dev.hadal.optim;

import org.jspecify.annotations.Nullable;

/**
 * Settings that depart from the optimizer's, for the weights whose path matches; null where they do not.
 *
 * @param optimizer what updates these weights instead: its rule, its rate and its decays
 * @param factor what the rate is multiplied with
 * @param decay the decoupled decay
 * @param addedDecay the decay that is added to the gradient
 */
public record Group(
        Glob glob,
        @Nullable Optimizer optimizer,
        @Nullable Double factor,
        @Nullable Double decay,
        @Nullable Double addedDecay) {

    static Group of(String pattern) {
        return new Group(new Glob(pattern), null, null, null, null);
    }

    double rateFactorOr(double other) {
        return factor == null ? other : factor;
    }

    /** Multiplies the learning rate. */
    public Group rateFactor(double multiplier) {
        if (!(multiplier >= 0)) {
            throw new IllegalArgumentException("a rate's factor must not be negative, got " + multiplier);
        }
        return new Group(glob, optimizer, multiplier, decay, addedDecay);
    }

    /** Decoupled decay, whatever the weights' rank. */
    public Group weightDecay(double lambda) {
        Optimizer.requireDecay(lambda);
        return new Group(glob, optimizer, factor, lambda, addedDecay);
    }

    /** Decay that is added to the gradient, whatever the weights' rank. */
    public Group l2(double lambda) {
        Optimizer.requireDecay(lambda);
        return new Group(glob, optimizer, factor, decay, lambda);
    }

    /** Another optimizer, with its own rate; its groups do not count. */
    public Group by(Optimizer other) {
        return new Group(glob, other, factor, decay, addedDecay);
    }
}
