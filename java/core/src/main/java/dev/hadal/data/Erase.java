package dev.hadal.data;

import dev.hadal.tensor.Shape;
import java.util.Arrays;

/**
 * Erases a rectangle (Zhong, Zheng, Kang, Li and Yang, "Random erasing data augmentation", 2020), with the paper's
 * ranges:
 *
 * <pre>
 *   with probability p:
 *     area ~ U(0.02, 0.4)·H·W   r ~ U(0.3, 1/0.3)   h = √(area·r)   w = √(area/r)
 *     drawn again, up to 100 times, until h &lt; H and w &lt; W; then anywhere in the image
 * </pre>
 */
record Erase(double probability, float value) implements Augmentation {
    private static final double LEAST_AREA = 0.02;
    private static final double MOST_AREA = 0.4;
    private static final double LEAST_ASPECT = 0.3;
    private static final int ATTEMPTS = 100;

    Erase {
        if (!(probability >= 0 && probability <= 1)) {
            throw new IllegalArgumentException("a probability is in 0…1, not " + probability);
        }
    }

    @Override
    public void apply(Sample sample) {
        Shape shape = sample.image();
        int height = shape.get(1), width = shape.get(2);
        Draws draws = sample.draws();
        if (draws.uniform() >= probability) {
            return;
        }
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            double area = draws.between(LEAST_AREA, MOST_AREA) * height * width;
            double aspect = draws.between(LEAST_ASPECT, 1 / LEAST_ASPECT);
            int h = (int) Math.round(Math.sqrt(area * aspect)), w = (int) Math.round(Math.sqrt(area / aspect));
            if (h < height && w < width) {
                erase(sample, shape, draws.below(height - h + 1), draws.below(width - w + 1), h, w);
                return;
            }
        }
    }

    private void erase(Sample sample, Shape shape, int top, int left, int h, int w) {
        int width = shape.get(2);
        for (int c = 0; c < shape.get(0); c++) {
            for (int i = top; i < top + h; i++) {
                int row = sample.offset() + (c * shape.get(1) + i) * width;
                Arrays.fill(sample.values(), row + left, row + left + w, value);
            }
        }
    }
}
