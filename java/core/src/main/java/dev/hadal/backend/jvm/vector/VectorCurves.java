package dev.hadal.backend.jvm.vector;

import dev.hadal.backend.jvm.simd.Exponential;
import dev.hadal.op.Activation;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Functions with exponentials, a vector at a time, by way of rows in the nearest cache. Each loop is one method, which
 * repeats {@link Exponential}'s steps: vectors that pass from method to method become objects wherever C2 does not inline.
 */
@SuppressWarnings("FloatingPointLiteralPrecision") // the literals stand as published
final class VectorCurves {
    private static final VectorSpecies<Float> S = FloatVector.SPECIES_PREFERRED;
    private static final int L = S.length();
    private static final int ROW = 512;

    private static final float ROOT_HALF = (float) Math.sqrt(0.5);
    private static final float CUBIC = 0.044715f;

    /** 2·√(2/π), of {@link Activation.Function#GELU_TANH} */
    private static final float STEEP = 2 * (float) Math.sqrt(2 / Math.PI);

    /** φ(0) */
    private static final float DENSITY = (float) (1 / Math.sqrt(2 * Math.PI));

    private final float[] p = new float[ROW];
    private final float[] q = new float[ROW];

    int activate(Activation.Function f, int n, float[] x, int xAt, float[] y, int yAt) {
        int vectors = S.loopBound(n);
        for (int i = 0; i < vectors; i += ROW) {
            int count = Math.min(ROW, vectors - i);
            switch (f) {
                case SIGMOID -> sigmoids(count, 0, 1, x, xAt + i, y, yAt + i);
                case SILU -> sigmoids(count, 0, 1, x, xAt + i, p, 0);
                case GELU_TANH -> sigmoids(count, CUBIC, STEEP, x, xAt + i, p, 0);
                case GELU -> normals(count, x, xAt + i, p);
                default -> {
                    return 0;
                }
            }
            if (f != Activation.Function.SIGMOID) {
                multiply(count, x, xAt + i, p, y, yAt + i);
            }
        }
        return vectors;
    }

    int activateBackward(Activation.Function f, int n, float[] x, int xAt, float[] dy, int dyAt, float[] dx, int dxAt) {
        int vectors = S.loopBound(n);
        for (int i = 0; i < vectors; i += ROW) {
            int count = Math.min(ROW, vectors - i);
            switch (f) {
                case SILU -> {
                    sigmoids(count, 0, 1, x, xAt + i, p, 0);
                    slopes(count, 0, 1, 100, x, xAt + i, p, dy, dyAt + i, dx, dxAt + i);
                }
                case GELU_TANH -> {
                    sigmoids(count, CUBIC, STEEP, x, xAt + i, p, 0);
                    slopes(count, CUBIC, STEEP, 10, x, xAt + i, p, dy, dyAt + i, dx, dxAt + i);
                }
                case GELU -> {
                    normals(count, x, xAt + i, p);
                    densities(count, x, xAt + i, q);
                    normalSlopes(count, x, xAt + i, p, q, dy, dyAt + i, dx, dxAt + i);
                }
                default -> {
                    return 0;
                }
            }
        }
        return vectors;
    }

    private static void multiply(int n, float[] x, int xAt, float[] p, float[] y, int yAt) {
        for (int i = 0; i < n; i += L) {
            FloatVector xi = FloatVector.fromArray(S, x, xAt + i);
            xi.mul(FloatVector.fromArray(S, p, i)).intoArray(y, yAt + i);
        }
    }

    /** 1/(1 + e⁻ᶻ) with z = a·(x + c·x³); 2ⁿ itself may be no f32 where e⁻ᶻ = 2ⁿ·eʳ is. */
    private static void sigmoids(int n, float c, float a, float[] x, int xAt, float[] y, int yAt) {
        for (int i = 0; i < n; i += L) {
            FloatVector xi = FloatVector.fromArray(S, x, xAt + i).max(-104f).min(104f);
            FloatVector z = xi.mul(xi).mul(xi).mul(c).add(xi).mul(-a).max(-104f).min(89f);
            FloatVector shifted = z.mul(Exponential.LOG2_E).add(Exponential.ROUND);
            FloatVector k = shifted.sub(Exponential.ROUND);
            FloatVector r = z.sub(k.mul(Exponential.LN2_HIGH)).sub(k.mul(Exponential.LN2_LOW));
            FloatVector e = r.mul(Exponential.C5).add(Exponential.C4);
            e = e.mul(r).add(Exponential.C3);
            e = e.mul(r).add(Exponential.C2);
            e = e.mul(r).add(Exponential.C1);
            e = e.mul(r).add(Exponential.C0);
            e = e.mul(r.mul(r)).add(r).add(1f);
            IntVector bits = shifted.reinterpretAsInts().sub(Exponential.ROUND_BITS);
            IntVector half = bits.lanewise(VectorOperators.ASHR, 1);
            IntVector rest = bits.sub(half);
            e = e.mul(half.add(127).lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats());
            e = e.mul(rest.add(127).lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats());
            FloatVector.broadcast(S, 1f).div(e.add(1f)).intoArray(y, yAt + i);
        }
    }

    /** dx = dy·(s + x·s·(1 − s)·a·(1 + 3·c·x²)), where beyond the bound 1 − s or s is 0 */
    private static void slopes(
            int n,
            float c,
            float a,
            float bound,
            float[] x,
            int xAt,
            float[] s,
            float[] dy,
            int dyAt,
            float[] dx,
            int dxAt) {
        for (int i = 0; i < n; i += L) {
            FloatVector si = FloatVector.fromArray(S, s, i);
            FloatVector xi = FloatVector.fromArray(S, x, xAt + i).max(-bound).min(bound);
            FloatVector bend = xi.mul(xi).mul(3 * c).add(1f).mul(a);
            FloatVector slope = xi.mul(si).mul(si.neg().add(1f)).mul(bend).add(si);
            FloatVector.fromArray(S, dy, dyAt + i).mul(slope).intoArray(dx, dxAt + i);
        }
    }

    /** Φ(x) from erf by the polynomials of N. Juffa (2018): an odd one near 0, and 1 − e^p(|x|) elsewhere. */
    private static void normals(int n, float[] x, int xAt, float[] y) {
        for (int i = 0; i < n; i += L) {
            FloatVector xi = FloatVector.fromArray(S, x, xAt + i).mul(ROOT_HALF);
            FloatVector a = xi.abs();
            FloatVector z = xi.mul(xi);
            FloatVector d = a.mul(-3.88396438e-3f).add(2.42546219e-2f);
            d = a.mul(-1.72853470e-5f).add(3.83197126e-4f).mul(z).add(d);
            d = d.mul(a).sub(1.06777877e-1f);
            d = d.mul(a).sub(6.34846687e-1f);
            d = d.mul(a).sub(1.28717512e-1f);
            d = d.mul(a).sub(a).max(Exponential.LOWEST);
            FloatVector shifted = d.mul(Exponential.LOG2_E).add(Exponential.ROUND);
            FloatVector k = shifted.sub(Exponential.ROUND);
            FloatVector r = d.sub(k.mul(Exponential.LN2_HIGH)).sub(k.mul(Exponential.LN2_LOW));
            FloatVector e = r.mul(Exponential.C5).add(Exponential.C4);
            e = e.mul(r).add(Exponential.C3);
            e = e.mul(r).add(Exponential.C2);
            e = e.mul(r).add(Exponential.C1);
            e = e.mul(r).add(Exponential.C0);
            e = e.mul(r.mul(r)).add(r).add(1f);
            FloatVector power = shifted.reinterpretAsInts()
                    .sub(Exponential.ROUND_BITS - 127)
                    .lanewise(VectorOperators.LSHL, 23)
                    .reinterpretAsFloats();
            FloatVector far = e.mul(power).neg().add(1f);
            far = far.blend(far.neg(), xi.compare(VectorOperators.LT, 0f));
            FloatVector near = z.mul(-5.96761703e-4f).add(4.99119423e-3f);
            near = near.mul(z).sub(2.67681349e-2f);
            near = near.mul(z).add(1.12819925e-1f);
            near = near.mul(z).sub(3.76125336e-1f);
            near = near.mul(z).add(1.28379166e-1f);
            near = near.mul(xi).add(xi);
            FloatVector erf = near.blend(far, a.compare(VectorOperators.GT, 0.927734375f));
            erf.mul(0.5f).add(0.5f).intoArray(y, i);
        }
    }

    /** φ(x) */
    private static void densities(int n, float[] x, int xAt, float[] y) {
        for (int i = 0; i < n; i += L) {
            FloatVector xi = FloatVector.fromArray(S, x, xAt + i);
            FloatVector d = xi.mul(-0.5f).mul(xi);
            FloatVector shifted = d.mul(Exponential.LOG2_E).add(Exponential.ROUND);
            FloatVector k = shifted.sub(Exponential.ROUND);
            FloatVector r = d.sub(k.mul(Exponential.LN2_HIGH)).sub(k.mul(Exponential.LN2_LOW));
            FloatVector e = r.mul(Exponential.C5).add(Exponential.C4);
            e = e.mul(r).add(Exponential.C3);
            e = e.mul(r).add(Exponential.C2);
            e = e.mul(r).add(Exponential.C1);
            e = e.mul(r).add(Exponential.C0);
            e = e.mul(r.mul(r)).add(r).add(1f);
            FloatVector power = shifted.reinterpretAsInts()
                    .sub(Exponential.ROUND_BITS - 127)
                    .lanewise(VectorOperators.LSHL, 23)
                    .reinterpretAsFloats();
            e = e.mul(power).blend(0f, d.compare(VectorOperators.LT, Exponential.LOWEST));
            e.mul(DENSITY).intoArray(y, i);
        }
    }

    /** dx = dy·(Φ(x) + x·φ(x)) */
    private static void normalSlopes(
            int n, float[] x, int xAt, float[] normal, float[] density, float[] dy, int dyAt, float[] dx, int dxAt) {
        for (int i = 0; i < n; i += L) {
            FloatVector xi = FloatVector.fromArray(S, x, xAt + i);
            FloatVector slope = xi.mul(FloatVector.fromArray(S, density, i)).add(FloatVector.fromArray(S, normal, i));
            FloatVector.fromArray(S, dy, dyAt + i).mul(slope).intoArray(dx, dxAt + i);
        }
    }
}
