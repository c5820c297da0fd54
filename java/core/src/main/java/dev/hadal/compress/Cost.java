package dev.hadal.compress;

import dev.hadal.backend.Backends;
import dev.hadal.data.Dataset;
import dev.hadal.graph.Type;
import dev.hadal.model.BatchSize;
import dev.hadal.model.Inference;
import dev.hadal.model.Model;
import dev.hadal.run.Kernels;
import dev.hadal.run.Plan;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.Tensor;
import dev.hadal.train.Metric;
import dev.hadal.train.Metrics;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * What a model gives, and what it takes, all measured.
 *
 * @param quality the metric on the data
 * @param fileBytes of the saved model
 * @param weightBytes of its weights and states in memory
 * @param sessionBytes that a prediction of one sample takes beside them
 * @param p50 seconds that half of the predictions of one sample keep within
 * @param p99 seconds that all but one of a hundred do
 */
public record Cost(double quality, long fileBytes, long weightBytes, long sessionBytes, double p50, double p99) {
    private static final int WARM_UP = 200;
    private static final int CALLS = 1000;

    /** Measures a model of one input and one output. */
    static Cost of(Model model, Dataset data, Metric metric, Backends backends) {
        try (Predictor predictor = Predictor.of(model, backends)) {
            double quality = Metrics.measure(predictor, data, metric.start()).value();
            Tensor sample = data.batch(0).x();
            for (int i = 0; i < WARM_UP; i++) {
                predictor.predict(sample);
            }
            long[] nanos = new long[CALLS];
            for (int i = 0; i < CALLS; i++) {
                long start = System.nanoTime();
                predictor.predict(sample);
                nanos[i] = System.nanoTime() - start;
            }
            Arrays.sort(nanos);
            return new Cost(
                    quality,
                    fileBytes(model),
                    weightBytes(model),
                    sessionBytes(model, backends),
                    nanos[CALLS / 2] * 1e-9,
                    nanos[CALLS * 99 / 100] * 1e-9);
        }
    }

    private static long weightBytes(Model model) {
        return model.values().values().stream()
                .mapToLong(t -> new Type(t.dtype(), t.shape()).bytes())
                .sum();
    }

    private static long sessionBytes(Model model, Backends backends) {
        Model predicting = model.apply(new Inference(Kernels::compute)).apply(new BatchSize(1));
        try (Plan plan = Plan.compile(predicting.graph(), backends, Plan.Options.DEFAULT)) {
            return plan.sessionBytes();
        }
    }

    private static long fileBytes(Model model) {
        try {
            Path file = Files.createTempFile("hadal-compress", ".safetensors");
            try {
                model.save(file);
                return Files.size(file);
            } finally {
                Files.deleteIfExists(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("the model's size on disk cannot be measured", e);
        }
    }
}
