package dev.hadal.cli;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Backends;
import dev.hadal.cli.Table.Column;
import dev.hadal.data.Batch;
import dev.hadal.data.Batches;
import dev.hadal.data.Batching;
import dev.hadal.data.Dataset;
import dev.hadal.nn.Layer;
import dev.hadal.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Native against pure Java, measured on the spot. */
final class Comparison {
    private static final int BATCH = 64;
    private static final double SECONDS = 0.5;
    private static final List<Workload> KERNELS = List.of(
            Workload.gemm(1024, DType.F32),
            Workload.convolution(32),
            Workload.convolutionBackward(32),
            Workload.batchNorm(32),
            Workload.adamw(1_000_000));

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
        List<Backends> sides = isNative ? List.of(Backends.of(best).withThreads(threads), java) : List.of(java);
        for (Workload workload : KERNELS) {
            row(table, workload.name(), workload.size(), workload.times(sides, SECONDS));
        }
        row(table, "training step", "this network, batch of " + BATCH, trainingStep(sides));
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

    private static void row(Table table, String name, String size, List<Timing> times) {
        double here = 1e3 * times.get(times.size() - 1).median();
        double there = times.size() == 1 ? Double.NaN : 1e3 * times.get(0).median();
        table.row(name, size, there, here, here / there);
    }

    private List<Timing> trainingStep(List<Backends> sides) {
        try (Batches batches = Batching.of(BATCH).threads(0).open(train)) {
            batches.startEpoch(0);
            Batch batch = batches.next();
            return Workload.training(network, train.shape(), batch.x(), batch.target(), DType.F32)
                    .times(sides, SECONDS);
        }
    }
}
