package dev.hadal.backend.jvm.simd;

import dev.hadal.op.Activation;
import dev.hadal.op.Adam;
import dev.hadal.op.Sgd;

/**
 * Loops over values that lie next to each other. Where a result may be written over an operand, it must begin where the
 * operand does. Loops may keep scratch, so each thread has its own.
 */
public interface Loops {

    /** z = a·(x − s) + c; z may lie over x. */
    void scale(Runs runs, float a, float[] x, int xAt, float s, float c, float[] z, int zAt);

    /** z = a·x + b·(y − s) + c; z may lie over x or y. */
    void combine(
            Runs runs, float a, float[] x, int xAt, float b, float[] y, int yAt, float s, float c, float[] z, int zAt);

    /** y = max(x, 0); y may lie over x. */
    void relu(int n, float[] x, int xAt, float[] y, int yAt);

    /** dx = [y > 0]·dy; dx may lie over y or dy. */
    void reluBackward(int n, float[] y, int yAt, float[] dy, int dyAt, float[] dx, int dxAt);

    /** sums[0] += Σ(x − s) and sums[1] += Σ(x − s)². No partial sum is longer than 64 values in f32. */
    void moments(Runs runs, float[] x, int xAt, float s, double[] sums);

    /** sums[0] += Σy and sums[1] += Σ(x − s)·y, in the same way. */
    void products(Runs runs, float[] x, int xAt, float s, float[] y, int yAt, double[] sums);

    /** max x; −∞ if there is none, and anything if one is NaN. */
    float largest(int n, float[] x, int xAt);

    /** y = e^(x − s) for x ≤ s, as {@link Exponential} has it; returns Σy. y may lie over x. */
    double exponentials(int n, float[] x, int xAt, float s, float[] y, int yAt);

    /** y = ((x − s)·ρ − c)·a + b, with an a and a b for each value; y may lie over x. */
    void normalize(
            int n,
            float[] x,
            int xAt,
            float s,
            float rho,
            float c,
            float[] a,
            int aAt,
            float[] b,
            int bAt,
            float[] y,
            int yAt);

    /** sums += (x − s)·ρ·dy and z = a·dy, with an a for each value. */
    void normalizeBackward(
            int n,
            float[] x,
            int xAt,
            float s,
            float rho,
            float[] dy,
            int dyAt,
            float[] a,
            int aAt,
            float[] sums,
            int sumsAt,
            float[] z,
            int zAt);

    /** sums[r] = Σ x·w of each of so many rows of w, of n values each, one behind the other. */
    void dots(int rows, int n, short[] x, int xAt, byte[] w, int wAt, int[] sums);

    /** x = scale·(q − zero), of n bytes. */
    void dequantize(int n, byte[] q, int qAt, boolean unsigned, float scale, int zero, float[] x, int xAt);

    /** q = clamp(x·inverse, least, greatest) + zero, rounded to the nearest, ties to even; NaN becomes zero. */
    void quantize(int n, float[] x, int xAt, float inverse, float least, float greatest, int zero, byte[] q, int qAt);

    /** Widens n values, as {@link dev.hadal.tensor.Bf16} does. */
    void widen(int n, short[] x, int xAt, float[] y, int yAt);

    /** Narrows n values, as {@link dev.hadal.tensor.Bf16} does. */
    void narrow(int n, float[] x, int xAt, short[] y, int yAt);

    /**
     * y = f(x), within a few units in the last place; y may lie over x.
     *
     * @return how many of the n values were done, from the first on: those that fill vectors, and none in plain loops or
     *     where a plain loop is as fast
     */
    int activate(Activation.Function f, int n, float[] x, int xAt, float[] y, int yAt);

    /** dx = dy·f′(x), in the same way; dx may lie over x or dy. */
    int activateBackward(Activation.Function f, int n, float[] x, int xAt, float[] dy, int dyAt, float[] dx, int dxAt);

    /** c[j] = Σₖ a[k]·b[k][j] for j < n: a {@link Tile} of one row, as wide as it likes. */
    void blend(int n, int depth, float[] a, int aAt, float[] b, int[] bRows, int bAt, float[] c, int cAt);

    /**
     * c[j] = Σₖ a[k]·b[j][k] for j < n and k < depth, where each row of b begins where the one before ends. Each sum is one
     * chain in the order of k, as a {@link Tile}'s.
     */
    void row(int n, int depth, float[] a, int aAt, float[] b, int bAt, float[] c, int cAt);

    /** The least n that {@link #product} takes. */
    int productColumns();

    /**
     * c[i][j] = Σₖ a[i][k]·b[k][j] for i < m, j < n and k < depth, for matrices so small that they stay in the nearest
     * cache as they lie. Each sum is one chain in the order of k, as a {@link Tile}'s.
     *
     * @param aRow how far apart the rows of a are; its columns are aColumn apart, so that a may lie transposed
     */
    void product(
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
            int cRow);

    /**
     * One step of Adam, without AMSGrad, on w, m and v.
     *
     * @param hyper holds the block of run-time scalars from hyperAt on
     * @param clip what g is multiplied with
     * @return how many of the n values were done, from the first on: those that fill vectors, and none in plain loops
     */
    int adam(
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
            int vAt);

    /** One step of SGD with momentum on w and m, in the same way. */
    int sgd(
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
            int mAt);

    /**
     * The largest of what a kernel sees in each of n places: best[i] of x[taps[k] + i·stride] for k < count, and found[i] =
     * place + places[k] + i·stride, the first place of the largest value, or the last of a NaN. x reaches n·stride beyond
     * the last tap; n is a multiple of 16, and count > 0.
     */
    void largest(
            int n, int stride, int count, int[] taps, float[] x, int place, int[] places, float[] best, float[] found);
}
