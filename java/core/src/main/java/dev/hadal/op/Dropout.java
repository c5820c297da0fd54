package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Philox;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Dropout (Srivastava et al. 2014) as it predicts: y = x. A network is declared with this op; the pass that readies a
 * graph for training puts {@link Training} in its place.
 *
 * @param rate the share of values that training drops, from 0 to less than 1
 */
public record Dropout(float rate) implements Op {

    public Dropout {
        checkRate(rate);
    }

    private static void checkRate(float rate) {
        if (!(rate >= 0 && rate < 1)) {
            throw new IllegalArgumentException("dropout needs a rate from 0 to less than 1, got " + rate);
        }
    }

    @Override
    public String name() {
        return "dropout";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x");
        Require.f32(name(), "x", in.get(0));
        return in;
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        return Arrays.asList(dy.get(0));
    }

    @Override
    public String toString() {
        return name() + "[" + rate + "]";
    }

    /**
     * y = x·m, where each m is 0 with the probability of the rate, else 1 / (1 − rate). What is dropped depends on the
     * seed, the run and the layer alone: element i, counted in row-major order, is kept if word i mod 4 of
     * {@link Philox#block block} ⌊i/4⌋ of that run and that layer's stream, its upper 24 bits taken as a number from 0 to
     * less than 1, is no less than the rate. So the gradient is the same op on dy.
     *
     * <p>Operands are x and i32 [4]: the seed's low and high half, the number of the run, and 0.
     *
     * @param path the layer's, which no two that should differ may share
     */
    public record Training(float rate, String path) implements Op {

        public Training {
            checkRate(rate);
        }

        @Override
        public String name() {
            return "dropout_training";
        }

        /** What a value that is kept is multiplied by. */
        public float scale() {
            return (float) (1 / (1.0 - rate));
        }

        /** The least 24 random bits with which a value is kept. */
        public int threshold() {
            return (int) Math.ceil(rate * 0x1p24);
        }

        /** Which of a seed's sequences is this layer's. */
        public long stream() {
            return Philox.streamOf(path);
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "x", "random");
            Require.f32(name(), "x", in.get(0));
            Type random = Type.i32(4);
            Require.that(in.get(1).equals(random), "%s: random must be %s, but is %s", name(), random, in.get(1));
            return List.of(in.get(0));
        }

        @Override
        public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
            return Arrays.asList(of(Objects.requireNonNull(dy.get(0)), y.input(1)), null);
        }

        @Override
        public String toString() {
            return name() + "[" + rate + "]";
        }
    }
}
