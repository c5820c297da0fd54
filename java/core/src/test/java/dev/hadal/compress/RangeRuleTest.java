package dev.hadal.compress;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Ranges against plain computations over the values themselves, without bins or with bins made otherwise. */
class RangeRuleTest {
    private static final List<RangeRule> ALL =
            List.of(RangeRule.minMax(), RangeRule.percentile(99.9), RangeRule.leastSquares(), RangeRule.entropy());

    private static Histogram histogram(float... values) {
        float min = Float.POSITIVE_INFINITY, max = Float.NEGATIVE_INFINITY;
        for (float v : values) {
            min = Math.min(min, v);
            max = Math.max(max, v);
        }
        Histogram seen = new Histogram(min, max);
        seen.add(values);
        return seen;
    }

    /** An exponential decay to both sides, or to one and many zeros on the other, as behind a ReLU. */
    private static float[] values(long seed, boolean signed) {
        Random random = new Random(seed);
        float[] values = new float[100_000];
        for (int i = 0; i < values.length; i++) {
            double magnitude = -Math.log(1 - random.nextDouble());
            boolean negative = random.nextInt(3) == 0;
            values[i] = (float) (negative ? (signed ? -0.7 * magnitude : 0) : magnitude);
        }
        return values;
    }

    @Test
    void countsEveryValueOnce() {
        float[] values = values(1, true);
        values[0] = 0;
        Histogram seen = histogram(values);
        long sum = seen.zeros();
        for (int i = -Histogram.BINS; i < Histogram.BINS; i++) {
            sum += seen.bin(i);
        }
        assertEquals(values.length, sum);
        assertEquals(1, seen.zeros());
        assertEquals(values.length, seen.count());
    }

    @Test
    void minMaxKeepsAll() {
        assertEquals(new Range(-2, 3), RangeRule.minMax().range(histogram(-2, 1, 3)));
        assertEquals(new Range(0, 3), RangeRule.minMax().range(histogram(1, 2, 3)));
        assertEquals(new Range(-3, 0), RangeRule.minMax().range(histogram(-1, -2, -3)));
    }

    @Test
    void percentileIsTheOneOfSortedValuesWithinABin() {
        for (boolean signed : new boolean[] {false, true}) {
            for (double percent : new double[] {90, 99, 99.9, 99.99, 100}) {
                float[] values = values(2, signed);
                Histogram seen = histogram(values);
                Range range = RangeRule.percentile(percent).range(seen);
                Arrays.sort(values);
                int cut = (int) Math.floor(values.length * (1 - percent / 100) + 1e-9);
                double max = values[values.length - 1 - cut], min = Math.min(0, values[cut]);
                assertEquals(max, range.max(), seen.width() * 1.001, percent + " %");
                assertEquals(min, range.min(), seen.width() * 1.001, percent + " %");
            }
        }
    }

    /** No range that is tried on the values themselves, both ends free, has a clearly smaller error. */
    @Test
    void leastSquaresHasTheSmallestError() {
        for (boolean signed : new boolean[] {false, true}) {
            float[] values = values(3, signed);
            Histogram seen = histogram(values);
            Range found = RangeRule.leastSquares().range(seen);
            double least = Double.POSITIVE_INFINITY;
            for (int h = 5; h <= 100; h += 5) {
                for (int l = signed ? 5 : 100; l <= 100; l += 5) {
                    least = Math.min(least, error(values, seen.min() * l / 100.0, seen.max() * h / 100.0));
                }
            }
            double error = error(values, found.min(), found.max());
            assertTrue(error <= least * 1.02, error + " where " + least + " can be had");
            assertTrue(error < 0.95 * error(values, seen.min(), seen.max()), "no better than min-max");
        }
    }

    private static double error(float[] values, double from, double to) {
        double min = Math.min(0, from), max = Math.max(0, to);
        double scale = (max - min) / 255, zero = Math.rint(-min / scale), sum = 0;
        for (float v : values) {
            double q = Math.max(0, Math.min(255, Math.rint(v / scale) + zero));
            sum += (v - scale * (q - zero)) * (v - scale * (q - zero));
        }
        return sum;
    }

    /**
     * The same from lists of values for each bin, as the paper's slides describe it: a distribution, clipped; the same
     * merged into the levels and spread again.
     */
    @Test
    void entropyIsThatOfDistributionsMadeValueByValue() {
        for (boolean signed : new boolean[] {false, true}) {
            float[] values = values(4, signed);
            Histogram seen = histogram(values);
            Range found = RangeRule.entropy().range(seen);
            double[] bins = new double[Histogram.BINS];
            for (float v : values) {
                if (v != 0) {
                    bins[Math.min(Histogram.BINS - 1, (int) (Math.abs(v) / seen.width()))]++;
                }
            }
            int levels = signed ? 128 : 256, best = 0;
            double least = Double.POSITIVE_INFINITY;
            for (int i = levels; i <= Histogram.BINS; i++) {
                double kl = kl(bins, i, levels);
                if (kl <= least) {
                    least = kl;
                    best = i;
                }
            }
            assertEquals(Math.min(seen.max(), best * seen.width()), found.max(), 1e-5);
            assertEquals(Math.max(seen.min(), -best * seen.width()), found.min(), 1e-5);
            assertTrue(found.max() < seen.max(), "nothing of the tail is cut off");
        }
    }

    private static double kl(double[] bins, int n, int levels) {
        double[] p = Arrays.copyOf(bins, n);
        for (int i = n; i < bins.length; i++) {
            p[n - 1] += bins[i];
        }
        double[] sum = new double[levels], filled = new double[levels];
        int[] level = new int[n];
        for (int i = 0; i < n; i++) {
            while ((level[i] + 1) * n / levels <= i) {
                level[i]++;
            }
            sum[level[i]] += bins[i];
            filled[level[i]] += bins[i] > 0 ? 1 : 0;
        }
        double[] q = new double[n];
        for (int i = 0; i < n; i++) {
            q[i] = bins[i] > 0 ? sum[level[i]] / filled[level[i]] : 0;
        }
        double sumP = Arrays.stream(p).sum(), sumQ = Arrays.stream(q).sum(), kl = 0;
        for (int i = 0; i < n; i++) {
            if (p[i] > 0) {
                kl += q[i] == 0 ? Double.POSITIVE_INFINITY : p[i] / sumP * Math.log(p[i] / sumP / (q[i] / sumQ));
            }
        }
        return kl;
    }

    @Test
    void whatIsAllAlikeHasARange() {
        for (RangeRule rule : ALL) {
            assertEquals(new Range(0, 0), rule.range(histogram(0, 0, 0)), rule.toString());
            assertEquals(3, rule.range(histogram(3, 3, 3)).max(), 0.04, rule.toString());
            assertEquals(-3, rule.range(histogram(-3)).min(), 0.04, rule.toString());
            assertEquals(0, rule.range(histogram(-3)).max(), rule.toString());
            Range tiny = rule.range(histogram(Float.MIN_VALUE, 0));
            assertTrue(tiny.max() <= Float.MIN_VALUE, rule.toString());
            Range huge = rule.range(histogram(-Float.MAX_VALUE, Float.MAX_VALUE));
            assertTrue(huge.max() > 0.9 * Float.MAX_VALUE, rule.toString());
        }
    }

    @Test
    void theShareOutsideIsCounted() {
        float[] values = new float[1000];
        for (int i = 0; i < values.length; i++) {
            values[i] = i / 100f - 2;
        }
        assertEquals(0.3, histogram(values).outside(new Range(-1, 6)), 0.005);
        assertEquals(0, histogram(values).outside(new Range(-2, 8)), 0);
    }

    @Test
    void refusesWhatIsNoRange() {
        assertThrows(IllegalArgumentException.class, () -> new Range(1, 2));
        assertThrows(IllegalArgumentException.class, () -> new Range(Float.NaN, 2));
        assertThrows(IllegalArgumentException.class, () -> new Range(0, Float.POSITIVE_INFINITY));
        assertThrows(IllegalArgumentException.class, () -> RangeRule.percentile(50));
        assertThrows(IllegalArgumentException.class, () -> RangeRule.percentile(100.1));
        assertThrows(IllegalArgumentException.class, () -> histogram(Float.NaN));
    }
}
