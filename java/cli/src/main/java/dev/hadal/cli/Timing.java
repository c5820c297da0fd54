package dev.hadal.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * How long one run of some work takes, in seconds.
 *
 * @param median half of the samples took less
 * @param low a quarter of the samples took less
 * @param high a quarter of the samples took more
 */
record Timing(double median, double low, double high) {
    /** For what could not run. */
    static final Timing NONE = new Timing(Double.NaN, Double.NaN, Double.NaN);

    private static final long WARM_UP_NANOS = 700_000_000;
    /** Short work is repeated within one sample, or the clock would count. */
    private static final long SAMPLE_NANOS = 1_000_000;

    private static final int ROUNDS = 5;

    /**
     * Runs each of the bodies, warm, for so long. They take turns, so that whatever else the machine does falls on all of
     * them alike.
     */
    static List<Timing> inTurns(List<Runnable> bodies, double seconds) {
        List<List<Double>> samples = new ArrayList<>();
        int[] runs = new int[bodies.size()];
        for (int i = 0; i < runs.length; i++) {
            samples.add(new ArrayList<>());
            runs[i] = (int) Math.max(1, SAMPLE_NANOS / warmUp(bodies.get(i)));
        }
        for (int round = 0; round < ROUNDS; round++) {
            for (int i = 0; i < runs.length; i++) {
                long end = System.nanoTime() + (long) (seconds / ROUNDS * 1e9);
                do {
                    samples.get(i).add(sample(bodies.get(i), runs[i]));
                } while (System.nanoTime() < end);
            }
        }
        return samples.stream().map(Timing::of).toList();
    }

    /** Returns the nanoseconds of a run, at least one. */
    private static long warmUp(Runnable body) {
        long start = System.nanoTime();
        long runs = 0;
        do {
            body.run();
            runs++;
        } while (System.nanoTime() - start < WARM_UP_NANOS);
        return (System.nanoTime() - start) / runs + 1;
    }

    private static double sample(Runnable body, int runs) {
        long start = System.nanoTime();
        for (int i = 0; i < runs; i++) {
            body.run();
        }
        return (System.nanoTime() - start) * 1e-9 / runs;
    }

    static Timing of(List<Double> samples) {
        double[] sorted = samples.stream().mapToDouble(Double::doubleValue).toArray();
        Arrays.sort(sorted);
        return new Timing(at(sorted, 0.5), at(sorted, 0.25), at(sorted, 0.75));
    }

    /** Linear between the two nearest samples. */
    private static double at(double[] sorted, double share) {
        double place = share * (sorted.length - 1);
        int below = (int) place;
        double above = sorted[Math.min(below + 1, sorted.length - 1)];
        return sorted[below] + (place - below) * (above - sorted[below]);
    }
}
