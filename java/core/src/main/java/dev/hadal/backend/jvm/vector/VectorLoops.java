package dev.hadal.backend.jvm.vector;

import dev.hadal.backend.jvm.simd.Exponential;
import dev.hadal.backend.jvm.simd.Loops;
import dev.hadal.backend.jvm.simd.PlainSimd;
import dev.hadal.backend.jvm.simd.Runs;
import dev.hadal.op.Activation;
import dev.hadal.op.Adam;
import dev.hadal.op.Hyper;
import dev.hadal.op.Sgd;
import dev.hadal.tensor.Bf16;
import java.util.Arrays;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.Vector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/** Each loop takes a vector at a time, and what is left over one by one. */
final class VectorLoops implements Loops {
    private static final VectorSpecies<Float> S = FloatVector.SPECIES_PREFERRED;
    private static final int L = S.length();

    private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;
    private static final VectorSpecies<Short> HALF =
            VectorSpecies.of(short.class, VectorShape.forBitSize(S.vectorBitSize() / 2));
    private static final Loops PLAIN = new PlainSimd().loops();

    /** As many bytes as a vector has lanes; the API has none of less than eight. */
    private static final VectorSpecies<Byte> QUARTER =
            VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, 8 * L)));

    /** The longest sum in one lane before it goes on in double precision. */
    private static final int STEPS = 64;
    /** How many terms of a sum a call of {@link #addEight} adds. */
    private static final int TERMS = 32;

    /** 0, 1, 2 and so on */
    private static final FloatVector PLACES = FloatVector.zero(S).addIndex(1);

    private static final FloatVector EVEN_PLACES = FloatVector.zero(S).addIndex(2);

    /** Every other value of a vector, twice. */
    private static final VectorShuffle<Float> EVEN = VectorShuffle.fromOp(S, i -> 2 * i % L);

    private static final VectorMask<Float> UPPER = VectorMask.fromLong(S, -1L << (L / 2));

    private final float[] lanes = new float[2 * L];
    private final VectorCurves curves = new VectorCurves();
    private final int[] steps = new int[L];
    private final double[] sums0 = new double[L];
    private final double[] sums1 = new double[L];

    @Override
    public void scale(Runs runs, float a, float[] x, int xAt, float s, float c, float[] z, int zAt) {
        int vectors = S.loopBound(runs.length());
        for (int run = 0; run < runs.count(); run++) {
            int at = run * runs.stride();
            scale(vectors, a, x, xAt + at, s, c, z, zAt + at);
            for (int i = at + vectors; i < at + runs.length(); i++) {
                z[zAt + i] = a * (x[xAt + i] - s) + c;
            }
        }
    }

    private static void scale(int n, float a, float[] x, int xAt, float s, float c, float[] z, int zAt) {
        for (int i = 0; i < n; i += L) {
            FloatVector xi = FloatVector.fromArray(S, x, xAt + i);
            xi.sub(s).mul(a).add(c).intoArray(z, zAt + i);
        }
    }

    @Override
    public void combine(
            Runs runs, float a, float[] x, int xAt, float b, float[] y, int yAt, float s, float c, float[] z, int zAt) {
        int vectors = S.loopBound(runs.length());
        for (int run = 0; run < runs.count(); run++) {
            int at = run * runs.stride();
            combine(vectors, a, x, xAt + at, b, y, yAt + at, s, c, z, zAt + at);
            for (int i = at + vectors; i < at + runs.length(); i++) {
                z[zAt + i] = a * x[xAt + i] + b * (y[yAt + i] - s) + c;
            }
        }
    }

    private static void combine(
            int n, float a, float[] x, int xAt, float b, float[] y, int yAt, float s, float c, float[] z, int zAt) {
        for (int i = 0; i < n; i += L) {
            FloatVector xi = FloatVector.fromArray(S, x, xAt + i);
            FloatVector yi = FloatVector.fromArray(S, y, yAt + i);
            xi.mul(a).add(yi.sub(s).mul(b)).add(c).intoArray(z, zAt + i);
        }
    }

    @Override
    public void relu(int n, float[] x, int xAt, float[] y, int yAt) {
        int i = 0;
        for (; i < S.loopBound(n); i += L) {
            FloatVector.fromArray(S, x, xAt + i).max(0f).intoArray(y, yAt + i);
        }
        for (; i < n; i++) {
            y[yAt + i] = Math.max(x[xAt + i], 0f);
        }
    }

    @Override
    public void reluBackward(int n, float[] y, int yAt, float[] dy, int dyAt, float[] dx, int dxAt) {
        FloatVector zero = FloatVector.zero(S);
        int i = 0;
        for (; i < S.loopBound(n); i += L) {
            FloatVector yi = FloatVector.fromArray(S, y, yAt + i);
            FloatVector dyi = FloatVector.fromArray(S, dy, dyAt + i);
            zero.blend(dyi, yi.compare(VectorOperators.GT, 0f)).intoArray(dx, dxAt + i);
        }
        for (; i < n; i++) {
            dx[dxAt + i] = y[yAt + i] > 0 ? dy[dyAt + i] : 0f;
        }
    }

    @Override
    public void moments(Runs runs, float[] x, int xAt, float s, double[] sums) {
        clear();
        int vectors = S.loopBound(runs.length());
        int room = STEPS;
        for (int run = 0; run < runs.count(); run++) {
            int at = xAt + run * runs.stride();
            for (int i = 0; i < vectors; ) {
                int n = Math.min(vectors - i, room * L);
                addMoments(n, x, at + i, s, lanes);
                i += n;
                room = roomAfter(room - n / L);
            }
            for (int i = at + vectors; i < at + runs.length(); i++) {
                double d = x[i] - s;
                sums[0] += d;
                sums[1] += d * d;
            }
        }
        collect(sums);
    }

    /** A method of its own: C2 would box accumulators that the loops around it set back. */
    private static void addMoments(int n, float[] x, int xAt, float s, float[] lanes) {
        FloatVector sum = FloatVector.fromArray(S, lanes, 0);
        FloatVector squares = FloatVector.fromArray(S, lanes, L);
        for (int i = 0; i < n; i += L) {
            FloatVector d = FloatVector.fromArray(S, x, xAt + i).sub(s);
            sum = sum.add(d);
            squares = squares.add(d.mul(d));
        }
        sum.intoArray(lanes, 0);
        squares.intoArray(lanes, L);
    }

    @Override
    public void products(Runs runs, float[] x, int xAt, float s, float[] y, int yAt, double[] sums) {
        clear();
        int vectors = S.loopBound(runs.length());
        int room = STEPS;
        for (int run = 0; run < runs.count(); run++) {
            int at = run * runs.stride();
            for (int i = 0; i < vectors; ) {
                int n = Math.min(vectors - i, room * L);
                addProducts(n, x, xAt + at + i, s, y, yAt + at + i, lanes);
                i += n;
                room = roomAfter(room - n / L);
            }
            for (int i = at + vectors; i < at + runs.length(); i++) {
                sums[0] += y[yAt + i];
                sums[1] += (double) (x[xAt + i] - s) * y[yAt + i];
            }
        }
        collect(sums);
    }

    private static void addProducts(int n, float[] x, int xAt, float s, float[] y, int yAt, float[] lanes) {
        FloatVector sum = FloatVector.fromArray(S, lanes, 0);
        FloatVector products = FloatVector.fromArray(S, lanes, L);
        for (int i = 0; i < n; i += L) {
            FloatVector yi = FloatVector.fromArray(S, y, yAt + i);
            sum = sum.add(yi);
            products = products.add(FloatVector.fromArray(S, x, xAt + i).sub(s).mul(yi));
        }
        sum.intoArray(lanes, 0);
        products.intoArray(lanes, L);
    }

    private void clear() {
        Arrays.fill(lanes, 0);
        Arrays.fill(sums0, 0);
        Arrays.fill(sums1, 0);
    }

    /** How many more vectors each lane may add up; where it may no more, the sums go on in double precision. */
    private int roomAfter(int room) {
        if (room > 0) {
            return room;
        }
        spill();
        return STEPS;
    }

    /** Lane by lane, in order: the API's own reduction may round otherwise before it is compiled than after. */
    private void spill() {
        for (int l = 0; l < L; l++) {
            sums0[l] += lanes[l];
            sums1[l] += lanes[L + l];
        }
        Arrays.fill(lanes, 0);
    }

    private void collect(double[] sums) {
        spill();
        for (int l = 0; l < L; l++) {
            sums[0] += sums0[l];
            sums[1] += sums1[l];
        }
    }

    @Override
    public float largest(int n, float[] x, int xAt) {
        int vectors = S.loopBound(n);
        largest(vectors, x, xAt, lanes);
        float largest = Float.NEGATIVE_INFINITY;
        for (int l = 0; l < L; l++) {
            largest = Math.max(largest, lanes[l]);
        }
        for (int i = vectors; i < n; i++) {
            largest = Math.max(largest, x[xAt + i]);
        }
        return largest;
    }

    private static void largest(int n, float[] x, int xAt, float[] lanes) {
        FloatVector largest = FloatVector.broadcast(S, Float.NEGATIVE_INFINITY);
        for (int i = 0; i < n; i += L) {
            largest = largest.max(FloatVector.fromArray(S, x, xAt + i));
        }
        largest.intoArray(lanes, 0);
    }

    @Override
    public double exponentials(int n, float[] x, int xAt, float s, float[] y, int yAt) {
        clear();
        int vectors = S.loopBound(n);
        for (int i = 0; i < vectors; i += STEPS * L) {
            exponentials(Math.min(vectors - i, STEPS * L), x, xAt + i, s, y, yAt + i, lanes);
            spill();
        }
        double sum = 0;
        for (int l = 0; l < L; l++) {
            sum += sums0[l];
        }
        for (int i = vectors; i < n; i++) {
            float e = Exponential.ofNegative(x[xAt + i] - s);
            y[yAt + i] = e;
            sum += e;
        }
        return sum;
    }

    /** {@link Exponential#ofNegative}, step by step. */
    private static void exponentials(int n, float[] x, int xAt, float s, float[] y, int yAt, float[] lanes) {
        FloatVector sum = FloatVector.fromArray(S, lanes, 0);
        for (int i = 0; i < n; i += L) {
            FloatVector d = FloatVector.fromArray(S, x, xAt + i).sub(s);
            FloatVector shifted = d.mul(Exponential.LOG2_E).add(Exponential.ROUND);
            FloatVector k = shifted.sub(Exponential.ROUND);
            FloatVector r = d.sub(k.mul(Exponential.LN2_HIGH)).sub(k.mul(Exponential.LN2_LOW));
            FloatVector p = r.mul(Exponential.C5).add(Exponential.C4);
            p = p.mul(r).add(Exponential.C3);
            p = p.mul(r).add(Exponential.C2);
            p = p.mul(r).add(Exponential.C1);
            p = p.mul(r).add(Exponential.C0);
            p = p.mul(r.mul(r)).add(r).add(1f);
            FloatVector power = shifted.reinterpretAsInts()
                    .sub(Exponential.ROUND_BITS - 127)
                    .lanewise(VectorOperators.LSHL, 23)
                    .reinterpretAsFloats();
            FloatVector e = p.mul(power).blend(0f, d.compare(VectorOperators.LT, Exponential.LOWEST));
            e.intoArray(y, yAt + i);
            sum = sum.add(e);
        }
        sum.intoArray(lanes, 0);
    }

    @Override
    public void normalize(
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
            int yAt) {
        int i = 0;
        for (; i < S.loopBound(n); i += L) {
            FloatVector normal =
                    FloatVector.fromArray(S, x, xAt + i).sub(s).mul(rho).sub(c);
            FloatVector ai = FloatVector.fromArray(S, a, aAt + i);
            normal.mul(ai).add(FloatVector.fromArray(S, b, bAt + i)).intoArray(y, yAt + i);
        }
        for (; i < n; i++) {
            y[yAt + i] = ((x[xAt + i] - s) * rho - c) * a[aAt + i] + b[bAt + i];
        }
    }

    @Override
    public void normalizeBackward(
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
            int zAt) {
        int i = 0;
        for (; i < S.loopBound(n); i += L) {
            FloatVector d = FloatVector.fromArray(S, dy, dyAt + i);
            FloatVector normal = FloatVector.fromArray(S, x, xAt + i).sub(s).mul(rho);
            FloatVector.fromArray(S, sums, sumsAt + i).add(d.mul(normal)).intoArray(sums, sumsAt + i);
            d.mul(FloatVector.fromArray(S, a, aAt + i)).intoArray(z, zAt + i);
        }
        for (; i < n; i++) {
            float d = dy[dyAt + i];
            sums[sumsAt + i] += d * ((x[xAt + i] - s) * rho);
            z[zAt + i] = d * a[aAt + i];
        }
    }

    @Override
    public void dequantize(int n, byte[] q, int qAt, boolean unsigned, float scale, int zero, float[] x, int xAt) {
        int mask = unsigned ? 0xFF : -1;
        int i = 0;
        for (; i < S.loopBound(n) && QUARTER.length() == L; i += L) {
            IntVector qi =
                    (IntVector) ByteVector.fromArray(QUARTER, q, qAt + i).convertShape(VectorOperators.B2I, INTS, 0);
            FloatVector xi = (FloatVector) qi.and(mask).sub(zero).convert(VectorOperators.I2F, 0);
            xi.mul(scale).intoArray(x, xAt + i);
        }
        PLAIN.dequantize(n - i, q, qAt + i, unsigned, scale, zero, x, xAt + i);
    }

    /** As the plain loop has it; a NaN converts to 0 as in Java. */
    @Override
    public void quantize(
            int n, float[] x, int xAt, float inverse, float least, float greatest, int zero, byte[] q, int qAt) {
        float rounding = 0x1.8p23f;
        int i = 0;
        for (; i < S.loopBound(n) && QUARTER.length() == L; i += L) {
            FloatVector scaled = FloatVector.fromArray(S, x, xAt + i).mul(inverse);
            FloatVector rounded = scaled.min(greatest).max(least).add(rounding).sub(rounding);
            IntVector qi = (IntVector) rounded.convert(VectorOperators.F2I, 0);
            ByteVector bytes = (ByteVector) qi.add(zero).convertShape(VectorOperators.I2B, QUARTER, 0);
            bytes.intoArray(q, qAt + i);
        }
        PLAIN.quantize(n - i, x, xAt + i, inverse, least, greatest, zero, q, qAt + i);
    }

    @Override
    public void dots(int rows, int n, short[] x, int xAt, byte[] w, int wAt, int[] sums) {
        int r = 0;
        for (; r + 4 <= rows && QUARTER.length() == L; r += 4) {
            fourDots(n, x, xAt, w, wAt + r * n, sums, r);
        }
        for (; r < rows; r++) {
            sums[r] = dot(0, n, x, xAt, w, wAt + r * n);
        }
    }

    private static void fourDots(int n, short[] x, int xAt, byte[] w, int wAt, int[] sums, int at) {
        IntVector s0 = IntVector.zero(INTS);
        IntVector s1 = s0;
        IntVector s2 = s0;
        IntVector s3 = s0;
        int i = 0;
        for (; i < INTS.loopBound(n); i += L) {
            Vector<Integer> xi = ShortVector.fromArray(HALF, x, xAt + i).convertShape(VectorOperators.S2I, INTS, 0);
            int wi = wAt + i;
            s0 = s0.add(ByteVector.fromArray(QUARTER, w, wi)
                    .convertShape(VectorOperators.B2I, INTS, 0)
                    .mul(xi));
            s1 = s1.add(ByteVector.fromArray(QUARTER, w, wi + n)
                    .convertShape(VectorOperators.B2I, INTS, 0)
                    .mul(xi));
            s2 = s2.add(ByteVector.fromArray(QUARTER, w, wi + 2 * n)
                    .convertShape(VectorOperators.B2I, INTS, 0)
                    .mul(xi));
            s3 = s3.add(ByteVector.fromArray(QUARTER, w, wi + 3 * n)
                    .convertShape(VectorOperators.B2I, INTS, 0)
                    .mul(xi));
        }
        sums[at] = s0.reduceLanes(VectorOperators.ADD) + dot(i, n, x, xAt, w, wAt);
        sums[at + 1] = s1.reduceLanes(VectorOperators.ADD) + dot(i, n, x, xAt, w, wAt + n);
        sums[at + 2] = s2.reduceLanes(VectorOperators.ADD) + dot(i, n, x, xAt, w, wAt + 2 * n);
        sums[at + 3] = s3.reduceLanes(VectorOperators.ADD) + dot(i, n, x, xAt, w, wAt + 3 * n);
    }

    /** From one index to another. */
    private static int dot(int from, int n, short[] x, int xAt, byte[] w, int wAt) {
        int sum = 0;
        for (int i = from; i < n; i++) {
            sum += x[xAt + i] * w[wAt + i];
        }
        return sum;
    }

    @Override
    public void widen(int n, short[] x, int xAt, float[] y, int yAt) {
        int i = 0;
        for (; i < S.loopBound(n); i += L) {
            Vector<Integer> bits = ShortVector.fromArray(HALF, x, xAt + i).convertShape(VectorOperators.S2I, INTS, 0);
            bits.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(y, yAt + i);
        }
        Bf16.widen(n - i, x, xAt + i, y, yAt + i);
    }

    @Override
    public void narrow(int n, float[] x, int xAt, short[] y, int yAt) {
        int i = 0;
        for (; i < S.loopBound(n); i += L) {
            FloatVector xi = FloatVector.fromArray(S, x, xAt + i);
            IntVector bits = xi.reinterpretAsInts();
            IntVector upper = bits.lanewise(VectorOperators.LSHR, 16);
            IntVector rounded = upper.and(1).add(bits).add(0x7FFF).lanewise(VectorOperators.LSHR, 16);
            IntVector quiet = upper.or(0x40);
            VectorMask<Integer> nan = bits.and(Integer.MAX_VALUE).compare(VectorOperators.GT, 0x7F800000);
            rounded.blend(quiet, nan)
                    .convertShape(VectorOperators.I2S, HALF, 0)
                    .reinterpretAsShorts()
                    .intoArray(y, yAt + i);
        }
        Bf16.narrow(n - i, x, xAt + i, y, yAt + i);
    }

    @Override
    public int activate(Activation.Function f, int n, float[] x, int xAt, float[] y, int yAt) {
        return curves.activate(f, n, x, xAt, y, yAt);
    }

    @Override
    public int activateBackward(
            Activation.Function f, int n, float[] x, int xAt, float[] dy, int dyAt, float[] dx, int dxAt) {
        return curves.activateBackward(f, n, x, xAt, dy, dyAt, dx, dxAt);
    }

    @Override
    public void blend(int n, int depth, float[] a, int aAt, float[] b, int[] bRows, int bAt, float[] c, int cAt) {
        int j = 0;
        for (; j <= n - 4 * L; j += 4 * L) {
            FloatVector c0 = FloatVector.zero(S);
            FloatVector c1 = FloatVector.zero(S);
            FloatVector c2 = FloatVector.zero(S);
            FloatVector c3 = FloatVector.zero(S);
            for (int k = 0; k < depth; k++) {
                FloatVector ak = FloatVector.broadcast(S, a[aAt + k]);
                int row = bAt + bRows[k] + j;
                c0 = ak.fma(FloatVector.fromArray(S, b, row), c0);
                c1 = ak.fma(FloatVector.fromArray(S, b, row + L), c1);
                c2 = ak.fma(FloatVector.fromArray(S, b, row + 2 * L), c2);
                c3 = ak.fma(FloatVector.fromArray(S, b, row + 3 * L), c3);
            }
            c0.intoArray(c, cAt + j);
            c1.intoArray(c, cAt + j + L);
            c2.intoArray(c, cAt + j + 2 * L);
            c3.intoArray(c, cAt + j + 3 * L);
        }
        for (; j < n; j++) {
            float sum = 0;
            for (int k = 0; k < depth; k++) {
                sum = Math.fma(a[aAt + k], b[bAt + bRows[k] + j], sum);
            }
            c[cAt + j] = sum;
        }
    }

    /** Eight sums at a time, a few terms each, as plain loops do it: vectors would have to be turned first. */
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
            c0 = Math.fma(ak, b[at], c0);
            c1 = Math.fma(ak, b[at + bRow], c1);
            c2 = Math.fma(ak, b[at + 2 * bRow], c2);
            c3 = Math.fma(ak, b[at + 3 * bRow], c3);
            c4 = Math.fma(ak, b[at + 4 * bRow], c4);
            c5 = Math.fma(ak, b[at + 5 * bRow], c5);
            c6 = Math.fma(ak, b[at + 6 * bRow], c6);
            c7 = Math.fma(ak, b[at + 7 * bRow], c7);
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
            sum = Math.fma(a[aAt + k], b[bAt + k], sum);
        }
        c[cAt] = sum;
    }

    @Override
    public int productColumns() {
        return L;
    }

    /** One vector of columns after the other, the last of which may begin in the one before it and repeat its sums. */
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
        for (int j = 0; j < n; j += L) {
            int at = Math.min(j, n - L);
            int i = 0;
            for (; i + 4 <= m; i += 4) {
                fourRows(depth, a, aAt + i * aRow, aRow, aColumn, b, bAt + at, bRow, c, cAt + i * cRow + at, cRow);
            }
            for (; i < m; i++) {
                oneRow(depth, a, aAt + i * aRow, aColumn, b, bAt + at, bRow, c, cAt + i * cRow + at);
            }
        }
    }

    private static void fourRows(
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
        FloatVector c0 = FloatVector.zero(S);
        FloatVector c1 = FloatVector.zero(S);
        FloatVector c2 = FloatVector.zero(S);
        FloatVector c3 = FloatVector.zero(S);
        for (int k = 0; k < depth; k++) {
            FloatVector bk = FloatVector.fromArray(S, b, bAt + k * bRow);
            int ak = aAt + k * aColumn;
            c0 = FloatVector.broadcast(S, a[ak]).fma(bk, c0);
            c1 = FloatVector.broadcast(S, a[ak + aRow]).fma(bk, c1);
            c2 = FloatVector.broadcast(S, a[ak + 2 * aRow]).fma(bk, c2);
            c3 = FloatVector.broadcast(S, a[ak + 3 * aRow]).fma(bk, c3);
        }
        c0.intoArray(c, cAt);
        c1.intoArray(c, cAt + cRow);
        c2.intoArray(c, cAt + 2 * cRow);
        c3.intoArray(c, cAt + 3 * cRow);
    }

    private static void oneRow(
            int depth, float[] a, int aAt, int aColumn, float[] b, int bAt, int bRow, float[] c, int cAt) {
        FloatVector sum = FloatVector.zero(S);
        for (int k = 0; k < depth; k++) {
            FloatVector bk = FloatVector.fromArray(S, b, bAt + k * bRow);
            sum = FloatVector.broadcast(S, a[aAt + k * aColumn]).fma(bk, sum);
        }
        sum.intoArray(c, cAt);
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
        float rate = hyper[hyperAt + Hyper.RATE];
        float decay = hyper[hyperAt + Hyper.DECAY];
        float value = hyper[hyperAt + Hyper.CLIP_VALUE];
        float l2 = hyper[hyperAt + Hyper.L2];
        float correction1 = hyper[hyperAt + Hyper.CORRECTION1];
        float correction2 = hyper[hyperAt + Hyper.CORRECTION2];
        float beta1 = op.beta1();
        float beta2 = op.beta2();
        float epsilon = op.epsilon();
        int vectors = S.loopBound(n);
        for (int i = 0; i < vectors; i += L) {
            FloatVector wi = FloatVector.fromArray(S, w, wAt + i);
            FloatVector gi = FloatVector.fromArray(S, g, gAt + i).mul(clip);
            FloatVector d = gi.min(value).max(-value).add(wi.mul(l2));
            FloatVector mi = FloatVector.fromArray(S, m, mAt + i).mul(beta1).add(d.mul(1 - beta1));
            FloatVector vi =
                    FloatVector.fromArray(S, v, vAt + i).mul(beta2).add(d.mul(d).mul(1 - beta2));
            FloatVector s = mi.mul(correction1).div(vi.mul(correction2).sqrt().add(epsilon));
            wi.sub(s.add(wi.mul(decay)).mul(rate)).intoArray(w, wAt + i);
            mi.intoArray(m, mAt + i);
            vi.intoArray(v, vAt + i);
        }
        return vectors;
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
        float rate = hyper[hyperAt + Hyper.RATE];
        float decay = hyper[hyperAt + Hyper.DECAY];
        float value = hyper[hyperAt + Hyper.CLIP_VALUE];
        float l2 = hyper[hyperAt + Hyper.L2];
        float mu = op.momentum();
        boolean nesterov = op.nesterov();
        int vectors = S.loopBound(n);
        for (int i = 0; i < vectors; i += L) {
            FloatVector wi = FloatVector.fromArray(S, w, wAt + i);
            FloatVector gi = FloatVector.fromArray(S, g, gAt + i).mul(clip);
            FloatVector d = gi.min(value).max(-value).add(wi.mul(l2));
            FloatVector mi = FloatVector.fromArray(S, m, mAt + i).mul(mu).add(d);
            FloatVector s = nesterov ? mi.mul(mu).add(d) : mi;
            wi.sub(s.add(wi.mul(decay)).mul(rate)).intoArray(w, wAt + i);
            mi.intoArray(m, mAt + i);
        }
        return vectors;
    }

    @Override
    public void largest(
            int n, int stride, int count, int[] taps, float[] x, int place, int[] places, float[] best, float[] found) {
        switch (stride) {
            case 1 -> largestByOne(n, count, taps, x, place, places, best, found);
            case 2 -> largestByTwo(n, count, taps, x, place, places, best, found);
            default -> {
                Arrays.setAll(steps, l -> l * stride);
                largest(n, stride, count, taps, x, place, places, best, found, steps);
            }
        }
    }

    private static void largestByOne(
            int n, int count, int[] taps, float[] x, int place, int[] places, float[] best, float[] found) {
        for (int i = 0; i < n; i += L) {
            FloatVector b = FloatVector.broadcast(S, Float.NEGATIVE_INFINITY);
            FloatVector f = FloatVector.zero(S);
            for (int k = 0; k < count; k++) {
                FloatVector x0 = FloatVector.fromArray(S, x, taps[k] + i);
                VectorMask<Float> larger = x0.compare(VectorOperators.GT, b);
                VectorMask<Float> nan = x0.compare(VectorOperators.NE, x0);
                b = b.blend(x0, larger).blend(x0, nan);
                f = f.blend(places[k], larger).blend(places[k], nan);
            }
            b.intoArray(best, i);
            f.add(PLACES).add(place + i).intoArray(found, i);
        }
    }

    private static void largestByTwo(
            int n, int count, int[] taps, float[] x, int place, int[] places, float[] best, float[] found) {
        for (int i = 0; i < n; i += L) {
            FloatVector b = FloatVector.broadcast(S, Float.NEGATIVE_INFINITY);
            FloatVector f = FloatVector.zero(S);
            for (int k = 0; k < count; k++) {
                FloatVector low = FloatVector.fromArray(S, x, taps[k] + 2 * i).rearrange(EVEN);
                FloatVector high =
                        FloatVector.fromArray(S, x, taps[k] + 2 * i + L).rearrange(EVEN);
                FloatVector x0 = low.blend(high, UPPER);
                VectorMask<Float> larger = x0.compare(VectorOperators.GT, b);
                VectorMask<Float> nan = x0.compare(VectorOperators.NE, x0);
                b = b.blend(x0, larger).blend(x0, nan);
                f = f.blend(places[k], larger).blend(places[k], nan);
            }
            b.intoArray(best, i);
            f.add(EVEN_PLACES).add(place + 2 * i).intoArray(found, i);
        }
    }

    private static void largest(
            int n,
            int stride,
            int count,
            int[] taps,
            float[] x,
            int place,
            int[] places,
            float[] best,
            float[] found,
            int[] steps) {
        FloatVector somePlaces = PLACES.mul((float) stride);
        for (int i = 0; i < n; i += L) {
            FloatVector b = FloatVector.broadcast(S, Float.NEGATIVE_INFINITY);
            FloatVector f = FloatVector.zero(S);
            for (int k = 0; k < count; k++) {
                FloatVector x0 = FloatVector.fromArray(S, x, taps[k] + i * stride, steps, 0);
                VectorMask<Float> larger = x0.compare(VectorOperators.GT, b);
                VectorMask<Float> nan = x0.compare(VectorOperators.NE, x0);
                b = b.blend(x0, larger).blend(x0, nan);
                f = f.blend(places[k], larger).blend(places[k], nan);
            }
            b.intoArray(best, i);
            f.add(somePlaces).add(place + i * stride).intoArray(found, i);
        }
    }
}
