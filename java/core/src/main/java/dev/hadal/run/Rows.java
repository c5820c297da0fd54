package dev.hadal.run;

import dev.hadal.graph.Type;
import java.util.ArrayList;
import java.util.List;

/**
 * In batches of which size samples are computed. A batch that is not full is filled up with zeros.
 *
 * @param fixed always in batches of so many; 0 for any size
 * @param most so many samples at most, of one call or several, at the next of a few {@link #sizes}; 0 for the size given
 */
record Rows(int fixed, int most) {

    /** The size of the batches in which n samples are computed. */
    int size(int n) {
        if (fixed > 0) {
            return fixed;
        }
        return n <= most ? Math.min(most, powerOfTwo(n)) : n;
    }

    /** 1, 2, 4, … and the most that are computed at once. */
    List<Integer> sizes() {
        List<Integer> sizes = new ArrayList<>();
        if (fixed > 0) {
            sizes.add(fixed);
        } else {
            for (int n = 1; n <= most; n = size(n) + 1) {
                sizes.add(size(n));
            }
        }
        return sizes;
    }

    private static int powerOfTwo(int atLeast) {
        return atLeast <= 1 ? 1 : Integer.highestOneBit(atLeast - 1) << 1;
    }

    /**
     * Whether an output can be cut up.
     *
     * @throws IllegalArgumentException if it has no row for each sample
     */
    void check(String output, Type type, int size) {
        boolean cut = fixed > 0 || most > 0;
        if (cut && (type.shape().rank() == 0 || type.shape().get(0) != size)) {
            throw new IllegalArgumentException("output " + output + " of " + size + " samples is " + type
                    + ", without a row for each: such a network can be neither micro-batched nor batch-invariant");
        }
    }
}
