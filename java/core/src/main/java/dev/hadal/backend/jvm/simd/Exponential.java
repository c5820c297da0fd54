package dev.hadal.backend.jvm.simd;

/**
 * The exponential in f32, several times as fast as {@link Math#exp}: eˣ = 2ⁿ·eʳ with x = n·ln 2 + r, |r| ≤ ln 2 / 2, and eʳ
 * by the polynomial of Moshier's Cephes library (expf.c).
 */
public final class Exponential {
    /** Adding 1.5·2²³ leaves the nearest integer in the low bits of the sum. */
    public static final float ROUND = 12582912f;

    public static final int ROUND_BITS = Float.floatToRawIntBits(ROUND);

    public static final float LOG2_E = 1.44269504088896341f;

    /** ln 2 in two parts; an integer times the first is exact. */
    public static final float LN2_HIGH = 0.693359375f;

    public static final float LN2_LOW = -2.12194440e-4f;

    /** Of the polynomial 1 + r + r²·(c₀ + c₁·r + …). */
    public static final float C0 = 5.0000001201e-1f;

    public static final float C1 = 1.6666665459e-1f;
    public static final float C2 = 4.1665795894e-2f;
    public static final float C3 = 8.3334519073e-3f;
    public static final float C4 = 1.3981999507e-3f;
    public static final float C5 = 1.9875691500e-4f;

    /** Below, eˣ nears the subnormal range. */
    public static final float LOWEST = -87;

    /** eˣ for x ≤ 0, within 1 unit in the last place; 0 below {@link #LOWEST}; NaN for NaN. */
    public static float ofNegative(float x) {
        float shifted = x * LOG2_E + ROUND;
        float n = shifted - ROUND;
        float r = x - n * LN2_HIGH - n * LN2_LOW;
        float y = C5 * r + C4;
        y = y * r + C3;
        y = y * r + C2;
        y = y * r + C1;
        y = y * r + C0;
        y = y * (r * r) + r + 1;
        float power = Float.intBitsToFloat((Float.floatToRawIntBits(shifted) - ROUND_BITS + 127) << 23); // 2ⁿ
        return x < LOWEST ? 0 : y * power;
    }

    private Exponential() {}
}
