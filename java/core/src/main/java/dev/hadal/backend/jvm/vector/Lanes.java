package dev.hadal.backend.jvm.vector;

/** What is added up lane by lane is added together here: the API's own reduction may choose another order each time. */
final class Lanes {

    /** The sum of so many lanes, a multiple of four. */
    static float sum(float[] lanes, int at, int count) {
        float s0 = 0;
        float s1 = 0;
        float s2 = 0;
        float s3 = 0;
        for (int l = at; l < at + count; l += 4) {
            s0 += lanes[l];
            s1 += lanes[l + 1];
            s2 += lanes[l + 2];
            s3 += lanes[l + 3];
        }
        return (s0 + s1) + (s2 + s3);
    }

    private Lanes() {}
}
