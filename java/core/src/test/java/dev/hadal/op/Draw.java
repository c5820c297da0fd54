package dev.hadal.op;

import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.Random;

/** Seeded operands. Every case draws from a sequence of its own, so that a case replays alone. */
final class Draw {
    static final long USUAL = 20261101;

    /** Set it to see what other random shapes and values do. */
    static final long SEED = Long.getLong("hadal.spec.seed", Draw.USUAL);

    private static final int[] DIMS = {1, 2, 3, 7, 8, 15, 16, 17, 31, 33};

    private final Random random;

    Draw(String sequence) {
        random = new Random(SEED * 1_000_003 + sequence.hashCode());
    }

    /** One of the dimensions that vectors, blocks and their remainders trip over. */
    int dim() {
        return oneOf(DIMS);
    }

    int oneOf(int... values) {
        return values[random.nextInt(values.length)];
    }

    /** From lowest to highest, both included. */
    int between(int lowest, int highest) {
        return lowest + random.nextInt(highest - lowest + 1);
    }

    boolean coin() {
        return random.nextBoolean();
    }

    /** Integers from −bound to bound, which sums of products keep exact in f32. */
    Tensor integers(int bound, Shape shape) {
        Tensor t = Tensor.of(shape, new float[shape.size()]);
        float[] values = t.floats();
        for (int i = 0; i < values.length; i++) {
            values[i] = between(-bound, bound);
        }
        return t;
    }

    /** Normally distributed. */
    Tensor normal(Shape shape) {
        return normal(0, 1, shape);
    }

    Tensor normal(double mean, double deviation, Shape shape) {
        Tensor t = Tensor.of(shape, new float[shape.size()]);
        float[] values = t.floats();
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (mean + deviation * random.nextGaussian());
        }
        return t;
    }

    Tensor uniform(double lowest, double highest, Shape shape) {
        Tensor t = Tensor.of(shape, new float[shape.size()]);
        float[] values = t.floats();
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (lowest + (highest - lowest) * random.nextDouble());
        }
        return t;
    }

    /** Labels from 0 to classes − 1. */
    Tensor labels(int n, int classes) {
        int[] labels = new int[n];
        for (int i = 0; i < n; i++) {
            labels[i] = random.nextInt(classes);
        }
        return Tensor.of(Shape.of(n), labels);
    }
}
