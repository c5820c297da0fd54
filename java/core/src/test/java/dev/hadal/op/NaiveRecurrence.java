package dev.hadal.op;

import dev.hadal.op.Recurrent.Cell;
import dev.hadal.op.Recurrent.Extent;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@link NaiveLoops} for recurrent networks: the reference, rounded to f32 after every operation. */
final class NaiveRecurrence {

    private static float @Nullable [] named(List<String> names, float[][] values, String name) {
        int at = names.indexOf(name);
        return at < 0 ? null : values[at];
    }

    /** The steps of one sequence, first to last as time runs in that direction. */
    private static int[] steps(Recurrent op, Extent e, float @Nullable [] lengths, int n) {
        int length = lengths == null ? e.t() : (int) Math.max(0, Math.min(e.t(), lengths[n]));
        int[] steps = new int[length];
        Arrays.setAll(steps, s -> op.reverse() ? length - 1 - s : s);
        return steps;
    }

    private static float sigmoid(float x) {
        return 1 / (1 + (float) Math.exp(-x));
    }

    static NaiveLoops.Loops forward(Recurrent op, Extent e) {
        int units = e.h();
        int gates = op.cell().gates() * units;
        return (in, out) -> {
            for (float[] y : out) {
                Arrays.fill(y, 0);
            }
            float[] h0 = named(op.operands(), in, "h0");
            float[] c0 = named(op.operands(), in, "c0");
            float[] kept = named(op.results(), out, "kept");
            float[] a = new float[gates];
            float[] b = new float[gates];
            float[] keep = new float[op.cell().kept()];
            for (int n = 0; n < e.n(); n++) {
                float[] h = new float[units];
                float[] c = new float[units];
                for (int j = 0; j < units; j++) {
                    h[j] = h0 == null ? 0 : h0[n * units + j];
                    c[j] = c0 == null ? 0 : c0[n * units + j];
                }
                for (int t : steps(op, e, named(op.operands(), in, "lengths"), n)) {
                    int row = n * e.t() + t;
                    for (int k = 0; k < gates; k++) {
                        a[k] = in[3][k];
                        b[k] = in[4][k];
                        for (int i = 0; i < e.i(); i++) {
                            a[k] += in[1][k * e.i() + i] * in[0][row * e.i() + i];
                        }
                        for (int j = 0; j < units; j++) {
                            b[k] += in[2][k * units + j] * h[j];
                        }
                    }
                    for (int j = 0; j < units; j++) {
                        step(op.cell(), units, j, a, b, h, c, keep);
                        out[0][row * units + j] = h[j];
                        for (int k = 0; kept != null && k < keep.length; k++) {
                            kept[(row * keep.length + k) * units + j] = keep[k];
                        }
                    }
                }
                System.arraycopy(h, 0, out[1], n * units, units);
                if (op.cell() == Cell.LSTM) {
                    System.arraycopy(c, 0, out[2], n * units, units);
                }
            }
        };
    }

    /** The formulas of {@link Cell}, for one unit. */
    private static void step(Cell cell, int units, int j, float[] a, float[] b, float[] h, float[] c, float[] keep) {
        switch (cell) {
            case RNN_TANH -> h[j] = (float) Math.tanh(a[j] + b[j]);
            case RNN_RELU -> h[j] = Math.max(a[j] + b[j], 0);
            case LSTM -> {
                float i = sigmoid(a[j] + b[j]);
                float f = sigmoid(a[units + j] + b[units + j]);
                float g = (float) Math.tanh(a[2 * units + j] + b[2 * units + j]);
                float o = sigmoid(a[3 * units + j] + b[3 * units + j]);
                c[j] = f * c[j] + i * g;
                h[j] = o * (float) Math.tanh(c[j]);
                copy(keep, i, f, g, o, c[j]);
            }
            case GRU -> {
                float r = sigmoid(a[j] + b[j]);
                float z = sigmoid(a[units + j] + b[units + j]);
                float q = b[2 * units + j];
                float g = (float) Math.tanh(a[2 * units + j] + r * q);
                h[j] = (1 - z) * g + z * h[j];
                copy(keep, r, z, g, q);
            }
        }
    }

    private static void copy(float[] to, float... values) {
        System.arraycopy(values, 0, to, 0, values.length);
    }

    static NaiveLoops.Loops backward(Recurrent.Backward backward, Extent e) {
        Recurrent op = backward.forward();
        List<String> names = backward.operands();
        int units = e.h();
        int gates = op.cell().gates() * units;
        int kept = op.cell().kept();
        return (in, out) -> {
            for (float[] dx : out) {
                Arrays.fill(dx, 0);
            }
            float[] h0 = named(names, in, "h0");
            float[] c0 = named(names, in, "c0");
            float[] y = in[names.indexOf("y")];
            float[] keeps = named(names, in, "kept");
            float[] dy = named(names, in, "dy");
            float[] dhLast = named(names, in, "dh");
            float[] dcLast = named(names, in, "dc");
            float[] da = new float[gates];
            float[] db = new float[gates];
            float[] keep = new float[kept];
            for (int n = 0; n < e.n(); n++) {
                float[] dh = new float[units];
                float[] dc = new float[units];
                for (int j = 0; j < units; j++) {
                    dh[j] = dhLast == null ? 0 : dhLast[n * units + j];
                    dc[j] = dcLast == null ? 0 : dcLast[n * units + j];
                }
                int[] steps = steps(op, e, named(names, in, "lengths"), n);
                for (int s = steps.length - 1; s >= 0; s--) {
                    int row = n * e.t() + steps[s];
                    int before = s == 0 ? -1 : n * e.t() + steps[s - 1];
                    float[] h = new float[units];
                    for (int j = 0; j < units; j++) {
                        float first = h0 == null ? 0 : h0[n * units + j];
                        h[j] = s == 0 ? first : y[before * units + j];
                        for (int k = 0; k < kept && keeps != null; k++) {
                            keep[k] = keeps[(row * kept + k) * units + j];
                        }
                        float c = 0;
                        if (op.cell() == Cell.LSTM && keeps != null) {
                            float firstC = c0 == null ? 0 : c0[n * units + j];
                            c = s == 0 ? firstC : keeps[(before * kept + 4) * units + j];
                        }
                        dh[j] += dy == null ? 0 : dy[row * units + j];
                        stepBackward(op.cell(), units, j, y[row * units + j], h[j], c, keep, dh, dc, da, db);
                    }
                    for (int k = 0; k < gates; k++) {
                        out[3][k] += da[k];
                        out[4][k] += db[k];
                        for (int i = 0; i < e.i(); i++) {
                            out[0][row * e.i() + i] += da[k] * in[1][k * e.i() + i];
                            out[1][k * e.i() + i] += da[k] * in[0][row * e.i() + i];
                        }
                        for (int j = 0; j < units; j++) {
                            dh[j] += db[k] * in[2][k * units + j];
                            out[2][k * units + j] += db[k] * h[j];
                        }
                    }
                }
                if (op.initial()) {
                    System.arraycopy(dh, 0, out[5], n * units, units);
                }
                if (op.initial() && op.cell() == Cell.LSTM) {
                    System.arraycopy(dc, 0, out[6], n * units, units);
                }
            }
        };
    }

    /**
     * For one unit, from the gradients dh and dc of its states after a step: those of aₖ and bₖ into da and db, and in dh
     * and dc what reaches the states before the step without passing the weights.
     *
     * @param y h after the step
     * @param h before the step
     * @param c before the step
     */
    private static void stepBackward(
            Cell cell,
            int units,
            int j,
            float y,
            float h,
            float c,
            float[] keep,
            float[] dh,
            float[] dc,
            float[] da,
            float[] db) {
        float d = dh[j];
        switch (cell) {
            case RNN_TANH -> {
                da[j] = d * (1 - y * y);
                db[j] = da[j];
                dh[j] = 0;
            }
            case RNN_RELU -> {
                da[j] = y > 0 ? d : 0;
                db[j] = da[j];
                dh[j] = 0;
            }
            case LSTM -> {
                float i = keep[0];
                float f = keep[1];
                float g = keep[2];
                float o = keep[3];
                float tanh = (float) Math.tanh(keep[4]);
                float dcj = dc[j] + d * o * (1 - tanh * tanh);
                da[j] = dcj * g * i * (1 - i);
                da[units + j] = dcj * c * f * (1 - f);
                da[2 * units + j] = dcj * i * (1 - g * g);
                da[3 * units + j] = d * tanh * o * (1 - o);
                for (int k = 0; k < 4; k++) {
                    db[k * units + j] = da[k * units + j];
                }
                dh[j] = 0;
                dc[j] = dcj * f;
            }
            case GRU -> {
                float r = keep[0];
                float z = keep[1];
                float g = keep[2];
                float q = keep[3];
                float dn = d * (1 - z) * (1 - g * g);
                da[j] = dn * q * r * (1 - r);
                da[units + j] = d * (h - g) * z * (1 - z);
                da[2 * units + j] = dn;
                db[j] = da[j];
                db[units + j] = da[units + j];
                db[2 * units + j] = dn * r;
                dh[j] = d * z;
            }
        }
    }

    private NaiveRecurrence() {}
}
