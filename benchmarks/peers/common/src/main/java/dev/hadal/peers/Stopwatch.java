package dev.hadal.peers;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;

/**
 * Times one row of the table in this JVM, and prints a line for {@code benchmarks/peers/run} to read: the row, the median
 * in seconds, the count of samples, what ran, and a remark, with tabs between.
 */
public final class Stopwatch {
    private static final double WARM_UP = Double.parseDouble(System.getProperty("peers.warmup", "1.5"));
    private static final double MEASURE = Double.parseDouble(System.getProperty("peers.measure", "3"));
    /** Calls shorter than this are timed many at a time. */
    private static final double SAMPLE = 1e-3;

    private static final int BATCHES = 8;

    private final String what;
    private final String row;

    /**
     * Made first thing in {@code main}.
     *
     * @param what the library and its version
     */
    public Stopwatch(String what, String row) {
        this.what = what;
        this.row = row;
    }

    /** Times a call that gives nothing worth a remark. */
    public void time(Callable<?> call) throws Exception {
        report(samples(call), "");
    }

    /** Times training steps that each give the loss, which must go down. */
    public void train(Callable<Float> step) throws Exception {
        double first = loss(step);
        List<Double> samples = samples(step);
        double last = loss(step);
        if (!(last < first)) {
            throw new IllegalStateException(what + " does not learn: the loss was " + first + ", and is " + last);
        }
        report(samples, String.format(Locale.ROOT, "loss %.3f to %.3f", first, last));
    }

    /** Over a few batches, since some are harder than others. */
    private static double loss(Callable<Float> step) throws Exception {
        double sum = 0;
        for (int i = 0; i < BATCHES; i++) {
            sum += step.call();
        }
        return sum / BATCHES;
    }

    /** The time since the driver started this JVM. */
    public void started() {
        long started = Long.parseLong(System.getProperty("peers.started")); // ns since 1970
        report(List.of(System.currentTimeMillis() / 1e3 - started / 1e9), "");
    }

    private static List<Double> samples(Callable<?> call) throws Exception {
        long start = System.nanoTime();
        long calls = 0;
        while (since(start) < WARM_UP || calls < 5) {
            call.call();
            calls++;
        }
        int together = (int) Math.max(1, SAMPLE / (since(start) / calls));
        List<Double> samples = new ArrayList<>();
        start = System.nanoTime();
        while (since(start) < MEASURE || samples.size() < 5) {
            long sample = System.nanoTime();
            for (int i = 0; i < together; i++) {
                call.call();
            }
            samples.add(since(sample) / together);
        }
        return samples;
    }

    private static double since(long start) {
        return (System.nanoTime() - start) * 1e-9;
    }

    private void report(List<Double> samples, String remark) {
        List<Double> sorted = new ArrayList<>(samples);
        Collections.sort(sorted);
        double median = sorted.get(sorted.size() / 2);
        System.out.printf(Locale.ROOT, "RESULT\t%s\t%.6g\t%d\t%s\t%s%n", row, median, sorted.size(), what, remark);
    }
}
