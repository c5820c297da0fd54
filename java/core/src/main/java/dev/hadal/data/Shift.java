package dev.hadal.data;

import dev.hadal.tensor.Shape;
import java.util.Arrays;

/** y[c,i,j] = x[c,i−down,j−right], with both steps drawn uniformly from −pixels … pixels, in place. */
record Shift(int pixels, boolean repeatEdge, float background) implements Augmentation {

    Shift {
        if (pixels < 0) {
            throw new IllegalArgumentException("a shift by up to " + pixels + " pixels");
        }
    }

    @Override
    public void apply(Sample sample) {
        Shape shape = sample.shape();
        if (shape.rank() != 3 || shape.get(1) <= pixels || shape.get(2) <= pixels) {
            throw new IllegalArgumentException("a shift by up to " + pixels
                    + " pixels takes samples [C,H,W] with H and W larger than that, got " + shape);
        }
        int down = sample.below(2 * pixels + 1) - pixels;
        int right = sample.below(2 * pixels + 1) - pixels;
        move(sample.values(), sample.offset(), shape, down, right);
    }

    void move(float[] x, int offset, Shape shape, int down, int right) {
        int height = shape.get(1), width = shape.get(2);
        for (int c = 0; c < shape.get(0); c++) {
            int plane = offset + c * height * width;
            for (int k = 0; k < height; k++) {
                // From the side that the image moves to, so that a row is read before it is overwritten.
                int to = down > 0 ? height - 1 - k : k;
                int from = to - down;
                if (!repeatEdge && (from < 0 || from >= height)) {
                    Arrays.fill(x, plane + to * width, plane + (to + 1) * width, background);
                } else {
                    int inside = Math.min(Math.max(from, 0), height - 1);
                    moveRow(x, plane + inside * width, plane + to * width, width, right);
                }
            }
        }
    }

    private void moveRow(float[] x, int from, int to, int width, int right) {
        int kept = width - Math.abs(right);
        if (right >= 0) {
            float fill = repeatEdge ? x[from] : background;
            System.arraycopy(x, from, x, to + right, kept);
            Arrays.fill(x, to, to + right, fill);
        } else {
            float fill = repeatEdge ? x[from + width - 1] : background;
            System.arraycopy(x, from - right, x, to, kept);
            Arrays.fill(x, to + kept, to + width, fill);
        }
    }
}
