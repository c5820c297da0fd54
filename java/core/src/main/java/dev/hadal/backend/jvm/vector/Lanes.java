package dev.hadal.backend.jvm.vector;

import jdk.incubator.vector.FloatVector;

/** What is summed lane by lane is added up here: the API's own reduction may choose another order each time. */
final class Lanes {
    private static final int L = FloatVector.SPECIES_PREFERRED.length();

    /** The sum of a stored vector. */
    static float sum(float[] lanes, int at) {
        float s0 = 0;
        float s1 = 0;
        float s2 = 0;
        float s3 = 0;
        for (int l = at; l < at + L; l += 4) {
            s0 += lanes[l];
            s1 += lanes[l + 1];
            s2 += lanes[l + 2];
            s3 += lanes[l + 3];
        }
        return (s0 + s1) + (s2 + s3);
    }

    private Lanes() {}
}
