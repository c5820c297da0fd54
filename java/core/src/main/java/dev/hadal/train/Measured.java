package dev.hadal.train;

import dev.hadal.data.Batch;
import dev.hadal.data.Batches;
import dev.hadal.data.Batching;
import dev.hadal.data.Dataset;
import dev.hadal.model.Model;
import dev.hadal.tensor.DType;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;

/** The loss and the metrics of one pass over some data. */
final class Measured {
    /** Samples in a batch of what is only measured. */
    static final int BATCH = 250;

    private final List<Metric> metrics;
    private final Map<Metric, Metric.Accumulator> accumulators = new LinkedHashMap<>();
    private double losses;
    private long samples;

    /** If no metric is named, the accuracy is measured where targets are class indices. */
    Measured(List<Metric> metrics) {
        this.metrics = metrics;
    }

    /** The sum of the losses so far, each times its batch's size. */
    double losses() {
        return losses;
    }

    /** How many samples have been taken in. */
    long samples() {
        return samples;
    }

    /** Goes on from such sums. */
    void resume(double lossesThen, long samplesThen) {
        losses = lossesThen;
        samples = samplesThen;
    }

    /** Takes in the trainer's last batch. */
    void add(double loss, Trainer trainer, Batch batch) {
        if (accumulators.isEmpty()) {
            (metrics.isEmpty() ? usual(trainer, batch) : metrics).forEach(m -> accumulators.put(m, m.start()));
        }
        losses += loss * batch.size();
        samples += batch.size();
        accumulators.forEach((m, a) -> {
            String target = trainer.target(m.output());
            if (target == null) {
                throw new IllegalArgumentException("metric " + m.name() + " looks at output '" + m.output()
                        + "', which no loss compares with anything");
            }
            a.add(trainer.output(m.output()), batch.get(target));
        });
    }

    private static List<Metric> usual(Trainer trainer, Batch batch) {
        String target = trainer.target(Model.OUTPUT);
        return target != null && batch.get(target).dtype() == DType.I32 ? List.of(Metrics.accuracy()) : List.of();
    }

    /** Takes in all of the data, with the network as it predicts; false if it was stopped before the end. */
    boolean addAll(Trainer trainer, Dataset data, BooleanSupplier stopped) {
        trainer.check(data.size(), data.fields());
        try (Batches batches = Batching.of(Math.min(BATCH, data.size())).open(data)) {
            batches.startEpoch(0);
            while (batches.hasNext()) {
                if (stopped.getAsBoolean()) {
                    return false;
                }
                Batch batch = batches.next();
                trainer.evaluate(batch);
                add(trainer.evaluatedLoss(), trainer, batch);
            }
        }
        return true;
    }

    /** The numbers by name, behind a prefix. */
    Map<String, Double> values(String prefix) {
        Map<String, Double> values = new LinkedHashMap<>();
        values.put(prefix + Epoch.LOSS, losses / samples);
        accumulators.forEach((m, a) -> values.put(prefix + m.name(), a.value()));
        return values;
    }
}
