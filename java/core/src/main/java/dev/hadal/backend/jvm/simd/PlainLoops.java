package dev.hadal.backend.jvm.simd;

import dev.hadal.op.AdamW;
import dev.hadal.op.Hyper;
import dev.hadal.op.Sgd;
import java.util.Arrays;

/** Each loop copies up to a row's length of every operand, works on the rows, and copies the result out. */
final class PlainLoops implements Loops {
    private static final int ROW = 512;

    private final float[] p = new float[ROW];
    private final float[] q = new float[ROW];
    private final float[] r = new float[ROW];
    private final float[] s = new float[ROW];

    @Override
    public void scale(Runs runs, float a, float[] x, int xAt, float shift, float c, float[] z, int zAt) {
        for (int run = 0; run < runs.count(); run++) {
            int from = run * runs.stride();
            for (int i = from; i < from + runs.length(); i += ROW) {
                int n = Math.min(ROW, from + runs.length() - i);
                System.arraycopy(x, xAt + i, p, 0, n);
                scale(n, a, p, shift, c);
                System.arraycopy(p, 0, z, zAt + i, n);
            }
        }
    }

    private static void scale(int n, float a, float[] x, float shift, float c) {
        for (int i = 0; i < n; i++) {
            x[i] = a * (x[i] - shift) + c;
        }
    }

    @Override
    public void combine(
            Runs runs,
            float a,
            float[] x,
            int xAt,
            float b,
            float[] y,
            int yAt,
            float shift,
            float c,
            float[] z,
            int zAt) {
        for (int run = 0; run < runs.count(); run++) {
            int from = run * runs.stride();
            for (int i = from; i < from + runs.length(); i += ROW) {
                int n = Math.min(ROW, from + runs.length() - i);
                System.arraycopy(x, xAt + i, p, 0, n);
                System.arraycopy(y, yAt + i, q, 0, n);
                combine(n, a, p, b, q, shift, c);
                System.arraycopy(p, 0, z, zAt + i, n);
            }
        }
    }

    private static void combine(int n, float a, float[] x, float b, float[] y, float shift, float c) {
        for (int i = 0; i < n; i++) {
            x[i] = a * x[i] + b * (y[i] - shift) + c;
        }
    }

    @Override
    public void relu(int n, float[] x, int xAt, float[] y, int yAt) {
        for (int i = 0; i < n; i += ROW) {
            int count = Math.min(ROW, n - i);
            System.arraycopy(x, xAt + i, p, 0, count);
            relu(count, p);
            System.arraycopy(p, 0, y, yAt + i, count);
        }
    }

    private static void relu(int n, float[] x) {
        for (int i = 0; i < n; i++) {
            x[i] = Math.max(x[i], 0f);
        }
    }

    @Override
    public void reluBackward(int n, float[] y, int yAt, float[] dy, int dyAt, float[] dx, int dxAt) {
        for (int i = 0; i < n; i++) {
            dx[dxAt + i] = y[yAt + i] > 0 ? dy[dyAt + i] : 0f;
        }
    }

    @Override
    public void moments(Runs runs, float[] x, int xAt, float shift, double[] sums) {
        double sum = 0;
        double squares = 0;
        for (int run = 0; run < runs.count(); run++) {
            int from = xAt + run * runs.stride();
            for (int i = from; i < from + runs.length(); i++) {
                float d = x[i] - shift;
                sum += d;
                squares += d * d;
            }
        }
        sums[0] += sum;
        sums[1] += squares;
    }

    @Override
    public void products(Runs runs, float[] x, int xAt, float shift, float[] y, int yAt, double[] sums) {
        double sum = 0;
        double products = 0;
        for (int run = 0; run < runs.count(); run++) {
            int from = run * runs.stride();
            for (int i = from; i < from + runs.length(); i++) {
                float yi = y[yAt + i];
                sum += yi;
                products += (x[xAt + i] - shift) * yi;
            }
        }
        sums[0] += sum;
        sums[1] += products;
    }

    @Override
    public void blend(int n, int depth, float[] a, int aAt, float[] b, int[] bRows, int bAt, float[] c, int cAt) {
        for (int j = 0; j < n; j += ROW) {
            int count = Math.min(ROW, n - j);
            Arrays.fill(p, 0, count, 0f);
            for (int k = 0; k < depth; k++) {
                System.arraycopy(b, bAt + bRows[k] + j, q, 0, count);
                addScaled(count, a[aAt + k], q, p);
            }
            System.arraycopy(p, 0, c, cAt + j, count);
        }
    }

    private static void addScaled(int n, float a, float[] b, float[] c) {
        for (int j = 0; j < n; j++) {
            c[j] += a * b[j];
        }
    }

    @Override
    public void adamw(
            AdamW op,
            float[] hyper,
            int hyperAt,
            float clip,
            int n,
            float[] w,
            int wAt,
            float[] g,
            int gAt,
            float[] m,
            int mAt,
            float[] v,
            int vAt) {
        float rate = hyper[hyperAt + Hyper.RATE];
        float decay = hyper[hyperAt + Hyper.DECAY];
        float correction1 = hyper[hyperAt + Hyper.CORRECTION1];
        float correction2 = hyper[hyperAt + Hyper.CORRECTION2];
        for (int i = 0; i < n; i += ROW) {
            int count = Math.min(ROW, n - i);
            System.arraycopy(w, wAt + i, p, 0, count);
            System.arraycopy(g, gAt + i, q, 0, count);
            System.arraycopy(m, mAt + i, r, 0, count);
            System.arraycopy(v, vAt + i, s, 0, count);
            adamw(count, p, q, r, s, clip, op.beta1(), op.beta2(), correction1, correction2, rate, op.epsilon(), decay);
            System.arraycopy(p, 0, w, wAt + i, count);
            System.arraycopy(r, 0, m, mAt + i, count);
            System.arraycopy(s, 0, v, vAt + i, count);
        }
    }

    private static void adamw(
            int n,
            float[] w,
            float[] g,
            float[] m,
            float[] v,
            float clip,
            float beta1,
            float beta2,
            float correction1,
            float correction2,
            float rate,
            float epsilon,
            float decay) {
        for (int i = 0; i < n; i++) {
            float gi = clip * g[i];
            m[i] = beta1 * m[i] + (1 - beta1) * gi;
            v[i] = beta2 * v[i] + (1 - beta2) * (gi * gi);
            float mHat = correction1 * m[i];
            float vHat = correction2 * v[i];
            w[i] = w[i] - rate * (mHat / ((float) Math.sqrt(vHat) + epsilon) + decay * w[i]);
        }
    }

    @Override
    public void sgd(
            Sgd op,
            float[] hyper,
            int hyperAt,
            float clip,
            int n,
            float[] w,
            int wAt,
            float[] g,
            int gAt,
            float[] m,
            int mAt) {
        float rate = hyper[hyperAt + Hyper.RATE];
        float decay = hyper[hyperAt + Hyper.DECAY];
        for (int i = 0; i < n; i += ROW) {
            int count = Math.min(ROW, n - i);
            System.arraycopy(w, wAt + i, p, 0, count);
            System.arraycopy(g, gAt + i, q, 0, count);
            System.arraycopy(m, mAt + i, r, 0, count);
            sgd(count, p, q, r, clip, decay, op.momentum(), rate, op.nesterov());
            System.arraycopy(p, 0, w, wAt + i, count);
            System.arraycopy(r, 0, m, mAt + i, count);
        }
    }

    private static void sgd(
            int n, float[] w, float[] g, float[] m, float clip, float decay, float mu, float rate, boolean nesterov) {
        // m counts fully in the plain rule; in Nesterov's it is damped once more, and d counts, too
        float dShare = nesterov ? 1 : 0;
        float mShare = nesterov ? mu : 1;
        for (int i = 0; i < n; i++) {
            float d = clip * g[i] + decay * w[i];
            m[i] = mu * m[i] + d;
            w[i] = w[i] - rate * (dShare * d + mShare * m[i]);
        }
    }
}
