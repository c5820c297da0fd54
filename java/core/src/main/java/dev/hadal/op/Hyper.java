package dev.hadal.op;

import dev.hadal.graph.Type;

/** The places in the block of run-time scalars that an update op reads, so that no kernel holds one as a constant. */
public final class Hyper {
    /** The learning rate η. */
    public static final int RATE = 0;
    /** The weight decay λ. */
    public static final int DECAY = 1;
    /** 1 / (1 − β₁ᵗ), the bias correction of a first moment. */
    public static final int CORRECTION1 = 2;
    /** 1 / (1 − β₂ᵗ), the bias correction of a second moment. */
    public static final int CORRECTION2 = 3;
    /** The largest global gradient norm; +∞ where nothing is clipped. */
    public static final int CLIP = 4;

    /** The block. */
    public static final Type TYPE = Type.f32(8);

    private Hyper() {}

    /**
     * What a gradient is multiplied with to be no longer than the limit: min(1, limit / (norm + 10⁻⁶)), as PyTorch's
     * clip_grad_norm_.
     */
    public static float clipFactor(float norm, float limit) {
        return Math.min(1f, limit / (norm + 1e-6f));
    }
}
