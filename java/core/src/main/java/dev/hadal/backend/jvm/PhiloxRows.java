package dev.hadal.backend.jvm;

import java.util.Arrays;

/**
 * Many blocks of {@link dev.hadal.tensor.Philox} side by side, the k-th word of each in row k. So a round is a loop that
 * the JIT turns into vector code. It multiplies halves of 16 bits, because few CPUs have vectors of 64-bit products, and
 * the JIT makes none of 32-bit ones.
 */
final class PhiloxRows {
    /** The blocks of a row. */
    static final int BLOCKS = 256;

    private static final int ROUNDS = 10;
    private static final int M0 = 0xD2511F53;
    private static final int M1 = 0xCD9E8D57;
    private static final int W0 = 0x9E3779B9;
    private static final int W1 = 0xBB67AE85;

    final int[][] words = new int[4][BLOCKS];

    /** As {@code Philox.block}, from a first index on. */
    void blocks(long key, int index, int run, long stream) {
        for (int i = 0; i < BLOCKS; i++) {
            words[0][i] = index + i;
        }
        Arrays.fill(words[1], run);
        Arrays.fill(words[2], (int) stream);
        Arrays.fill(words[3], (int) (stream >>> 32));
        int k0 = (int) key;
        int k1 = (int) (key >>> 32);
        for (int r = 0; r < ROUNDS; r++) {
            round(k0 + r * W0, k1 + r * W1, words[0], words[1], words[2], words[3]);
        }
    }

    private static void round(int k0, int k1, int[] c0, int[] c1, int[] c2, int[] c3) {
        for (int i = 0; i < BLOCKS; i++) {
            int a = c0[i];
            int low = ((a & 0xFFFF) * (M0 & 0xFFFF)) >>> 16;
            int middle = (a >>> 16) * (M0 & 0xFFFF) + low;
            int rest = (a & 0xFFFF) * (M0 >>> 16) + (middle & 0xFFFF);
            int high0 = (a >>> 16) * (M0 >>> 16) + (middle >>> 16) + (rest >>> 16);

            int b = c2[i];
            low = ((b & 0xFFFF) * (M1 & 0xFFFF)) >>> 16;
            middle = (b >>> 16) * (M1 & 0xFFFF) + low;
            rest = (b & 0xFFFF) * (M1 >>> 16) + (middle & 0xFFFF);
            int high1 = (b >>> 16) * (M1 >>> 16) + (middle >>> 16) + (rest >>> 16);

            c0[i] = high1 ^ c1[i] ^ k0;
            c1[i] = b * M1;
            c2[i] = high0 ^ c3[i] ^ k1;
            c3[i] = a * M0;
        }
    }
}
