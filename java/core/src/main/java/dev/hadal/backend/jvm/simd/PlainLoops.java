package dev.hadal.backend.jvm.simd;

import dev.hadal.op.Adam;
import dev.hadal.op.Sgd;
import java.util.Arrays;

/** Each loop copies up to a row's length of every operand, works on the rows, and copies the result out. */
final class PlainLoops implements Loops {
    private static final int ROW = 512;

    private final float[] p = new float[ROW];
    private final float[] q = new float[ROW];

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
    public int adam(
            Adam op,
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
        return 0;
    }

    @Override
    public int sgd(
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
        return 0;
    }

    @Override
    public void larger(int n, float[] x, float[] at, float[] best, float[] found) {
        for (int i = 0; i < n; i++) {
            if (x[i] > best[i] || Float.isNaN(x[i])) {
                best[i] = x[i];
                found[i] = at[i];
            }
        }
    }
}
