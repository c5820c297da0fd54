package dev.hadal.backend.jvm;

import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.op.CosineLoss;
import dev.hadal.op.KlDivergence;
import dev.hadal.op.PointwiseLoss;
import dev.hadal.tensor.Shape;
import java.util.function.DoubleBinaryOperator;

/** Losses that hold values against values. */
final class DistanceReference {

    static void define(OpTable<OpTable.Types, Formula> table) {
        table.put(
                PointwiseLoss.class, (op, t) -> mean(t.x(0).size(), op.weighted(), (x, target) -> term(op, x, target)));
        table.put(
                PointwiseLoss.Backward.class,
                (op, t) ->
                        slopes(t.x(0).size(), op.forward().weighted(), (x, target) -> slope(op.forward(), x, target)));
        table.put(
                KlDivergence.class,
                (op, t) -> mean(t.x(0).get(0), op.weighted(), (x, p) -> p == 0 ? 0 : p * (Math.log(p) - x)));
        table.put(KlDivergence.Backward.class, (op, t) -> slopes(t.x(0).get(0), op.weighted(), (x, p) -> -p));
        table.put(CosineLoss.class, (op, t) -> cosine(op.weighted(), t.x(0)));
        table.put(CosineLoss.Backward.class, (op, t) -> cosineBackward(op.weighted(), t.x(0)));
    }

    private static double term(PointwiseLoss op, double x, double t) {
        double d = Math.abs(x - t);
        return switch (op.function()) {
            case MSE -> d * d;
            case L1 -> d;
            case HUBER -> d <= op.delta() ? d * d / 2 : op.delta() * (d - op.delta() / 2);
            case BCE_WITH_LOGITS -> Math.max(x, 0) - x * t + Math.log1p(Math.exp(-Math.abs(x)));
        };
    }

    private static double slope(PointwiseLoss op, double x, double t) {
        double d = x - t;
        return switch (op.function()) {
            case MSE -> 2 * d;
            case L1 -> Math.signum(d);
            case HUBER -> Math.max(-op.delta(), Math.min(op.delta(), d));
            case BCE_WITH_LOGITS -> 1 / (1 + Math.exp(-x)) - t;
        };
    }

    /** Σ v·f(x, t) / divisor */
    static Formula mean(int divisor, boolean weighted, DoubleBinaryOperator f) {
        return (in, out) -> {
            double sum = 0;
            for (int i = 0; i < in[0].length; i++) {
                sum += weight(weighted, in, i, in[0].length) * f.applyAsDouble(in[0][i], in[1][i]);
            }
            out[0][0] = in[0].length == 0 ? 0 : sum / divisor;
        };
    }

    /** v·f′(x, t)·dloss / divisor */
    static Formula slopes(int divisor, boolean weighted, DoubleBinaryOperator slope) {
        return (in, out) -> {
            double dloss = in[in.length - 1][0];
            for (int i = 0; i < in[0].length; i++) {
                double v = weight(weighted, in, i, in[0].length);
                out[0][i] = slope.applyAsDouble(in[0][i], in[1][i]) * v * dloss / divisor;
            }
        };
    }

    /** The weight of the i-th of that many values. */
    private static double weight(boolean weighted, double[][] in, int i, int count) {
        return weighted ? in[2][i / (count / in[2].length)] : 1;
    }

    static Formula cosine(boolean weighted, Shape x) {
        int width = x.get(x.rank() - 1);
        return (in, out) -> {
            int rows = width == 0 ? 0 : in[0].length / width;
            out[0][0] = 0;
            for (int row = 0; row < rows; row++) {
                double m = dot(in[0], in[0], row, width) + CosineLoss.EPSILON;
                double n = dot(in[1], in[1], row, width) + CosineLoss.EPSILON;
                double cos = dot(in[0], in[1], row, width) / Math.sqrt(m * n);
                out[0][0] += weight(weighted, in, row, rows) * (1 - cos) / rows;
            }
        };
    }

    static Formula cosineBackward(boolean weighted, Shape x) {
        int width = x.get(x.rank() - 1);
        return (in, out) -> {
            int rows = width == 0 ? 0 : in[0].length / width;
            for (int row = 0; row < rows; row++) {
                double m = dot(in[0], in[0], row, width) + CosineLoss.EPSILON;
                double n = dot(in[1], in[1], row, width) + CosineLoss.EPSILON;
                double cos = dot(in[0], in[1], row, width) / Math.sqrt(m * n);
                double scale = weight(weighted, in, row, rows) * in[in.length - 1][0] / rows;
                for (int i = row * width; i < (row + 1) * width; i++) {
                    out[0][i] = scale * (in[0][i] * cos / m - in[1][i] / Math.sqrt(m * n));
                }
            }
        };
    }

    private static double dot(double[] a, double[] b, int row, int width) {
        double sum = 0;
        for (int i = row * width; i < (row + 1) * width; i++) {
            sum += a[i] * b[i];
        }
        return sum;
    }

    private DistanceReference() {}
}
