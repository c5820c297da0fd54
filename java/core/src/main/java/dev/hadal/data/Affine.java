package dev.hadal.data;

import dev.hadal.tensor.Shape;
import java.util.Arrays;

/**
 * Turns, moves and scales an image about its centre, at random:
 *
 * <pre>
 *   θ ~ U(−degrees, degrees)   t ~ U(−pixels, pixels)²   s ~ U(from, to)
 *
 *   y[c, p] = x[c, R(−θ)·(p − centre − t)/s + centre]
 * </pre>
 *
 * R turns clockwise as the image is seen. Between pixels x is interpolated bilinearly; outside the image it is the
 * background.
 */
public record Affine(double degrees, double pixels, double from, double to, float background) implements Augmentation {

    public Affine {
        if (!(degrees >= 0 && degrees <= 180 && pixels >= 0 && pixels < 1e6 && from > 0 && from <= to && to < 1e6)) {
            throw new IllegalArgumentException("an affine change turns by up to 0…180 degrees, moves by up to 0…10⁶"
                    + " pixels and scales by 0 < from ≤ to < 10⁶, not " + degrees + ", " + pixels + " and " + from
                    + "…" + to);
        }
    }

    /** Turns by up to so many degrees, either way. */
    public Affine rotate(double degrees) {
        return new Affine(degrees, pixels, from, to, background);
    }

    /** Moves by up to so many pixels along each axis, either way. */
    public Affine translate(double pixels) {
        return new Affine(degrees, pixels, from, to, background);
    }

    /** Scales by a factor between these: above 1 the image grows, and loses its border. */
    public Affine scale(double from, double to) {
        return new Affine(degrees, pixels, from, to, background);
    }

    /** The value of what lies outside the image; 0 unless said. */
    public Affine background(float value) {
        return new Affine(degrees, pixels, from, to, value);
    }

    @Override
    public void apply(Sample sample) {
        Shape shape = sample.image();
        Draws draws = sample.draws();
        double angle = Math.toRadians(draws.between(-degrees, degrees));
        double down = draws.between(-pixels, pixels), right = draws.between(-pixels, pixels);
        double scale = draws.between(from, to);
        float[] copy = sample.scratch();
        System.arraycopy(sample.values(), sample.offset(), copy, 0, shape.size());
        move(copy, sample.values(), sample.offset(), shape, angle, down, right, scale);
    }

    /** From {@code x[0 …]} to {@code y[offset …]}. */
    void move(float[] x, float[] y, int offset, Shape shape, double angle, double down, double right, double scale) {
        int height = shape.get(1), width = shape.get(2), plane = height * width;
        double cos = Math.cos(angle) / scale, sin = Math.sin(angle) / scale;
        double middleI = (height - 1) / 2.0, middleJ = (width - 1) / 2.0;
        Arrays.fill(y, offset, offset + shape.size(), background);
        for (int i = 0; i < height; i++) {
            double di = i - middleI - down;
            for (int j = 0; j < width; j++) {
                double dj = j - middleJ - right;
                double fromI = cos * di - sin * dj + middleI, fromJ = sin * di + cos * dj + middleJ;
                if (fromI > -1 && fromI < height && fromJ > -1 && fromJ < width) {
                    int top = (int) Math.floor(fromI), left = (int) Math.floor(fromJ);
                    float belowTop = (float) (fromI - top), afterLeft = (float) (fromJ - left);
                    for (int c = 0; c < shape.get(0); c++) {
                        y[offset + c * plane + i * width + j] =
                                between(x, c * plane, height, width, top, left, belowTop, afterLeft);
                    }
                }
            }
        }
    }

    private float between(float[] x, int plane, int height, int width, int top, int left, float v, float u) {
        float above = (1 - u) * at(x, plane, height, width, top, left) + u * at(x, plane, height, width, top, left + 1);
        float below = (1 - u) * at(x, plane, height, width, top + 1, left)
                + u * at(x, plane, height, width, top + 1, left + 1);
        return (1 - v) * above + v * below;
    }

    private float at(float[] x, int plane, int height, int width, int i, int j) {
        return i >= 0 && i < height && j >= 0 && j < width ? x[plane + i * width + j] : background;
    }
}
