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

    /**
     * The same, with a value of its own where the image has moved away: a random crop, as large as the image, of the
     * image with so many pixels of padding around it.
     */
    static Augmentation shift(int pixels, float background) {
        return new Shift(pixels, false, background);
    }

    /** Mirrors every second image, left to right. */
    static Augmentation flip() {
        return new Flip();
    }

    /** Turns an image by up to so many degrees, either way. */
    static Affine rotate(double degrees) {
        return affine().rotate(degrees);
    }

    /** Turns, moves and scales an image: {@code affine().rotate(10).translate(2).scale(0.9, 1.1).background(black)}. */
    static Affine affine() {
        return new Affine(0, 0, 1, 1, 0);
    }

    /** With that probability, fills a rectangle of 2 to 40 percent of an image with a value (Zhong et al. 2020). */
    static Augmentation erase(double probability, float value) {
        return new Erase(probability, value);
    }

    /** Adds one number between −most and most to all values of a sample. */
    static Augmentation brightness(double most) {
        return new Brightness(most);
    }

    /** Multiplies each channel's differences from its mean by one factor between 1 − most and 1 + most. */
    static Augmentation contrast(double most) {
        return new Contrast(most);
    }

    /** Adds to each value of a sample a draw of its own from a normal distribution of that deviation. */
    static Augmentation noise(double deviation) {
        return new Noise(deviation);
    }
}
