package dev.hadal.data;

import dev.hadal.tensor.Shape;

/** y[c,i,j] = x[c,i,W−1−j] with probability ½, in place. */
record Flip() implements Augmentation {

    @Override
    public void apply(Sample sample) {
        Shape shape = sample.shape();
        if (shape.rank() != 3) {
            throw new IllegalArgumentException("a flip takes samples [C,H,W], got " + shape);
        }
        if (sample.below(2) == 0) {
            return;
        }
        float[] x = sample.values();
        int rows = shape.get(0) * shape.get(1), width = shape.get(2);
        for (int row = 0; row < rows; row++) {
            int left = sample.offset() + row * width, right = left + width - 1;
            while (left < right) {
                float swap = x[left];
                x[left++] = x[right];
                x[right--] = swap;
            }
        }
    }
}
