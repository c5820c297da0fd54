package dev.hadal.optim;

import dev.hadal.op.ClipGradient;
import org.jspecify.annotations.Nullable;

/**
 * How gradients are kept from exploding.
 *
 * @param globalNorm the largest norm of all gradients together; +∞ for any
 * @param value the largest size of one element; +∞ for any
 * @param perTensor what each tensor's gradient goes through by itself; null for nothing
 */
public record Clip(
        double globalNorm, double value, @Nullable ClipGradient perTensor) {

    /** No clipping. */
    public static final Clip NONE = new Clip(Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY, null);

    public Clip {
        if (!(globalNorm > 0 && value > 0)) {
            throw new IllegalArgumentException(
                    "the limit of a gradient must be positive, got " + Math.min(globalNorm, value));
        }
    }

    /** Scales all gradients together so that their norm is no larger than the limit (Pascanu et al. 2013). */
    public static Clip globalNorm(double limit) {
        return new Clip(limit, NONE.value, null);
    }

    /** Cuts each element off at ±limit. */
    public static Clip value(double limit) {
        return new Clip(NONE.globalNorm, limit, null);
    }

    /** Scales each tensor's gradient by itself so that its norm is no larger than the limit. */
    public static Clip norm(double limit) {
        return new Clip(NONE.globalNorm, NONE.value, new ClipGradient((float) limit, false));
    }

    /**
     * Scales the gradient of each output's weights so that its norm is no larger than this share of the weights' own;
     * 0.01 is usual (Brock et al. 2021).
     */
    public static Clip adaptive(double share) {
        return new Clip(NONE.globalNorm, NONE.value, new ClipGradient((float) share, true));
    }
}
