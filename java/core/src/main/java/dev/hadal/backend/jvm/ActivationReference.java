package dev.hadal.backend.jvm;

import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.op.Activation;
import dev.hadal.op.Activation.Function;

/** The elementwise functions and their derivatives. */
final class ActivationReference {

    static void define(OpTable<OpTable.Types, Formula> table) {
        table.put(Activation.class, (op, t) -> forward(op));
        table.put(Activation.Backward.class, (op, t) -> backward(op));
    }

    private static Formula forward(Activation op) {
        return (in, out) -> {
            for (int i = 0; i < out[0].length; i++) {
                out[0][i] = value(op.function(), op.alpha(), in[0][i]);
            }
        };
    }

    private static Formula backward(Activation.Backward op) {
        return (in, out) -> {
            for (int i = 0; i < out[0].length; i++) {
                double slope = op.function().slopeFromResult()
                        ? slopeOfResult(op.function(), op.alpha(), in[0][i])
                        : slope(op.function(), in[0][i]);
                // Where f is flat, even a gradient that is no number is none.
                out[0][i] = slope == 0 ? 0 : slope * in[1][i];
            }
        };
    }

    private static double value(Function f, double alpha, double x) {
        return switch (f) {
            case RELU -> Math.max(x, 0);
            case SIGMOID -> sigmoid(x);
            case TANH -> Math.tanh(x);
            case LEAKY_RELU -> x > 0 ? x : alpha * x;
            case ELU -> x > 0 ? x : alpha * Math.expm1(x);
            case SELU -> Function.SELU_SCALE * (x > 0 ? x : Function.SELU_ALPHA * Math.expm1(x));
            case RELU6 -> Math.min(Math.max(x, 0), 6);
            case GELU -> x * normal(x);
            case GELU_TANH -> x * sigmoid(2 * bent(x)); // (1 + tanh z)/2 = σ(2z)
            case SILU -> x * sigmoid(x);
            case HARD_SWISH -> x * hardSigmoid(x);
            case HARD_SIGMOID -> hardSigmoid(x);
            case SOFTPLUS -> softplus(x);
            case MISH -> x * Math.tanh(softplus(x));
        };
    }

    /** f′, of y. */
    private static double slopeOfResult(Function f, double alpha, double y) {
        return switch (f) {
            case RELU -> y > 0 ? 1 : 0;
            case SIGMOID -> y * (1 - y);
            case TANH -> 1 - y * y;
            case LEAKY_RELU -> y > 0 ? 1 : alpha;
            case ELU -> y > 0 ? 1 : y + alpha;
            case SELU -> y > 0 ? Function.SELU_SCALE : y + Function.SELU_SCALE * Function.SELU_ALPHA;
            case RELU6 -> y > 0 && y < 6 ? 1 : 0;
            default -> throw new IllegalArgumentException(f + " tells its slope from x");
        };
    }

    /** f′, of x. */
    private static double slope(Function f, double x) {
        return switch (f) {
            case GELU -> normal(x) + x * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
            case GELU_TANH -> {
                double s = sigmoid(2 * bent(x));
                double bend = Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x);
                yield s + 2 * x * s * (1 - s) * bend;
            }
            case SILU -> sigmoid(x) * (1 + x * (1 - sigmoid(x)));
            case HARD_SWISH -> hardSigmoid(x) + (Math.abs(x) < 3 ? x / 6 : 0);
            case HARD_SIGMOID -> Math.abs(x) < 3 ? 1.0 / 6 : 0;
            case SOFTPLUS -> sigmoid(x);
            case MISH -> {
                double t = Math.tanh(softplus(x));
                yield t + x * (1 - t * t) * sigmoid(x);
            }
            default -> throw new IllegalArgumentException(f + " tells its slope from y");
        };
    }

    static double sigmoid(double x) {
        return 1 / (1 + Math.exp(-x));
    }

    private static double softplus(double x) {
        return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
    }

    private static double hardSigmoid(double x) {
        return Math.min(Math.max(x / 6 + 0.5, 0), 1);
    }

    private static double bent(double x) {
        return Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x);
    }

    /** Φ(x) = (1 + erf(x/√2)) / 2 */
    private static double normal(double x) {
        return (1 + erf(x / Math.sqrt(2))) / 2;
    }

    /** erf x = 2/√π · e^(−x²) · Σₙ 2ⁿ·x²ⁿ⁺¹ / (1·3·…·(2n + 1)), whose terms have one sign (Abramowitz and Stegun, 7.1.6). */
    private static double erf(double x) {
        if (Math.abs(x) > 6) {
            return Math.signum(x);
        }
        double sum = 0;
        double term = x;
        for (int n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
            sum += term;
            term *= 2 * x * x / (2 * n + 1);
        }
        return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
    }

    private ActivationReference() {}
}
