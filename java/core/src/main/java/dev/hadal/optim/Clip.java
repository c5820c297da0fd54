package dev.hadal.optim;

/**
 * How gradients are kept from exploding; +∞ where they are not.
 *
 * @param globalNorm the largest norm of all gradients together
 * @param value the largest size of one element
 */
public record Clip(double globalNorm, double value) {

    /** No clipping. */
    public static final Clip NONE = new Clip(Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY);

    public Clip {
        if (!(globalNorm > 0 && value > 0)) {
            throw new IllegalArgumentException(
                    "the limit of a gradient must be positive, got " + Math.min(globalNorm, value));
        }
    }

    /** Scales all gradients together so that their norm is no larger than the limit (Pascanu et al. 2013). */
    public static Clip globalNorm(double limit) {
        return new Clip(limit, NONE.value);
    }

    /** Cuts each element off at ±limit. */
    public static Clip value(double limit) {
        return new Clip(NONE.globalNorm, limit);
    }
}
