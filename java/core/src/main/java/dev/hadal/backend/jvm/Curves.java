package dev.hadal.backend.jvm;

/**
 * The exponential and its kin in f32, to a few units in the last place; NaN stays NaN.
 */
@SuppressWarnings("FloatingPointLiteralPrecision") // the literals stand as published
final class Curves {
    /** Added to a float below 2²², it leaves the nearest integer in the low bits. */
    private static final float ROUND = 12582912f;

    private static final int ROUND_BITS = Float.floatToRawIntBits(ROUND);

    private static final float LOG2_E = 1.44269504f;

    /** ln 2 in two parts; an integer times the first is exact. */
    private static final float LN2_HIGH = 0.693359375f;

    private static final float LN2_LOW = -2.12194440e-4f;

    /** Below, eˣ is no f32 but 0; above {@link #HIGHEST}, it is infinite. */
    private static final float LOWEST = -104f;

    private static final float HIGHEST = 89f;

    /** eˣ = 2ⁿ·eʳ with x = n·ln 2 + r, |r| ≤ ln 2 / 2. */
    static float exp(float x) {
        float bounded = Math.min(Math.max(x, LOWEST), HIGHEST);
        float shifted = bounded * LOG2_E + ROUND;
        float y = expm1Near0(rest(bounded, shifted - ROUND)) + 1;
        int n = Float.floatToRawIntBits(shifted) - ROUND_BITS;
        return y * power(n >> 1) * power(n - (n >> 1)); // 2ⁿ itself may be no f32 where the product is one
    }

    /** eˣ − 1 = 2ⁿ·(eʳ − 1) + (2ⁿ − 1) for x ≤ 0, without cancellation. */
    static float expm1OfNegative(float x) {
        float bounded = Math.max(x, -30f);
        float shifted = bounded * LOG2_E + ROUND;
        float power = power(Float.floatToRawIntBits(shifted) - ROUND_BITS);
        return power * expm1Near0(rest(bounded, shifted - ROUND)) + (power - 1);
    }

    private static float rest(float x, float n) {
        return x - n * LN2_HIGH - n * LN2_LOW;
    }

    /** eʳ − 1 by the polynomial of Moshier's Cephes library (expf.c). */
    private static float expm1Near0(float r) {
        float p = 1.9875691500e-4f * r + 1.3981999507e-3f;
        p = p * r + 8.3334519073e-3f;
        p = p * r + 4.1665795894e-2f;
        p = p * r + 1.6666665459e-1f;
        p = p * r + 5.0000001201e-1f;
        return p * (r * r) + r;
    }

    private static float power(int n) {
        return Float.intBitsToFloat((n + 127) << 23);
    }

    /** ln(1 + t) for 0 ≤ t ≤ 1: 2·artanh s with s = t/(2 + t), by its series. */
    private static float log1p(float t) {
        float s = t / (2 + t);
        float z = s * s;
        float p = z * (1 / 15f) + 1 / 13f;
        p = p * z + 1 / 11f;
        p = p * z + 1 / 9f;
        p = p * z + 1 / 7f;
        p = p * z + 1 / 5f;
        p = p * z + 1 / 3f;
        return 2 * s + 2 * s * (z * p);
    }

    static float sigmoid(float x) {
        return 1 / (1 + exp(-x));
    }

    /** −m/(m + 2) with m = e^(−2|x|) − 1, and the sign of x. */
    static float tanh(float x) {
        float m = expm1OfNegative(-2 * Math.abs(x));
        return Math.copySign(m / (m + 2), x);
    }

    /** max(x, 0) + ln(1 + e^−|x|) */
    static float softplus(float x) {
        return Math.max(x, 0) + log1p(exp(-Math.abs(x)));
    }

    /** By the polynomials of N. Juffa (2018), odd ones near 0, and 1 − e^p(|x|) elsewhere. */
    static float erf(float x) {
        float a = Math.abs(x);
        float z = x * x;
        if (a > 0.927734375f) {
            float p = (-1.72853470e-5f * a + 3.83197126e-4f) * z + (-3.88396438e-3f * a + 2.42546219e-2f);
            p = p * a - 1.06777877e-1f;
            p = p * a - 6.34846687e-1f;
            p = p * a - 1.28717512e-1f;
            return Math.copySign(1 - exp(p * a - a), x);
        }
        float p = -5.96761703e-4f * z + 4.99119423e-3f;
        p = p * z - 2.67681349e-2f;
        p = p * z + 1.12819925e-1f;
        p = p * z - 3.76125336e-1f;
        p = p * z + 1.28379166e-1f;
        return p * x + x;
    }

    private Curves() {}
}
