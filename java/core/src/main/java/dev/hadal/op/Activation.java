package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * y = f(x), elementwise. Where f′ can be told from y alone, the backward pass reads y, so that x need not be kept.
 *
 * @param alpha α of {@link Function#LEAKY_RELU} and {@link Function#ELU}; 0 for all others
 */
public record Activation(Function function, float alpha) implements Op {

    /** The functions, each with its derivative; [c] is 1 where c holds, else 0. */
    public enum Function {
        /** y = max(x, 0); y′ = [y > 0] */
        RELU(true),
        /** y = 1 / (1 + e⁻ˣ); y′ = y·(1 − y) */
        SIGMOID(true),
        /** y = tanh x; y′ = 1 − y² */
        TANH(true),
        /** y = x if x > 0, else α·x; y′ = 1 if y > 0, else α (Maas, Hannun and Ng 2013) */
        LEAKY_RELU(true),
        /** y = x if x > 0, else α·(eˣ − 1); y′ = 1 if y > 0, else y + α (Clevert, Unterthiner and Hochreiter 2016) */
        ELU(true),
        /** y = λ·x if x > 0, else λ·α·(eˣ − 1); y′ = λ if y > 0, else y + λ·α (Klambauer et al. 2017) */
        SELU(true),
        /** y = min(max(x, 0), 6); y′ = [0 < y < 6] */
        RELU6(true),
        /** y = x·Φ(x); y′ = Φ(x) + x·φ(x), with the normal distribution's Φ and φ (Hendrycks and Gimpel 2016) */
        GELU(false),
        /** y = x/2·(1 + t) with t = tanh z, z = √(2/π)·(x + 0.044715·x³); y′ = (1 + t)/2 + x/2·(1 − t²)·z′ */
        GELU_TANH(false),
        /** y = x·σ, with σ = 1 / (1 + e⁻ˣ); y′ = σ·(1 + x·(1 − σ)) */
        SILU(false),
        /** y = x·h, with h = min(max(x/6 + 1/2, 0), 1); y′ = h + [|x| < 3]·x/6 (Howard et al. 2019) */
        HARD_SWISH(false),
        /** y = min(max(x/6 + 1/2, 0), 1); y′ = [|x| < 3] / 6 */
        HARD_SIGMOID(false),
        /** y = ln(1 + eˣ); y′ = 1 / (1 + e⁻ˣ) */
        SOFTPLUS(false),
        /** y = x·t, with t = tanh ln(1 + eˣ); y′ = t + x·(1 − t²) / (1 + e⁻ˣ) (Misra 2019) */
        MISH(false);

        /** SELU's λ, which keeps variances at 1. */
        public static final double SELU_SCALE = 1.0507009873554805;

        /** SELU's α. */
        public static final double SELU_ALPHA = 1.6732632423543772;

        private final boolean slopeFromResult;

        Function(boolean slopeFromResult) {
            this.slopeFromResult = slopeFromResult;
        }

        /** Whether the backward pass reads y; else it reads x. */
        public boolean slopeFromResult() {
            return slopeFromResult;
        }

        /** α where nothing else is said: PyTorch's. */
        private float usualAlpha() {
            return switch (this) {
                case LEAKY_RELU -> 0.01f;
                case ELU -> 1;
                default -> 0;
            };
        }

        private void check(float alpha) {
            boolean takesAlpha = usualAlpha() != 0;
            // Below 0, the sign of y no longer tells that of x.
            if (!(takesAlpha ? alpha >= 0 && Float.isFinite(alpha) : alpha == 0)) {
                throw new IllegalArgumentException(
                        label() + " takes " + (takesAlpha ? "a finite alpha >= 0" : "no alpha") + ", got " + alpha);
            }
        }

        private String label() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    public Activation {
        function.check(alpha);
    }

    /** The function with its usual α: 0.01 for {@link Function#LEAKY_RELU}, 1 for {@link Function#ELU}. */
    public Activation(Function function) {
        this(function, function.usualAlpha());
    }

    @Override
    public String name() {
        return "activation";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x");
        Require.f32(name(), "x", in.get(0));
        return in;
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        Value known = function.slopeFromResult() ? y.output(0) : y.input(0);
        return List.of(new Backward(function, alpha).of(known, Objects.requireNonNull(dy.get(0))));
    }

    @Override
    public String toString() {
        return function.label() + (alpha == function.usualAlpha() ? "" : "(" + alpha + ")");
    }

    /** dx = f′·dy, from y or x, as {@link Function#slopeFromResult} says, and dy. */
    public record Backward(Function function, float alpha) implements Op {

        public Backward {
            function.check(alpha);
        }

        /** The function with its usual α. */
        public Backward(Function function) {
            this(function, function.usualAlpha());
        }

        @Override
        public String name() {
            return "activation_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            String known = function.slopeFromResult() ? "y" : "x";
            Require.operands(name(), in, known, "dy");
            Shape shape = Require.f32(name(), known, in.get(0));
            Require.f32(name(), "dy", in.get(1), shape);
            return List.of(in.get(0));
        }

        @Override
        public String toString() {
            return new Activation(function, alpha) + "_backward";
        }
    }
}
