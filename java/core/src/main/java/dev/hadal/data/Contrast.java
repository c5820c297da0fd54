package dev.hadal.data;

import dev.hadal.tensor.Shape;

/** x[c] ← m[c] + f·(x[c] − m[c]), with one f ~ U(1 − most, 1 + most), and the mean m[c] of each channel, in place. */
record Contrast(double most) implements Augmentation {

    Contrast {
        if (!(most >= 0 && most <= 1)) {
            throw new IllegalArgumentException("contrast changes by up to a share in 0…1, not " + most);
        }
    }

    @Override
    public void apply(Sample sample) {
        Shape shape = sample.image();
        float f = (float) sample.draws().between(1 - most, 1 + most);
        int plane = shape.get(1) * shape.get(2);
        float[] x = sample.values();
        for (int c = 0; c < shape.get(0); c++) {
            int from = sample.offset() + c * plane, to = from + plane;
            double sum = 0;
            for (int i = from; i < to; i++) {
                sum += x[i];
            }
            float m = (float) (sum / plane);
            for (int i = from; i < to; i++) {
                x[i] = m + f * (x[i] - m);
            }
        }
    }
}
