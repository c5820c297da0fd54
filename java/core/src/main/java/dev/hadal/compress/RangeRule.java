package dev.hadal.compress;

import java.util.Locale;

/**
 * Which range of a value the 256 steps of its grid are spread over: a wide one rounds coarsely, a narrow one cuts off what
 * lies outside.
 */
public sealed interface RangeRule {

    /** The range for values that are spread like this. */
    Range range(Histogram seen);

    /** All that was seen: nothing is cut off. */
    static RangeRule minMax() {
        return new MinMax();
    }

    /**
     * What is left without the largest and, if there are values below 0, the smallest of them.
     *
     * @param percent how much is kept at either end, such as 99.99
     */
    static RangeRule percentile(double percent) {
        return new Percentile(percent);
    }

    /** The range of the least mean squared error. */
    static RangeRule leastSquares() {
        return new LeastSquares();
    }

    /** The range whose grid tells most of how the values are spread. */
    static RangeRule entropy() {
        return new Entropy();
    }

    /** From the smallest value to the largest. */
    record MinMax() implements RangeRule {
        @Override
        public Range range(Histogram seen) {
            return Range.of(seen.min(), seen.max());
        }

        @Override
        public String toString() {
            return "min-max";
        }
    }

    /** Between two percentiles, as far as bins tell. */
    record Percentile(double percent) implements RangeRule {
        public Percentile {
            if (!(percent > 50 && percent <= 100)) {
                throw new IllegalArgumentException("a percentile of more than 50, up to 100, is kept, not " + percent);
            }
        }

        @Override
        public Range range(Histogram seen) {
            long cut = (long) (seen.count() * (100 - percent) / 100 + 1e-6); // 0.01 of 100 is no double
            int low = seen.isSigned() ? -Histogram.BINS : 0;
            int high = Histogram.BINS - 1;
            for (long below = seen.bin(low); below <= cut && low < 0; below += seen.bin(low)) {
                low++;
            }
            for (long above = seen.bin(high); above <= cut && high > 0; above += seen.bin(high)) {
                high--;
            }
            return Range.of(Math.max(low * seen.width(), seen.min()), Math.min((high + 1) * seen.width(), seen.max()));
        }

        @Override
        public String toString() {
            return String.format(Locale.ROOT, "percentile %s", percent);
        }
    }

    /**
     * Σ (x − Q(x))² over the bins' middles is made small: first by the upper end, then by the lower, and so on until
     * neither moves. Each end is tried at every hundredth of its extent.
     */
    record LeastSquares() implements RangeRule {
        private static final int STEPS = 100;

        @Override
        public Range range(Histogram seen) {
            int low = STEPS;
            int high = STEPS;
            boolean moved = true;
            for (int round = 0; moved && round < 5; round++) {
                int before = low * (STEPS + 1) + high;
                int bestHigh = high;
                for (int h = 1; h <= STEPS; h++) {
                    bestHigh = error(seen, low, h) < error(seen, low, bestHigh) ? h : bestHigh;
                }
                high = bestHigh;
                int bestLow = low;
                for (int l = 0; l <= STEPS && seen.isSigned(); l++) {
                    bestLow = error(seen, l, high) < error(seen, bestLow, high) ? l : bestLow;
                }
                low = bestLow;
                moved = before != low * (STEPS + 1) + high;
            }
            return part(seen, low, high);
        }

        private static Range part(Histogram seen, int low, int high) {
            return Range.of((double) seen.min() * low / STEPS, (double) seen.max() * high / STEPS);
        }

        private static double error(Histogram seen, int low, int high) {
            return squaredError(seen, part(seen, low, high));
        }

        /** Σ n·(x − Q(x))² over the bins. */
        static double squaredError(Histogram seen, Range range) {
            double scale = ((double) range.max() - range.min()) / 255;
            double zero = scale == 0 ? 0 : Math.rint(-range.min() / scale);
            double sum = 0;
            for (int i = seen.isSigned() ? -Histogram.BINS : 0; i < Histogram.BINS; i++) {
                if (seen.bin(i) > 0) {
                    double x = seen.middle(i);
                    double q = scale == 0 ? 0 : Math.max(0, Math.min(255, Math.rint(x / scale) + zero));
                    double error = x - scale * (q - zero);
                    sum += seen.bin(i) * error * error;
                }
            }
            return sum;
        }

        @Override
        public String toString() {
            return "mse";
        }
    }

    /**
     * Entropy calibration (Migacz, 8-bit inference with TensorRT, GTC 2017), as in NVIDIA's pytorch-quantization: for each
     * number i of bins of magnitudes, P is their distribution with all that lies beyond added to the last; Q is the same
     * seen through the grid's levels, each of which shares its count among those of its bins that hold something. The i of
     * the smallest KL(P‖Q) wins, of equal ones the largest. Exact zeros do not count, where NVIDIA's gives the bin at 0 the
     * count of its neighbour.
     */
    record Entropy() implements RangeRule {

        @Override
        public Range range(Histogram seen) {
            double[] bins = new double[Histogram.BINS];
            for (int i = 0; i < bins.length; i++) {
                bins[i] = (double) seen.bin(i) + seen.bin(-1 - i);
            }
            int levels = seen.isSigned() ? 128 : 256; // beside the sign
            double[] beyond = new double[bins.length + 1];
            for (int i = bins.length - 1; i >= 0; i--) {
                beyond[i] = beyond[i + 1] + bins[i];
            }
            int best = bins.length;
            double least = Double.POSITIVE_INFINITY;
            for (int i = levels; i <= bins.length; i++) {
                double divergence = divergence(bins, i, levels, beyond[i]);
                if (divergence <= least) {
                    least = divergence;
                    best = i;
                }
            }
            double reach = best * seen.width();
            return Range.of(Math.max(-reach, seen.min()), Math.min(reach, seen.max()));
        }

        /** KL(P‖Q) = Σ P·ln(P/Q), in nats. */
        static double divergence(double[] bins, int count, int levels, double beyond) {
            double[] q = new double[count];
            for (int level = 0, from = 0; level < levels; level++) {
                int to = (int) ((long) (level + 1) * count / levels);
                double sum = 0;
                int filled = 0;
                for (int i = from; i < to; i++) {
                    sum += bins[i];
                    filled += bins[i] > 0 ? 1 : 0;
                }
                for (int i = from; i < to; i++) {
                    q[i] = bins[i] > 0 ? sum / filled : 0;
                }
                from = to;
            }
            double sumQ = 0;
            double sumP = beyond;
            for (int i = 0; i < count; i++) {
                sumQ += q[i];
                sumP += bins[i];
            }
            double divergence = 0;
            for (int i = 0; i < count; i++) {
                double p = bins[i] + (i == count - 1 ? beyond : 0);
                if (p > 0) { // q is 0 where only the values beyond make the last bin anything
                    divergence += q[i] == 0 ? Double.POSITIVE_INFINITY : p / sumP * Math.log(p / sumP / (q[i] / sumQ));
                }
            }
            return Double.isNaN(divergence) ? Double.POSITIVE_INFINITY : divergence;
        }

        @Override
        public String toString() {
            return "entropy";
        }
    }
}
