package dev.hadal.backend.jvm;

import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.op.CrossEntropy;
import dev.hadal.tensor.Shape;

/** Losses. */
final class LossReference {

    static void define(OpTable<OpTable.Types, Formula> table) {
        table.put(CrossEntropy.class, (op, t) -> crossEntropy(op, t.x(0)));
        table.put(CrossEntropy.Backward.class, (op, t) -> crossEntropyBackward(op.forward(), t.x(0)));
    }

    static Formula crossEntropy(CrossEntropy op, Shape x) {
        int classes = x.get(x.rank() - 1);
        return (in, out) -> {
            int rows = in[1].length;
            double loss = 0;
            for (int n = 0; n < rows; n++) {
                double max = Double.NEGATIVE_INFINITY;
                for (int c = 0; c < classes; c++) {
                    max = Math.max(max, in[0][n * classes + c]);
                }
                double sum = 0;
                for (int c = 0; c < classes; c++) {
                    sum += Math.exp(in[0][n * classes + c] - max);
                }
                for (int c = 0; c < classes; c++) {
                    double logp = in[0][n * classes + c] - max - Math.log(sum);
                    out[1][n * classes + c] = Math.exp(logp);
                    double qw = target(op, (int) in[1][n], c, classes);
                    if (in[1][n] != op.ignore() && qw != 0) {
                        loss -= sampleWeight(op, in, n) * qw * logp;
                    }
                }
            }
            out[0][0] = rows == 0 ? 0 : loss / divisor(op, in[1]);
        };
    }

    static Formula crossEntropyBackward(CrossEntropy op, Shape p) {
        int classes = p.get(p.rank() - 1);
        return (in, out) -> {
            double dloss = in[in.length - 1][0];
            double divisor = divisor(op, in[1]);
            for (int n = 0; n < in[1].length; n++) {
                double sum = 0;
                for (int c = 0; c < classes; c++) {
                    sum += target(op, (int) in[1][n], c, classes);
                }
                double scale = sampleWeight(op, in, n) * dloss / divisor;
                for (int c = 0; c < classes; c++) {
                    double d = in[0][n * classes + c] * sum - target(op, (int) in[1][n], c, classes);
                    out[0][n * classes + c] = in[1][n] == op.ignore() ? 0 : d * scale;
                }
            }
        };
    }

    /** q·w of one class, with q = (1 − s)·onehot + s/C. */
    private static double target(CrossEntropy op, int label, int c, int classes) {
        double q = (c == label ? 1 - op.smoothing() : 0) + op.smoothing() / (double) classes;
        return q * (op.classWeights().isEmpty() ? 1 : op.classWeights().get(c));
    }

    private static double sampleWeight(CrossEntropy op, double[][] in, int row) {
        return op.weighted() ? in[2][row / (in[1].length / in[2].length)] : 1;
    }

    private static double divisor(CrossEntropy op, double[] labels) {
        double sum = 0;
        for (double label : labels) {
            if (label != op.ignore()) {
                sum += op.classWeights().isEmpty() ? 1 : op.classWeights().get((int) label);
            }
        }
        return sum;
    }

    private LossReference() {}
}
