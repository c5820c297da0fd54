package dev.hadal.data;

import dev.hadal.tensor.Shape;
import java.util.List;

/** Images kept as the bytes that they were stored as, a quarter of their floats; copied, a byte b becomes b/255. */
public final class ByteImages implements Dataset {
    private static final float[] LEVELS = levels();

    private final byte[] pixels;
    private final int[] labels;
    private final int sampleSize;
    private final List<Field> fields;

    /**
     * @param shape of one image: [C,H,W]
     * @param pixels one image after the other; not copied
     * @throws IllegalArgumentException if there is not a label for every image, or one is not in 0 … classes − 1
     */
    public ByteImages(Shape shape, byte[] pixels, int classes, int... labels) {
        if (shape.rank() != 3) {
            throw new IllegalArgumentException("an image is [C,H,W], got " + shape);
        }
        if (pixels.length != (long) labels.length * shape.size()) {
            throw new IllegalArgumentException(labels.length + " labels and images of " + shape + " take "
                    + (long) labels.length * shape.size() + " bytes, but there are " + pixels.length);
        }
        this.pixels = pixels;
        this.labels = Labels.checked(labels.clone(), classes);
        this.sampleSize = shape.size();
        this.fields = List.of(Field.floats(X, shape), Field.labels(TARGET, Shape.SCALAR, classes));
    }

    @Override
    public int size() {
        return labels.length;
    }

    @Override
    public List<Field> fields() {
        return fields;
    }

    @Override
    public void read(int index, Row row) {
        float[] x = row.floats(X);
        int from = index * sampleSize, to = row.offset(X);
        for (int i = 0; i < sampleSize; i++) {
            x[to + i] = LEVELS[pixels[from + i] & 0xff];
        }
        row.set(TARGET, labels[index]);
    }

    @Override
    public int label(int index) {
        return labels[index];
    }

    private static float[] levels() {
        float[] levels = new float[256];
        for (int b = 0; b < levels.length; b++) {
            levels[b] = b / 255f;
        }
        return levels;
    }
}
