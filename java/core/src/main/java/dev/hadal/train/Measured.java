package dev.hadal.train;

import dev.hadal.data.Batch;
import dev.hadal.data.Batches;
import dev.hadal.data.Batching;
import dev.hadal.data.Dataset;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;

/** The loss and the metrics of one pass over some data. */
final class Measured {
    private static final int EVALUATION_BATCH = 250;

    private final List<Metric> metrics;
    private final Map<String, Metric.Accumulator> accumulators = new LinkedHashMap<>();
    private double losses;
    private long samples;

    /** If no metric is named, the accuracy is measured where targets are class indices. */
    Measured(List<Metric> metrics) {
        this.metrics = metrics;
    }

    void add(double loss, int size, Tensor output, Tensor target) {
        if (samples == 0) {
            List<Metric> usual = target.dtype() == DType.I32 ? List.of(Metrics.accuracy()) : List.of();
            (metrics.isEmpty() ? usual : metrics).forEach(m -> accumulators.put(m.name(), m.start()));
        }
        losses += loss * size;
        samples += size;
        accumulators.values().forEach(a -> a.add(output, target));
    }

    /** Takes in all of the data, with the network as it predicts; false if it was stopped before the end. */
    boolean addAll(Trainer trainer, Dataset data, BooleanSupplier stopped) {
        trainer.check(data);
        try (Batches batches = Batching.of(Math.min(EVALUATION_BATCH, data.size())).open(data)) {
            batches.startEpoch(0);
            while (batches.hasNext()) {
                if (stopped.getAsBoolean()) {
                    return false;
                }
                Batch batch = batches.next();
                Tensor output = trainer.evaluate(batch.x(), batch.target());
                add(trainer.evaluatedLoss(), batch.size(), output, batch.target());
            }
        }
        return true;
    }

    /** The numbers by name, behind a prefix. */
    Map<String, Double> values(String prefix) {
        Map<String, Double> values = new LinkedHashMap<>();
        values.put(prefix + Epoch.LOSS, losses / samples);
        accumulators.forEach((name, a) -> values.put(prefix + name, a.value()));
        return values;
    }
}
