package dev.hadal.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class PhiloxTest {
    private static final int SAMPLES = 1 << 18;

    // ---- the generator ----

    /** The vectors that come with Random123, for philox4x32-10. */
    @Test
    void givesTheKnownAnswers() {
        assertArrayEquals(
                new int[] {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}, philox(0, 0, 0, 0, /* key */ 0, 0));
        assertArrayEquals(
                new int[] {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}, philox(-1, -1, -1, -1, /* key */ -1, -1));
        assertArrayEquals(
                new int[] {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
                philox(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, /* key */ 0xa4093822, 0x299f31d0));
    }

    private static int[] philox(int c0, int c1, int c2, int c3, int k0, int k1) {
        int[] out = new int[4];
        Philox.generate(k0, k1, c0, c1, c2, c3, out);
        return out;
    }

    /** The key is the seed; of the counter, the low half counts blocks of four, and the high half is the stream. */
    @Test
    void seedStreamAndIndexBecomeKeyAndCounter() {
        Philox random = new Philox(0x299f31d0_a4093822L, 0x03707344_13198a2eL);
        int[] expected = philox(0x243f6a88, 0x15a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0);
        long block = 0x15a308d3_243f6a88L;
        assertArrayEquals(
                expected,
                IntStream.range(0, 4).map(i -> random.bits(4 * block + i)).toArray());
    }

    @Test
    void theOrderOfEvaluationChangesNothing() {
        Philox forward = new Philox(7, 11);
        int[] bits = IntStream.range(0, 1000).map(forward::bits).toArray();
        Philox backward = new Philox(7, 11);
        for (int i = 999; i >= 0; i--) {
            assertEquals(bits[i], backward.bits(i));
        }
    }

    @Test
    void seedsAndStreamsDiffer() {
        Set<Integer> firsts = new HashSet<>();
        for (long key = 0; key < 100; key++) {
            for (long stream = 0; stream < 100; stream++) {
                firsts.add(new Philox(key, stream).bits(0));
            }
        }
        assertTrue(firsts.size() > 9_990, () -> "only " + firsts.size() + " of 10,000 differ");
        assertNotEquals(Philox.streamOf("stage1.0.conv1.weight"), Philox.streamOf("stage1.0.conv2.weight"));
    }

    /** 64-bit FNV-1a, whose published values for these are known. */
    @Test
    void streamsOfNamesNeverChange() {
        assertEquals(0xcbf29ce484222325L, Philox.streamOf(""));
        assertEquals(0xaf63dc4c8601ec8cL, Philox.streamOf("a"));
        assertEquals(0x85944171f73967e8L, Philox.streamOf("foobar"));
    }

    // ---- distributions ----

    /** χ² of 64 bins over [0, 1), mean ½ and variance 1/12; each within five of its standard deviations. */
    @Test
    void uniformIsUniform() {
        Philox random = new Philox(1, 2);
        int[] bins = new int[64];
        double sum = 0;
        double squares = 0;
        for (int i = 0; i < SAMPLES; i++) {
            float u = random.uniform(i);
            assertTrue(u >= 0 && u < 1);
            assertEquals(u, Math.rint(u * 0x1p24) * 0x1p-24, 0.0, "a multiple of 2⁻²⁴");
            bins[(int) (u * 64)]++;
            sum += u;
            squares += u * u;
        }
        assertNear(0.5, sum / SAMPLES, Math.sqrt(1.0 / 12 / SAMPLES));
        assertNear(1.0 / 3, squares / SAMPLES, Math.sqrt(4.0 / 45 / SAMPLES));
        assertChiSquared(bins);
    }

    @Test
    void belowIsUniform() {
        for (int bound : new int[] {1, 2, 3, 10, 97}) {
            Philox random = new Philox(3, bound);
            int[] bins = new int[bound];
            for (int i = 0; i < SAMPLES; i++) {
                bins[random.below(bound, i)]++;
            }
            assertChiSquared(bins);
        }
        Philox random = new Philox(3, 0);
        for (int i = 0; i < 1000; i++) {
            assertTrue(random.below(Integer.MAX_VALUE, i) >= 0);
        }
    }

    /** Mean 0, variance 1, skewness 0, kurtosis 3, and the shares beyond one, two and three deviations. */
    @Test
    void normalIsNormal() {
        Philox random = new Philox(5, 6);
        double[] moments = new double[5];
        int[] beyond = new int[4];
        for (int i = 0; i < SAMPLES; i++) {
            double z = random.normal(i);
            for (int m = 1; m <= 4; m++) {
                moments[m] += Math.pow(z, m) / SAMPLES;
            }
            for (int d = 1; d <= 3; d++) {
                beyond[d] += Math.abs(z) > d ? 1 : 0;
            }
        }
        double root = Math.sqrt(SAMPLES);
        assertNear(0, moments[1], 1 / root);
        assertNear(1, moments[2], Math.sqrt(2) / root);
        assertNear(0, moments[3], Math.sqrt(15) / root);
        assertNear(3, moments[4], Math.sqrt(96) / root);
        double[] shares = {1, 0.317311, 0.045500, 0.002700};
        for (int d = 1; d <= 3; d++) {
            assertNear(shares[d], (double) beyond[d] / SAMPLES, Math.sqrt(shares[d] * (1 - shares[d])) / root);
        }
    }

    @Test
    void neighboursAreUncorrelated() {
        Philox random = new Philox(8, 9);
        double uniform = 0;
        double normal = 0;
        for (int i = 0; i < SAMPLES; i++) {
            uniform += (random.uniform(i) - 0.5) * (random.uniform(i + 1) - 0.5) * 12 / SAMPLES;
            normal += (double) random.normal(i) * random.normal(i + 1) / SAMPLES;
        }
        assertNear(0, uniform, 1 / Math.sqrt(SAMPLES));
        assertNear(0, normal, 1 / Math.sqrt(SAMPLES));
    }

    // ---- permutations ----

    @Test
    void shufflePermutes() {
        for (int n : new int[] {0, 1, 2, 3, 10, 1000}) {
            int[] order = IntStream.range(0, n).toArray();
            new Philox(4, n).shuffle(order);
            int[] sorted = order.clone();
            Arrays.sort(sorted);
            assertArrayEquals(IntStream.range(0, n).toArray(), sorted);
            int[] again = IntStream.range(0, n).toArray();
            new Philox(4, n).shuffle(again);
            assertArrayEquals(order, again);
        }
    }

    /** All 24 orders of four things come equally often. */
    @Test
    void shuffleIsFair() {
        int[] counts = new int[256];
        int rounds = 48_000;
        for (int i = 0; i < rounds; i++) {
            int[] order = {0, 1, 2, 3};
            new Philox(10, i).shuffle(order);
            counts[order[0] * 64 + order[1] * 16 + order[2] * 4 + order[3]]++;
        }
        int[] seen = IntStream.of(counts).filter(c -> c > 0).toArray();
        assertEquals(24, seen.length);
        assertChiSquared(seen);
    }

    private static void assertNear(double expected, double actual, double deviation) {
        assertEquals(expected, actual, 5 * deviation);
    }

    /** χ² over equally likely bins, with k − 1 degrees of freedom: k − 1 ± 5·√(2·(k − 1)). */
    private static void assertChiSquared(int[] bins) {
        double expected = (double) IntStream.of(bins).sum() / bins.length;
        double chiSquared = IntStream.of(bins)
                .mapToDouble(b -> (b - expected) * (b - expected) / expected)
                .sum();
        int freedom = bins.length - 1;
        assertEquals(freedom, chiSquared, 5 * Math.sqrt(2.0 * freedom) + 1e-9);
    }
}
