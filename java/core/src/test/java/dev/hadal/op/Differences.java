package dev.hadal.op;

import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.tensor.Tensor;
import java.util.Arrays;
import java.util.List;

/**
 * Central differences in double precision: ∂L/∂xᵢ ≈ (L(xᵢ + h) − L(xᵢ − h)) / 2h with L = ⟨dy, y⟩. With h =
 * 10⁻⁵ the truncation, h²·L‴/6, and the rounding, about 10⁻¹⁶·L/h, both stay near 10⁻¹⁰.
 */
final class Differences {
    private static final double H = 1e-5;
    private static final double TOLERANCE = 1e-6;
    private static final int MOST = 48;

    /** Fails unless the gradient of one operand is right to 10⁻⁶ of its largest value. */
    static void check(Op op, List<Tensor> operands, int wanted, double[] dy, double[] gradient) {
        List<Type> types = Bench.types(operands);
        double[][] in = operands.stream().map(Truth::wide).toArray(double[][]::new);
        double scale =
                Math.max(1e-3, Arrays.stream(gradient).map(Math::abs).max().orElse(0));
        int step = Math.max(1, gradient.length / MOST);
        for (int i = 0; i < gradient.length; i += step) {
            double x = in[wanted][i];
            in[wanted][i] = x + H;
            double above = loss(op, types, in, dy);
            in[wanted][i] = x - H;
            double below = loss(op, types, in, dy);
            in[wanted][i] = x;
            double slope = (above - below) / (2 * H);
            if (!(Math.abs(slope - gradient[i]) <= TOLERANCE * scale)) {
                throw new AssertionError(op + ": in double precision, the gradient of operand " + wanted + " at " + i
                        + " is " + gradient[i] + ", but central differences give " + slope);
            }
        }
    }

    private static double loss(Op op, List<Type> types, double[][] in, double[] dy) {
        double[] y = Truth.formula(op, types, in)[0];
        double sum = 0;
        for (int i = 0; i < y.length; i++) {
            sum += dy[i] * y[i];
        }
        return sum;
    }

    private Differences() {}
}
