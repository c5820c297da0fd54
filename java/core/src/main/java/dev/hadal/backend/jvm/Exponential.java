package dev.hadal.backend.jvm;

/** The exponential in f32, several times as fast as {@link Math#exp}. */
final class Exponential {

    /** Adding 1.5·2²³ leaves the nearest integer in the low bits of the sum. */
    private static final float ROUND = 12582912f;

    private static final int ROUND_BITS = Float.floatToRawIntBits(ROUND);

    /**
     * eˣ for x ≤ 0, within 1 unit in the last place; 0 for x < −87, where eˣ nears the subnormal range; NaN for NaN. x =
     * n·ln 2 + r with |r| ≤ ln 2 / 2, and eʳ by the polynomial of Moshier's Cephes library (expf.c).
     */
    static float ofNegative(float x) {
        float shifted = x * 1.44269504088896341f + ROUND;
        float n = shifted - ROUND;
        float r = x - n * 0.693359375f; // ln 2 in two parts; n times the first is exact
        r -= n * -2.12194440e-4f;
        float y = 1.9875691500e-4f * r + 1.3981999507e-3f;
        y = y * r + 8.3334519073e-3f;
        y = y * r + 4.1665795894e-2f;
        y = y * r + 1.6666665459e-1f;
        y = y * r + 5.0000001201e-1f;
        y = y * (r * r) + r + 1;
        float power = Float.intBitsToFloat((Float.floatToRawIntBits(shifted) - ROUND_BITS + 127) << 23); // 2ⁿ
        return x < -87 ? 0 : y * power;
    }

    private Exponential() {}
}
