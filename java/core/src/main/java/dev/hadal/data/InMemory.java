package dev.hadal.data;

import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;

/** Samples in one array of floats. */
final class InMemory implements Dataset {
    private final float[] values;
    private final int[] labels;
    private final Shape shape;
    private final int sampleSize;
    private final int classes;

    InMemory(Tensor x, int classes, int[] labels) {
        if (x.shape().rank() == 0) {
            throw new IllegalArgumentException("x: [N,…] is needed, got a scalar");
        }
        if (x.shape().get(0) != labels.length) {
            throw new IllegalArgumentException("x " + x.shape() + " has "
                    + x.shape().get(0) + " samples, but there are " + labels.length + " labels");
        }
        this.values = x.floats();
        this.labels = Labels.checked(labels.clone(), classes);
        this.shape = new Shape(x.shape().dims().subList(1, x.shape().rank()));
        this.sampleSize = shape.size();
        this.classes = classes;
    }

    @Override
    public int size() {
        return labels.length;
    }

    @Override
    public Shape shape() {
        return shape;
    }

    @Override
    public int classes() {
        return classes;
    }

    @Override
    public void copy(int index, float[] into, int offset) {
        System.arraycopy(values, index * sampleSize, into, offset, sampleSize);
    }

    @Override
    public int label(int index) {
        return labels[index];
    }
}
