package dev.hadal.nn;

import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;

/**
 * gain·Q, where A = Q·R is a matrix of normal values, with R's diagonal positive: so Q is uniform among the orthogonal
 * matrices (Mezzadri 2007).
 */
record Orthogonal(float gain) implements Init {

    @Override
    public float value(Shape shape, int i, Philox random) {
        return values(shape, random)[i];
    }

    @Override
    public Tensor tensor(Shape shape, long seed, String name) {
        return Tensor.of(shape, values(shape, new Philox(seed, Philox.streamOf(name))));
    }

    private float[] values(Shape shape, Philox random) {
        if (shape.rank() < 2) {
            throw new IllegalArgumentException(
                    "an orthogonal matrix needs a weight of at least two axes, but this one is " + shape);
        }
        int rows = shape.get(0), columns = shape.sizeFrom(1);
        double[][] q = orthonormal(Math.min(rows, columns), Math.max(rows, columns), random);
        float[] values = new float[shape.size()];
        for (int i = 0; i < values.length; i++) {
            int row = i / columns, column = i % columns;
            values[i] = (float) (gain * (rows <= columns ? q[row][column] : q[column][row]));
        }
        return values;
    }

    /** The modified Gram–Schmidt process on vectors of normal values. */
    private static double[][] orthonormal(int count, int length, Philox random) {
        double[][] q = new double[count][length];
        for (int k = 0; k < count; k++) {
            for (int i = 0; i < length; i++) {
                q[k][i] = random.normal((long) k * length + i);
            }
            for (int j = 0; j < k; j++) {
                add(q[k], -dot(q[j], q[k]), q[j]);
            }
            double norm = Math.sqrt(dot(q[k], q[k]));
            for (int i = 0; i < length; i++) {
                q[k][i] /= norm;
            }
        }
        return q;
    }

    private static double dot(double[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += a[i] * b[i];
        }
        return sum;
    }

    private static void add(double[] to, double scale, double[] what) {
        for (int i = 0; i < to.length; i++) {
            to[i] += scale * what[i];
        }
    }
}
