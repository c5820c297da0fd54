package dev.hadal.compress;

/** The values that a grid is to reach from end to end; 0 lies among them. */
public record Range(float min, float max) {

    public Range {
        if (!(min <= 0) || !(max >= 0) || !Float.isFinite(min) || !Float.isFinite(max)) {
            throw new IllegalArgumentException(
                    "a grid reaches from a finite min <= 0 to a finite max >= 0, not from " + min + " to " + max);
        }
    }

    /** From the smaller to the larger, extended to 0. */
    static Range of(double from, double to) {
        return new Range((float) Math.min(0, from), (float) Math.max(0, to));
    }
}
