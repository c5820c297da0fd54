package dev.hadal.data;

import dev.hadal.tensor.Shape;
import java.util.List;

/** Exchanges a rectangle of a share 1 − λ of the image, with λ ~ Beta(α, α). */
record Cutmix(double alpha) implements BatchAugmentation {

    Cutmix {
        Pairs.positive(alpha);
    }

    @Override
    public List<Field> fields(List<Field> fields) {
        for (Field field : fields) {
            if (field.name().equals(Dataset.X) && field.shape().rank() != 3) {
                throw new IllegalArgumentException("cutmix takes images x [C,H,W], not " + field);
            }
        }
        return Pairs.mixed(fields, "cutmix");
    }

    @Override
    public void apply(Batch in, Batch out, Draws draws) {
        Shape shape = out.x().shape();
        int height = shape.get(2), width = shape.get(3);
        double side = Math.sqrt(1 - draws.beta(alpha));
        double row = draws.between(0, height), column = draws.between(0, width);
        int top = edge(row - height * side / 2, height), bottom = edge(row + height * side / 2, height);
        int left = edge(column - width * side / 2, width), right = edge(column + width * side / 2, width);
        int shift = draws.below(out.size());
        float[] x = out.x().floats();
        for (int i = 0; i < out.size(); i++) {
            int j = Pairs.partner(i, shift, out.size());
            if (i < j) {
                exchange(x, i, j, shape, top, bottom, left, right);
            }
        }
        double area = (double) (bottom - top) * (right - left);
        Pairs.mixTargets(in, out, shift, (float) (1 - area / Math.max(1, (double) height * width)));
    }

    private static int edge(double at, int size) {
        return (int) Math.round(Math.min(Math.max(at, 0), size));
    }

    private static void exchange(float[] x, int i, int j, Shape shape, int top, int bottom, int left, int right) {
        int channels = shape.get(1), height = shape.get(2), width = shape.get(3);
        for (int c = 0; c < channels; c++) {
            for (int row = top; row < bottom; row++) {
                int a = ((i * channels + c) * height + row) * width;
                int b = ((j * channels + c) * height + row) * width;
                for (int column = left; column < right; column++) {
                    float swap = x[a + column];
                    x[a + column] = x[b + column];
                    x[b + column] = swap;
                }
            }
        }
    }
}
