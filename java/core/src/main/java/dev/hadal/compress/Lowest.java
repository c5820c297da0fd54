package dev.hadal.compress;

import java.util.List;

/** Finds the units of the lowest scores that hold so many weights, in two passes over the scores' bits. */
final class Lowest {
    private static final int HALF = 16;
    private static final int LOW = (1 << HALF) - 1;
    /** A float that is not negative has no sign bit. */
    private static final int HIGH = LOW >>> 1;

    /**
     * What is dropped or kept as a whole.
     *
     * @param scores of each unit, at least 0; NaN counts as the highest
     * @param sizes how many weights each unit holds
     * @param dropped which units are dropped: the answer
     */
    record Units(float[] scores, int[] sizes, boolean[] dropped) {
        Units(float[] scores, int[] sizes) {
            this(scores, sizes, new boolean[scores.length]);
        }

        /** The bits of a float that is not negative grow as the float does. */
        private int key(int i) {
            return Float.floatToIntBits(scores[i]);
        }
    }

    private Lowest() {}

    /** Drops the lowest units that hold no more than k weights together; of equal scores the first. */
    static void drop(List<Units> all, long k) {
        long[] sums = new long[HIGH + 1];
        for (Units units : all) {
            for (int i = 0; i < units.scores.length; i++) {
                sums[units.key(i) >>> HALF] += units.sizes[i];
            }
        }
        long left = k;
        int high = 0;
        while (high < HIGH && sums[high] <= left) {
            left -= sums[high++];
        }
        long[] lowSums = new long[LOW + 1];
        for (Units units : all) {
            for (int i = 0; i < units.scores.length; i++) {
                if (units.key(i) >>> HALF == high) {
                    lowSums[units.key(i) & LOW] += units.sizes[i];
                }
            }
        }
        int low = 0;
        while (low < LOW && lowSums[low] <= left) {
            left -= lowSums[low++];
        }
        int limit = high << HALF | low;
        for (Units units : all) {
            for (int i = 0; i < units.scores.length; i++) {
                int key = units.key(i);
                boolean tie = key == limit && units.sizes[i] <= left;
                left -= tie ? units.sizes[i] : 0;
                units.dropped[i] = key < limit || tie;
            }
        }
    }
}
