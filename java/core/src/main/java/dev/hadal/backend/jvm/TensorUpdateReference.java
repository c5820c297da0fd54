package dev.hadal.backend.jvm;

import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.op.ClipGradient;
import dev.hadal.op.Hyper;
import dev.hadal.op.Lamb;
import dev.hadal.op.MovingAverage;
import dev.hadal.op.Muon;
import dev.hadal.tensor.Shape;

/** What optimizers do with whole tensors, in the symbols of their ops. */
final class TensorUpdateReference {

    static void define(OpTable<OpTable.Types, Formula> table) {
        table.put(Lamb.class, (op, t) -> lamb(op));
        table.put(Muon.Direction.class, (op, t) -> direction(op));
        table.put(Muon.Apply.class, (op, t) -> apply(op));
        table.put(ClipGradient.class, (op, t) -> clip(op, t.x(0)));
        table.put(MovingAverage.class, (op, t) -> average(op));
    }

    /** d, the clipped gradient with its decay. */
    private static double d(double w, double g, double norm, double[] hyper) {
        double clip = Math.min(1, hyper[Hyper.CLIP] / (norm + 1e-6));
        double value = hyper[Hyper.CLIP_VALUE];
        return Math.max(-value, Math.min(value, g * clip)) + hyper[Hyper.L2] * w;
    }

    private static double length(double[] x, int from, int to) {
        double sum = 0;
        for (int i = from; i < to; i++) {
            sum += x[i] * x[i];
        }
        return Math.sqrt(sum);
    }

    private static Formula lamb(Lamb op) {
        double beta1 = op.beta1();
        double beta2 = op.beta2();
        return (in, out) -> {
            double[] w = in[0];
            double norm = in[4][0];
            double[] hyper = in[5];
            int n = w.length;
            double[] r = new double[n];
            for (int i = 0; i < n; i++) {
                out[0][i] = w[i];
                out[1][i] = in[2][i];
                out[2][i] = in[3][i];
                if (Double.isFinite(norm)) {
                    double d = d(w[i], in[1][i], norm, hyper);
                    out[1][i] = beta1 * in[2][i] + (1 - beta1) * d;
                    out[2][i] = beta2 * in[3][i] + (1 - beta2) * d * d;
                    double mHat = out[1][i] * hyper[Hyper.CORRECTION1];
                    double vHat = out[2][i] * hyper[Hyper.CORRECTION2];
                    r[i] = mHat / (Math.sqrt(vHat) + op.epsilon()) + hyper[Hyper.DECAY] * w[i];
                }
            }
            double ofW = length(w, 0, n);
            double ofR = length(r, 0, n);
            double phi = ofW > 0 && ofR > 0 ? ofW / ofR : 1;
            for (int i = 0; i < n && Double.isFinite(norm); i++) {
                out[0][i] = w[i] - hyper[Hyper.RATE] * phi * r[i];
            }
        };
    }

    private static Formula direction(Muon.Direction op) {
        double mu = op.momentum();
        return (in, out) -> {
            double norm = in[3][0];
            double[] u = out[1];
            for (int i = 0; i < u.length; i++) {
                double m = in[2][i];
                u[i] = 0;
                if (Double.isFinite(norm)) {
                    double d = d(in[0][i], in[1][i], norm, in[4]);
                    m = mu * m + d;
                    u[i] = op.nesterov() ? d + mu * m : m;
                }
                out[0][i] = m;
            }
            double length = length(u, 0, u.length);
            for (int i = 0; i < u.length; i++) {
                u[i] /= length + 1e-7;
            }
        };
    }

    private static Formula apply(Muon.Apply op) {
        return (in, out) -> {
            double[] hyper = in[3];
            for (int i = 0; i < out[0].length; i++) {
                double w = in[0][i];
                double s = op.scale() * in[1][i];
                out[0][i] = Double.isFinite(in[2][0]) ? w - hyper[Hyper.RATE] * (s + hyper[Hyper.DECAY] * w) : w;
            }
        };
    }

    private static Formula clip(ClipGradient op, Shape shape) {
        int units = op.units(shape);
        return (in, out) -> {
            int unit = units == 0 ? 0 : out[0].length / units;
            for (int u = 0; u < units; u++) {
                double g = length(in[1], u * unit, (u + 1) * unit);
                double factor = Math.min(1, op.limit() / (g + 1e-6));
                if (op.adaptive()) {
                    double limit = op.limit() * Math.max(length(in[0], u * unit, (u + 1) * unit), 1e-3);
                    factor = g > limit ? limit / g : 1;
                }
                for (int i = u * unit; i < (u + 1) * unit; i++) {
                    out[0][i] = in[1][i] * factor;
                }
            }
        };
    }

    private static Formula average(MovingAverage op) {
        double beta = op.beta();
        return (in, out) -> {
            for (int i = 0; i < out[0].length; i++) {
                double e = in[0][i];
                out[0][i] = Double.isFinite(in[2][0]) ? beta * e + (1 - beta) * in[1][i] : e;
            }
        };
    }

    private TensorUpdateReference() {}
}
