package dev.hadal.op;

import dev.hadal.graph.Type;

/** The places in the block of run-time scalars that an update op reads, so that no kernel holds one as a constant. */
public final class Hyper {
    /** The learning rate η. */
    public static final int RATE = 0;
    /** The decoupled weight decay λ. */
    public static final int DECAY = 1;
    /** What an {@link UpdateRule} corrects its first moment with. */
    public static final int CORRECTION1 = 2;
    /** What it corrects its second moment with. */
    public static final int CORRECTION2 = 3;
    /** The largest global gradient norm; +∞ where nothing is clipped. */
    public static final int CLIP = 4;
    /** What it corrects the gradient with. */
    public static final int CORRECTION3 = 5;
    /** The largest size of a gradient's element; +∞ where nothing is clipped. */
    public static final int CLIP_VALUE = 6;
    /** The L2 decay λ₂, which is added to the gradient. */
    public static final int L2 = 7;

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
