package dev.hadal.cli;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Backends;
import dev.hadal.cli.Table.Column;
import dev.hadal.data.Batch;
import dev.hadal.data.Batches;
import dev.hadal.data.Batching;
import dev.hadal.data.Dataset;
import dev.hadal.nn.Layer;
import dev.hadal.train.Trainer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** Native against pure Java, measured on the spot. */
final class Comparison {
    private static final int BATCH = 64;
    private static final long WARM_UP_NANOS = 700_000_000;
    private static final long MEASURE_NANOS = 500_000_000;

    private final int threads;
    private final Layer network;
    private final Dataset train;

    Comparison(int threads, Layer network, Dataset train) {
        this.threads = threads;
        this.network = network;
        this.train = train;
    }

    List<String> lines() {
        Backends java = Backends.of("java").withThreads(threads);
        Backend best = Backends.installed().get(0);
        boolean isNative = best.availability().available()
                && !best.name().equals(java.first().name());
        List<String> lines = new ArrayList<>();
        Table table = new Table(
                Column.words("operation"),
                Column.words("size"),
                Column.numbers(isNative ? best.name() : "native", "ms"),
                Column.numbers("java", "ms"),
                Column.numbers("times faster", ""));
        for (Workload workload : Workload.TABLE) {
            double there = isNative ? millis(workload, Backends.of(best).withThreads(threads)) : Double.NaN;
            double here = millis(workload, java);
            table.row(workload.name(), workload.size(), there, here, here / there);
        }
        double there = isNative ? trainingStep(Backends.of(best).withThreads(threads)) : Double.NaN;
        double here = trainingStep(java);
        table.row("training step", "this network, batch of " + BATCH, there, here, here / there);
        lines.addAll(table.lines());
        lines.add("");
        lines.add(String.format(
                Locale.ROOT,
                "median times on %d threads%s",
                threads,
                isNative
                        ? ""
                        : "; nothing native: " + best.name() + " "
                                + best.availability().detail()));
        return lines;
    }

    private static double millis(Workload workload, Backends backends) {
        try (Workload.Ready ready = workload.prepare(backends)) {
            return median(ready::run);
        } catch (IllegalStateException declined) {
            return Double.NaN;
        }
    }

    private double trainingStep(Backends backends) {
        try (Trainer trainer = Trainer.of(network, train.shape())
                        .batch(BATCH)
                        .backends(backends)
                        .build();
                Batches batches = Batching.of(BATCH).threads(0).open(train)) {
            batches.startEpoch(0);
            Batch batch = batches.next();
            return median(() -> trainer.step(batch.x(), batch.target()));
        }
    }

    /** In milliseconds, after a warm-up. */
    private static double median(Runnable body) {
        long start = System.nanoTime();
        do {
            body.run();
        } while (System.nanoTime() - start < WARM_UP_NANOS);
        List<Long> times = new ArrayList<>();
        start = System.nanoTime();
        do {
            long before = System.nanoTime();
            body.run();
            times.add(System.nanoTime() - before);
        } while (System.nanoTime() - start < MEASURE_NANOS);
        long[] sorted = times.stream().mapToLong(Long::longValue).toArray();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2] * 1e-6;
    }
}
