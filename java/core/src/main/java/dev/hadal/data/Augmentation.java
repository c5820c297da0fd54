package dev.hadal.data;

/**
 * Changes the field {@value Dataset#X} of a sample in place, at random, so that no epoch shows the same image twice; the
 * other fields stay. All randomness comes from the
 * {@link Sample}. One augmentation serves many threads at once, so it keeps no state; to stay free of garbage it
 * allocates nothing.
 */
@FunctionalInterface
public interface Augmentation {

    void apply(Sample sample);

    /** This one, and then another. */
    default Augmentation then(Augmentation next) {
        return sample -> {
            apply(sample);
            next.apply(sample);
        };
    }

    /** Changes nothing. */
    static Augmentation none() {
        return NoAugmentation.INSTANCE;
    }

    /** Moves an image by up to so many pixels along each axis, repeating its edge where it has moved away. */
    static Augmentation shift(int pixels) {
        return new Shift(pixels, true, 0);
    }

    /** The same, with a value of its own where the image has moved away. */
    static Augmentation shift(int pixels, float background) {
        return new Shift(pixels, false, background);
    }

    /** Mirrors every second image, left to right. */
    static Augmentation flip() {
        return new Flip();
    }
}
