package dev.hadal.backend.jvm.simd;

import dev.hadal.op.Activation;
import dev.hadal.op.Adam;
import dev.hadal.op.Sgd;
import dev.hadal.tensor.Bf16;
import java.util.Arrays;

/** Each loop copies up to a row's length of every operand, works on the rows, and copies the result out. */
final class PlainLoops implements Loops {
    private static final int ROW = 512;

    /** How many terms of a sum a call of {@link #addEight} adds. */
    private static final int TERMS = 32;

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
    public float largest(int n, float[] x, int xAt) {
        float largest = Float.NEGATIVE_INFINITY;
        for (int i = 0; i < n; i++) {
            largest = Math.max(x[xAt + i], largest);
        }
        return largest;
    }

    @Override
    public double exponentials(int n, float[] x, int xAt, float shift, float[] y, int yAt) {
        double sum = 0;
        for (int i = 0; i < n; i++) {
            float e = Exponential.ofNegative(x[xAt + i] - shift);
            y[yAt + i] = e;
            sum += e;
        }
        return sum;
    }

    @Override
    public void normalize(
            int n,
            float[] x,
            int xAt,
            float shift,
            float rho,
            float c,
            float[] a,
            int aAt,
            float[] b,
            int bAt,
            float[] y,
            int yAt) {
        for (int i = 0; i < n; i++) {
            y[yAt + i] = ((x[xAt + i] - shift) * rho - c) * a[aAt + i] + b[bAt + i];
        }
    }

    @Override
    public void normalizeBackward(
            int n,
            float[] x,
            int xAt,
            float shift,
            float rho,
            float[] dy,
            int dyAt,
            float[] a,
            int aAt,
            float[] sums,
            int sumsAt,
            float[] z,
            int zAt) {
        for (int i = 0; i < n; i++) {
            float d = dy[dyAt + i];
            sums[sumsAt + i] += d * ((x[xAt + i] - shift) * rho);
            z[zAt + i] = d * a[aAt + i];
        }
    }

    @Override
    public void dequantize(int n, byte[] q, int qAt, boolean unsigned, float scale, int zero, float[] x, int xAt) {
        int mask = unsigned ? 0xFF : -1;
        for (int i = 0; i < n; i++) {
            x[xAt + i] = scale * ((q[qAt + i] & mask) - zero);
        }
    }

    /** Adding and subtracting 1.5·2²³ rounds what is smaller; NaN stays NaN until it becomes the integer 0. */
    @Override
    public void quantize(
            int n, float[] x, int xAt, float inverse, float least, float greatest, int zero, byte[] q, int qAt) {
        float rounding = 0x1.8p23f;
        for (int i = 0; i < n; i++) {
            float clamped = Math.max(least, Math.min(greatest, x[xAt + i] * inverse));
            q[qAt + i] = (byte) ((int) (clamped + rounding - rounding) + zero);
        }
    }

    @Override
    public void dots(int rows, int n, short[] x, int xAt, byte[] w, int wAt, int[] sums) {
        for (int r = 0; r < rows; r++) {
            int at = wAt + r * n;
            int sum = 0;
            for (int i = 0; i < n; i++) {
                sum += x[xAt + i] * w[at + i];
            }
            sums[r] = sum;
        }
    }

    @Override
    public void widen(int n, short[] x, int xAt, float[] y, int yAt) {
        Bf16.widen(n, x, xAt, y, yAt);
    }

    @Override
    public void narrow(int n, float[] x, int xAt, short[] y, int yAt) {
        Bf16.narrow(n, x, xAt, y, yAt);
    }

    @Override
    public int activate(Activation.Function f, int n, float[] x, int xAt, float[] y, int yAt) {
        return 0;
    }

    @Override
    public int activateBackward(
            Activation.Function f, int n, float[] x, int xAt, float[] dy, int dyAt, float[] dx, int dxAt) {
        return 0;
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

    /** Eight sums at a time, a few terms each: short calls are what a JVM that has just started compiles soonest. */
    @Override
    public void row(int n, int depth, float[] a, int aAt, float[] b, int bAt, float[] c, int cAt) {
        Arrays.fill(c, cAt, cAt + n, 0f);
        int j = 0;
        for (; j + 8 <= n; j += 8) {
            for (int k = 0; k < depth; k += TERMS) {
                int count = Math.min(TERMS, depth - k);
                addEight(count, a, aAt + k, b, bAt + j * depth + k, depth, c, cAt + j);
            }
        }
        for (; j < n; j++) {
            addOne(depth, a, aAt, b, bAt + j * depth, c, cAt + j);
        }
    }

    private static void addEight(int count, float[] a, int aAt, float[] b, int bAt, int bRow, float[] c, int cAt) {
        float c0 = c[cAt];
        float c1 = c[cAt + 1];
        float c2 = c[cAt + 2];
        float c3 = c[cAt + 3];
        float c4 = c[cAt + 4];
        float c5 = c[cAt + 5];
        float c6 = c[cAt + 6];
        float c7 = c[cAt + 7];
        for (int k = 0; k < count; k++) {
            float ak = a[aAt + k];
            int at = bAt + k;
            c0 += ak * b[at];
            c1 += ak * b[at + bRow];
            c2 += ak * b[at + 2 * bRow];
            c3 += ak * b[at + 3 * bRow];
            c4 += ak * b[at + 4 * bRow];
            c5 += ak * b[at + 5 * bRow];
            c6 += ak * b[at + 6 * bRow];
            c7 += ak * b[at + 7 * bRow];
        }
        c[cAt] = c0;
        c[cAt + 1] = c1;
        c[cAt + 2] = c2;
        c[cAt + 3] = c3;
        c[cAt + 4] = c4;
        c[cAt + 5] = c5;
        c[cAt + 6] = c6;
        c[cAt + 7] = c7;
    }

    private static void addOne(int count, float[] a, int aAt, float[] b, int bAt, float[] c, int cAt) {
        float sum = c[cAt];
        for (int k = 0; k < count; k++) {
            sum += a[aAt + k] * b[bAt + k];
        }
        c[cAt] = sum;
    }

    @Override
    public int productColumns() {
        return 4;
    }

    /** Two rows by four columns at a time, in registers: rows this short are not worth copying. */
    @Override
    public void product(
            int m,
            int n,
            int depth,
            float[] a,
            int aAt,
            int aRow,
            int aColumn,
            float[] b,
            int bAt,
            int bRow,
            float[] c,
            int cAt,
            int cRow) {
        for (int j = 0; j < n; j += 4) {
            int at = Math.min(j, n - 4); // the last four may repeat some sums
            for (int i = 0; i < m; i += 2) {
                int second = i + 1 < m ? 1 : 0; // the last row may be its own second
                int aFirst = aAt + i * aRow;
                int cFirst = cAt + i * cRow + at;
                twoRows(depth, a, aFirst, second * aRow, aColumn, b, bAt + at, bRow, c, cFirst, second * cRow);
            }
        }
    }

    private static void twoRows(
            int depth,
            float[] a,
            int aAt,
            int aRow,
            int aColumn,
            float[] b,
            int bAt,
            int bRow,
            float[] c,
            int cAt,
            int cRow) {
        float c00 = 0;
        float c01 = 0;
        float c02 = 0;
        float c03 = 0;
        float c10 = 0;
        float c11 = 0;
        float c12 = 0;
        float c13 = 0;
        for (int k = 0; k < depth; k++) {
            int bk = bAt + k * bRow;
            float a0 = a[aAt + k * aColumn];
            float a1 = a[aAt + k * aColumn + aRow];
            c00 += a0 * b[bk];
            c01 += a0 * b[bk + 1];
            c02 += a0 * b[bk + 2];
            c03 += a0 * b[bk + 3];
            c10 += a1 * b[bk];
            c11 += a1 * b[bk + 1];
            c12 += a1 * b[bk + 2];
            c13 += a1 * b[bk + 3];
        }
        c[cAt + cRow] = c10;
        c[cAt + cRow + 1] = c11;
        c[cAt + cRow + 2] = c12;
        c[cAt + cRow + 3] = c13;
        c[cAt] = c00;
        c[cAt + 1] = c01;
        c[cAt + 2] = c02;
        c[cAt + 3] = c03;
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
    public void largest(
            int n, int stride, int count, int[] taps, float[] x, int place, int[] places, float[] best, float[] found) {
        for (int i = 0; i < n; i++) {
            float largest = x[taps[0] + i * stride];
            int tap = 0;
            for (int k = 1; k < count; k++) {
                float xk = x[taps[k] + i * stride];
                boolean larger = xk > largest || Float.isNaN(xk);
                largest = larger ? xk : largest;
                tap = larger ? k : tap;
            }
            best[i] = largest;
            found[i] = place + places[tap] + i * stride;
        }
    }
}
