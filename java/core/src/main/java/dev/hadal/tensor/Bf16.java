package dev.hadal.tensor;

/**
 * Between f32 and bf16. A bf16 is the upper half of an f32, so that widening is exact; narrowing rounds to the nearest,
 * ties to even. NaN stays NaN, and keeps its sign. (Native kernels may take values below the least normal f32, 1e−38,
 * for zero.)
 */
public final class Bf16 {
    /** u, the unit roundoff: one rounding changes a value by no more than this share of it. */
    public static final double ROUNDOFF = 0x1p-8;

    private static final int QUIET = 0x40;

    /** The bits of the bf16 that is nearest to x. */
    public static short narrow(float x) {
        int bits = Float.floatToRawIntBits(x);
        int odd = (bits >>> 16) & 1;
        return (short) (Float.isNaN(x) ? (bits >>> 16) | QUIET : (bits + 0x7FFF + odd) >>> 16);
    }

    /** The value of a bf16 with those bits. */
    public static float widen(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    /** Narrows n values. */
    public static void narrow(int n, float[] from, int fromAt, short[] to, int toAt) {
        for (int i = 0; i < n; i++) {
            to[toAt + i] = narrow(from[fromAt + i]);
        }
    }

    /** Widens n values. */
    public static void widen(int n, short[] from, int fromAt, float[] to, int toAt) {
        for (int i = 0; i < n; i++) {
            to[toAt + i] = widen(from[fromAt + i]);
        }
    }

    private Bf16() {}
}
