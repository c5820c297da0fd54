package dev.hadal.optim;

/** How gradients are kept from exploding. */
public record Clip(double globalNorm) {

    /** No clipping. */
    public static final Clip NONE = new Clip(Double.POSITIVE_INFINITY);

    public Clip {
        if (!(globalNorm > 0)) {
            throw new IllegalArgumentException("the largest gradient norm must be positive, got " + globalNorm);
        }
    }

    /** Scales all gradients together so that their norm is no larger than the limit (Pascanu et al. 2013). */
    public static Clip globalNorm(double limit) {
        return new Clip(limit);
    }
}
