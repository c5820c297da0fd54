package dev.hadal.nn;

import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.Arrays;

/** How a weight or a state begins. */
public interface Init {

    /** The i-th value, in row-major order, of a tensor of this shape. */
    float value(Shape shape, int i, Philox random);

    /** A tensor whose values depend on the seed and the name alone. */
    default Tensor tensor(Shape shape, long seed, String name) {
        Philox random = new Philox(seed, Philox.streamOf(name));
        float[] values = new float[shape.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = value(shape, i, random);
        }
        return Tensor.of(shape, values);
    }

    /** Every value the same. */
    static Init constant(float value) {
        return new Init() {
            @Override
            public float value(Shape shape, int i, Philox random) {
                return value;
            }

            @Override
            public Tensor tensor(Shape shape, long seed, String name) {
                float[] values = new float[shape.size()];
                Arrays.fill(values, value);
                return Tensor.of(shape, values);
            }
        };
    }

    static Init zeros() {
        return constant(0);
    }

    static Init ones() {
        return constant(1);
    }

    static Init normal(float mean, float deviation) {
        return (shape, i, random) -> mean + deviation * random.normal(i);
    }

    /** Normal with variance 2 / fan-in, for what a ReLU follows (He, Zhang, Ren and Sun 2015). */
    static Init kaimingNormal() {
        return (shape, i, random) -> (float) (Math.sqrt(2.0 / Math.max(1, shape.sizeFrom(1))) * random.normal(i));
    }

    /** Uniform with variance 2 / fan-in, for what a ReLU follows (He, Zhang, Ren and Sun 2015). */
    static Init kaimingUniform() {
        return (shape, i, random) ->
                (float) (Math.sqrt(6.0 / Math.max(1, shape.sizeFrom(1))) * (2.0 * random.uniform(i) - 1));
    }

    /** Uniform with variance 2 / (fan-in + fan-out) (Glorot and Bengio 2010). */
    static Init xavierUniform() {
        return (shape, i, random) -> (float) (Math.sqrt(6 / fans(shape)) * (2.0 * random.uniform(i) - 1));
    }

    /** Normal with variance 2 / (fan-in + fan-out) (Glorot and Bengio 2010). */
    static Init xavierNormal() {
        return (shape, i, random) -> (float) (Math.sqrt(2 / fans(shape)) * random.normal(i));
    }

    private static double fans(Shape shape) {
        double fanIn = shape.sizeFrom(1);
        double fanOut = (double) shape.get(0) * shape.sizeFrom(2);
        return Math.max(1, fanIn + fanOut);
    }

    /**
     * Normal around 0, drawn again until it lies within twice the deviation, which is that before the truncation, as in
     * PyTorch and TensorFlow; after it, it is 0.88 of that.
     */
    static Init truncatedNormal(float deviation) {
        return (shape, i, random) -> {
            for (long draw = i; ; draw += 1L << 31) {
                float n = random.normal(draw);
                if (Math.abs(n) <= 2) {
                    return deviation * n;
                }
            }
        };
    }

    /** A random orthogonal matrix (Saxe, McClelland and Ganguli 2014). */
    static Init orthogonal() {
        return orthogonal(1);
    }

    /**
     * The same times a factor: √2 for what a ReLU follows. Of a weight [out,…], seen as [out,rest], the rows are
     * orthonormal; where there are more of them than columns, the columns are.
     */
    static Init orthogonal(float gain) {
        return new Orthogonal(gain);
    }
}
