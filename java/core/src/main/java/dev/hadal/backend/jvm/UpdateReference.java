package dev.hadal.backend.jvm;

import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.op.AdamW;
import dev.hadal.op.Hyper;
import dev.hadal.op.Norm;
import dev.hadal.op.Sgd;

/** Optimizers' updates, in the symbols of their ops. */
final class UpdateReference {

    static void define(OpTable<OpTable.Types, Formula> table) {
        table.put(Norm.class, (op, t) -> norm());
        table.put(AdamW.class, (op, t) -> adamw(op));
        table.put(Sgd.class, (op, t) -> sgd(op));
    }

    static Formula norm() {
        return (in, out) -> {
            double sum = 0;
            for (double[] x : in) {
                for (double xi : x) {
                    sum += xi * xi;
                }
            }
            out[0][0] = Math.sqrt(sum);
        };
    }

    static Formula adamw(AdamW op) {
        return (in, out) -> {
            double[] hyper = in[5];
            double norm = in[4][0];
            double clip = clip(norm, hyper);
            double eta = hyper[Hyper.RATE];
            double lambda = hyper[Hyper.DECAY];
            double beta1 = op.beta1();
            double beta2 = op.beta2();
            for (int i = 0; i < out[0].length; i++) {
                double w = in[0][i];
                double g = in[1][i] * clip;
                double m = in[2][i];
                double v = in[3][i];
                if (Double.isFinite(norm)) {
                    m = beta1 * m + (1 - beta1) * g;
                    v = beta2 * v + (1 - beta2) * g * g;
                    double mHat = m * hyper[Hyper.CORRECTION1];
                    double vHat = v * hyper[Hyper.CORRECTION2];
                    w = w - eta * (mHat / (Math.sqrt(vHat) + op.epsilon()) + lambda * w);
                }
                out[0][i] = w;
                out[1][i] = m;
                out[2][i] = v;
            }
        };
    }

    static Formula sgd(Sgd op) {
        return (in, out) -> {
            double[] hyper = in[4];
            double norm = in[3][0];
            double clip = clip(norm, hyper);
            double mu = op.momentum();
            for (int i = 0; i < out[0].length; i++) {
                double w = in[0][i];
                double m = in[2][i];
                if (Double.isFinite(norm)) {
                    double d = in[1][i] * clip + hyper[Hyper.DECAY] * w;
                    m = mu * m + d;
                    w = w - hyper[Hyper.RATE] * (op.nesterov() ? d + mu * m : m);
                }
                out[0][i] = w;
                out[1][i] = m;
            }
        };
    }

    private static double clip(double norm, double[] hyper) {
        return Math.min(1, hyper[Hyper.CLIP] / (norm + 1e-6));
    }

    private UpdateReference() {}
}
