package dev.hadal.backend.jvm;

import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.op.Adam;
import dev.hadal.op.Hyper;
import dev.hadal.op.Lion;
import dev.hadal.op.NAdam;
import dev.hadal.op.Norm;
import dev.hadal.op.RmsProp;
import dev.hadal.op.Sgd;
import dev.hadal.op.Shadowed;
import dev.hadal.op.UpdateOp;
import java.util.Arrays;

/** Optimizers' updates, in the symbols of their ops. */
final class UpdateReference {

    static void define(OpTable<OpTable.Types, Formula> table) {
        table.put(Norm.class, (op, t) -> norm());
        table.put(Sgd.class, (op, t) -> sgd(op));
        table.put(RmsProp.class, (op, t) -> rmsprop(op));
        table.put(Adam.class, (op, t) -> adam(op));
        table.put(NAdam.class, (op, t) -> nadam(op));
        table.put(Lion.class, (op, t) -> lion(op));
        table.put(Shadowed.class, (op, t) -> shadowed(op, t));
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

    /** What a rule makes of d and its moments at one place; it leaves the new moments there. */
    private interface Step {
        double of(double d, double[][] moments, int i, double[] hyper);
    }

    private static Formula update(UpdateOp op, Step rule) {
        int k = op.moments().size();
        return (in, out) -> {
            double norm = in[2 + k][0];
            double[] hyper = in[3 + k];
            double clip = Math.min(1, hyper[Hyper.CLIP] / (norm + 1e-6));
            double value = hyper[Hyper.CLIP_VALUE];
            double[][] moments = new double[k][];
            for (int m = 0; m < k; m++) {
                System.arraycopy(in[2 + m], 0, out[1 + m], 0, out[0].length);
                moments[m] = out[1 + m];
            }
            for (int i = 0; i < out[0].length; i++) {
                double w = in[0][i];
                if (Double.isFinite(norm)) {
                    double g = Math.max(-value, Math.min(value, in[1][i] * clip));
                    double d = g + hyper[Hyper.L2] * w;
                    double s = rule.of(d, moments, i, hyper);
                    w = w - hyper[Hyper.RATE] * (s + hyper[Hyper.DECAY] * w);
                }
                out[0][i] = w;
            }
        };
    }

    /** What the rule makes, and the new w, from which the shadow is rounded. */
    private static Formula shadowed(Shadowed op, OpTable.Types types) {
        int operands = types.in().size() - 1;
        int results = types.out().size() - 1;
        Formula rule = Reference.formula(
                        op.rule(), types.in().subList(0, operands), types.out().subList(0, results))
                .orElseThrow();
        return (in, out) -> {
            rule.run(Arrays.copyOf(in, operands), Arrays.copyOf(out, results));
            boolean finite = Double.isFinite(in[operands - 2][0]);
            System.arraycopy(finite ? out[0] : in[operands], 0, out[results], 0, out[results].length);
        };
    }

    private static Formula sgd(Sgd op) {
        double mu = op.momentum();
        return update(op, (d, moments, i, hyper) -> {
            if (mu == 0) {
                return d;
            }
            double m = mu * moments[0][i] + d;
            moments[0][i] = m;
            return op.nesterov() ? d + mu * m : m;
        });
    }

    private static Formula rmsprop(RmsProp op) {
        double alpha = op.alpha();
        int last = op.moments().size() - 1;
        return update(op, (d, moments, i, hyper) -> {
            double v = alpha * moments[0][i] + (1 - alpha) * d * d;
            moments[0][i] = v;
            double variance = v;
            if (op.centred()) {
                double c = alpha * moments[1][i] + (1 - alpha) * d;
                moments[1][i] = c;
                variance = Math.max(v - c * c, 0);
            }
            double s = d / (Math.sqrt(variance) + op.epsilon());
            if (op.momentum() > 0) {
                s = op.momentum() * moments[last][i] + s;
                moments[last][i] = s;
            }
            return s;
        });
    }

    private static Formula adam(Adam op) {
        double beta1 = op.beta1();
        double beta2 = op.beta2();
        return update(op, (d, moments, i, hyper) -> {
            double m = beta1 * moments[0][i] + (1 - beta1) * d;
            double v = beta2 * moments[1][i] + (1 - beta2) * d * d;
            moments[0][i] = m;
            moments[1][i] = v;
            if (op.amsgrad()) {
                v = Math.max(moments[2][i], v);
                moments[2][i] = v;
            }
            double mHat = m * hyper[Hyper.CORRECTION1];
            double vHat = v * hyper[Hyper.CORRECTION2];
            return mHat / (Math.sqrt(vHat) + op.epsilon());
        });
    }

    private static Formula nadam(NAdam op) {
        double beta1 = op.beta1();
        double beta2 = op.beta2();
        return update(op, (d, moments, i, hyper) -> {
            double m = beta1 * moments[0][i] + (1 - beta1) * d;
            double v = beta2 * moments[1][i] + (1 - beta2) * d * d;
            moments[0][i] = m;
            moments[1][i] = v;
            double ahead = hyper[Hyper.CORRECTION1] * m + hyper[Hyper.CORRECTION3] * d;
            return ahead / (Math.sqrt(v * hyper[Hyper.CORRECTION2]) + op.epsilon());
        });
    }

    private static Formula lion(Lion op) {
        double beta1 = op.beta1();
        double beta2 = op.beta2();
        return update(op, (d, moments, i, hyper) -> {
            double m = moments[0][i];
            moments[0][i] = beta2 * m + (1 - beta2) * d;
            return Math.signum(beta1 * m + (1 - beta1) * d);
        });
    }

    private UpdateReference() {}
}
