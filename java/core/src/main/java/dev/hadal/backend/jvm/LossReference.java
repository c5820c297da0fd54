package dev.hadal.backend.jvm;

import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.op.CrossEntropy;
import dev.hadal.tensor.Shape;

/** Losses. */
final class LossReference {

    static void define(OpTable<OpTable.Types, Formula> table) {
        table.put(CrossEntropy.class, (op, t) -> crossEntropy(op, t.x(0)));
        table.put(CrossEntropy.Backward.class, (op, t) -> crossEntropyBackward(op, t.x(0)));
    }

    static Formula crossEntropy(CrossEntropy op, Shape x) {
        int rows = x.get(0);
        int classes = x.get(1);
        return (in, out) -> {
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
                    loss -= target(op.smoothing(), c == in[1][n], classes) * logp / rows;
                }
            }
            out[0][0] = loss;
        };
    }

    static Formula crossEntropyBackward(CrossEntropy.Backward op, Shape p) {
        int rows = p.get(0);
        int classes = p.get(1);
        return (in, out) -> {
            for (int i = 0; i < out[0].length; i++) {
                boolean hit = i % classes == in[1][i / classes];
                out[0][i] = (in[0][i] - target(op.smoothing(), hit, classes)) * in[2][0] / rows;
            }
        };
    }

    /** q = (1 − s)·onehot + s/C */
    private static double target(double smoothing, boolean hit, int classes) {
        return (hit ? 1 - smoothing : 0) + smoothing / classes;
    }

    private LossReference() {}
}
