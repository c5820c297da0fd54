package dev.hadal.data;

import java.util.List;

/**
 * Changes whole batches at random, after each sample's own {@link Augmentation}: samples may be mixed with each other.
 * It may give a field another type. What it draws depends on the seed, the epoch and the batch's number alone. One
 * serves many threads at once, so it keeps no state; to stay free of garbage it allocates nothing.
 */
public interface BatchAugmentation {

    /**
     * What batches consist of after {@link #apply}: the same names in the same order.
     *
     * @throws IllegalArgumentException if it cannot work on such batches; the message says what it needs
     */
    default List<Field> fields(List<Field> fields) {
        return fields;
    }

    /**
     * @param in the batch as it was read
     * @param out the batch as it shall be. Of each field that stays as it is, it has the very tensor of {@code in}, to be
     *     changed in place; of a field that changes, one of its own, to be written wholly
     */
    void apply(Batch in, Batch out, Draws draws);

    /** Changes nothing. */
    static BatchAugmentation none() {
        return NoBatchAugmentation.INSTANCE;
    }

    /**
     * Mixes pairs of samples and their targets (Zhang, Cisse, Dauphin and Lopez-Paz 2018), with one λ for a batch:
     *
     * <pre>
     *   λ ~ Beta(α, α)      x ← λ·x + (1 − λ)·x'      target ← λ·target + (1 − λ)·target'
     * </pre>
     *
     * A class index becomes a distribution over the classes, f32 [classes]; f32 targets are mixed as they are. Sample i
     * of B is paired with sample (s − i) mod B, for an s that is drawn; one that is paired with itself stays.
     */
    static BatchAugmentation mixup(double alpha) {
        return new Mixup(alpha);
    }

    /**
     * Exchanges a rectangle between pairs of images, and mixes their targets by its area (Yun et al. 2019):
     *
     * <pre>
     *   λ ~ Beta(α, α)      rectangle: W·√(1 − λ) × H·√(1 − λ), its centre anywhere, cut at the image's edge
     *   λ ← 1 − area/(W·H)  target ← λ·target + (1 − λ)·target'
     * </pre>
     *
     * Samples are paired, and targets change, as by {@link #mixup}.
     */
    static BatchAugmentation cutmix(double alpha) {
        return new Cutmix(alpha);
    }

    /** One of the two for each batch, drawn with equal chances; both must give the same fields. */
    static BatchAugmentation either(BatchAugmentation one, BatchAugmentation other) {
        return new Either(one, other);
    }
}
