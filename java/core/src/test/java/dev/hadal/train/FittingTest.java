package dev.hadal.train;

import static dev.hadal.nn.Layers.batchNorm;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.sequential;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.data.Dataset;
import dev.hadal.nn.Layer;
import dev.hadal.optim.Optimizer;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;

/** The loop around the steps: what is measured, who is told, and how training ends. */
class FittingTest {
    private static final Layer NETWORK = sequential(linear(8), batchNorm(), relu(), linear(3));

    /** Points of three clouds. */
    private static Dataset clouds(int count, long seed) {
        Philox random = new Philox(seed, 0);
        float[] x = new float[2 * count];
        int[] labels = new int[count];
        for (int i = 0; i < count; i++) {
            labels[i] = random.below(3, i);
            x[2 * i] = (labels[i] - 1) * 2 + random.normal(1000 + 2L * i);
            x[2 * i + 1] = (labels[i] == 1 ? 2 : 0) + random.normal(1001 + 2L * i);
        }
        return Dataset.of(Tensor.of(Shape.of(count, 2), x), 3, labels);
    }

    private static Trainer trainer() {
        return builder().build();
    }

    private static Trainer.Builder builder() {
        return Trainer.of(NETWORK, Shape.of(2))
                .optimizer(Optimizer.adamw().rate(1e-2))
                .batch(16)
                .seed(3)
                .backends(Backends.of("java").withThreads(1));
    }

    /** Says these numbers, one for each pass over data. */
    private static Metric rigged(boolean higherIsBetter, double... numbers) {
        Iterator<Double> next = Arrays.stream(numbers).iterator();
        return Metric.of("rigged", higherIsBetter, () -> {
            double value = next.next();
            return new Metric.Accumulator() {
                @Override
                public void add(Tensor output, Tensor target) {}

                @Override
                public double value() {
                    return value;
                }
            };
        });
    }

    /** The same number of training and of validation data. */
    private static Metric riggedTwice(boolean higherIsBetter, double... numbers) {
        return rigged(
                higherIsBetter,
                Arrays.stream(numbers).flatMap(x -> DoubleStream.of(x, x)).toArray());
    }

    /** Keeps the weights of each epoch. */
    private static final class Weights implements Listener {
        final List<Map<String, Tensor>> after = new ArrayList<>();

        @Override
        public void onEpoch(Progress progress, Epoch epoch) {
            after.add(progress.trainer().model().values());
        }
    }

    /** Writes down what it is told. */
    private static final class Diary implements Listener {
        final List<String> lines = new ArrayList<>();

        @Override
        public void onTrainStart(Progress progress) {
            lines.add("start of " + progress.epochs() + " × " + progress.samplesPerEpoch());
        }

        @Override
        public void onStep(Progress progress) {
            lines.add(progress.epoch() + ": " + progress.samples());
        }

        @Override
        public void onEpoch(Progress progress, Epoch epoch) {
            assertEquals(epoch, progress.history().get(epoch.number() - 1));
            lines.add("epoch " + epoch.number() + (epoch.complete() ? "" : " stopped"));
        }

        @Override
        public void onTrainEnd(Progress progress) {
            lines.add("end " + progress.stopReason());
        }
    }

    private static void assertRefused(String words, Fit how) {
        try (Trainer trainer = trainer()) {
            String message =
                    String.valueOf(assertThrows(IllegalArgumentException.class, () -> trainer.fit(clouds(40, 1), how))
                            .getMessage());
            assertTrue(message.contains(words), message);
            assertEquals(0, trainer.steps());
        }
    }

    // ---- what is measured ----

    @Test
    void anEpochHoldsItsNumbersInOrder() {
        Dataset test = clouds(30, 2);
        try (Trainer trainer = trainer()) {
            List<Epoch> history = trainer.fit(
                    clouds(100, 1),
                    Fit.epochs(12)
                            .metrics(Metrics.accuracy(), Metrics.perplexity())
                            .validateOn(test));
            assertEquals(
                    List.of(
                            "loss",
                            "accuracy",
                            "perplexity",
                            "val_loss",
                            "val_accuracy",
                            "val_perplexity",
                            "rate",
                            "gradient_norm",
                            "samples_per_second"),
                    List.copyOf(history.get(11).values().keySet()));
            Epoch last = history.get(11);
            assertEquals(Math.exp(last.loss()), last.get("perplexity"), 1e-5);
            assertEquals(Math.exp(last.validationLoss()), last.get("val_perplexity"), 1e-5);
            assertEquals(1e-2, last.rate(), 1e-9);
            assertTrue(last.gradientNorm() > 0 && last.samplesPerSecond() > 0, last.toString());
            assertTrue(last.accuracy() > 0.6 && last.validationAccuracy() > 0.6, last.toString());
            assertEquals(Double.NaN, last.get("val_f1"));
            // After the last epoch nothing has changed: measuring again gives the same.
            assertEquals(
                    Map.of("loss", last.validationLoss(), "accuracy", last.validationAccuracy()),
                    trainer.evaluate(test, Metrics.accuracy()));
            assertEquals(last.validationAccuracy(), trainer.accuracy(test));
            ConfusionMatrix matrix = trainer.measure(test, Metrics.confusionMatrix());
            assertEquals(last.validationAccuracy(), matrix.value());
            assertEquals(30, matrix.support(0) + matrix.support(1) + matrix.support(2));
        }
    }

    @Test
    void anEpochIsOneLine() {
        Map<String, Double> values = new LinkedHashMap<>();
        values.put("loss", 0.5);
        values.put("accuracy", 0.8);
        values.put("val_f1_macro", 0.75);
        values.put("val_top_5", 0.99);
        values.put("rate", 1e-3);
        values.put("gradient_norm", 1.5);
        values.put("samples_per_second", 1000.4);
        assertEquals(
                "epoch 1/2   loss 0.5000   accuracy 80.00 %   validation f1 macro 0.7500   validation top 5 99.00 %   "
                        + "rate 1.00e-03   gradient norm 1.500   1000 samples/s",
                new Epoch(1, 2, true, values).toString());
        assertTrue(new Epoch(1, 2, false, values).toString().startsWith("epoch 1/2 (stopped)   loss"));
    }

    @Test
    void aMetricOfTheNetworksOwnKindComesUnasked() {
        try (Trainer trainer = trainer()) {
            Epoch epoch = trainer.fit(clouds(40, 1), Fit.epochs(1)).get(0);
            assertTrue(epoch.values().containsKey("accuracy"));
        }
        assertThrows(
                IllegalArgumentException.class, () -> Fit.epochs(1).metrics(Metrics.accuracy(), Metrics.accuracy()));
    }

    // ---- who is told ----

    @Test
    void listenersAreToldInOrder() {
        Diary diary = new Diary();
        try (Trainer trainer = trainer()) {
            trainer.fit(clouds(40, 1), Fit.epochs(2).listener(diary));
        }
        assertEquals(
                List.of(
                        "start of 2 × 40",
                        "1: 16",
                        "1: 32",
                        "1: 40",
                        "epoch 1",
                        "2: 16",
                        "2: 32",
                        "2: 40",
                        "epoch 2",
                        "end null"),
                diary.lines);
    }

    @Test
    void aListenerMayStopTraining() {
        Diary diary = new Diary();
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Fit how = Fit.epochs(3)
                .validateOn(clouds(10, 2))
                .listener(new Listener() {
                    @Override
                    public void onStep(Progress progress) {
                        if (progress.epoch() == 2 && progress.samples() == 32) {
                            progress.stop("enough");
                            progress.stop("more than enough");
                        }
                    }
                })
                .listener(diary)
                .listener(Listener.printing(new PrintStream(bytes, true, StandardCharsets.UTF_8)));
        try (Trainer trainer = trainer()) {
            List<Epoch> history = trainer.fit(clouds(40, 1), how);
            assertEquals(5, trainer.steps());
            assertEquals(2, history.size());
            assertTrue(history.get(0).complete());
            assertFalse(history.get(1).complete());
            assertTrue(history.get(1).loss() > 0);
            assertEquals(Double.NaN, history.get(1).validationLoss());
        }
        assertEquals(List.of("2: 16", "2: 32", "epoch 2 stopped", "end enough"), diary.lines.subList(5, 9));
        assertTrue(bytes.toString(StandardCharsets.UTF_8).endsWith("stopped: enough" + System.lineSeparator()));
    }

    @Test
    void listenersHearTheEndEvenOfAFailure() {
        Diary diary = new Diary();
        Fit how = Fit.epochs(1)
                .listener(new Listener() {
                    @Override
                    public void onStep(Progress progress) {
                        throw new IllegalStateException("step");
                    }

                    @Override
                    public void onTrainEnd(Progress progress) {
                        throw new IllegalStateException("end");
                    }
                })
                .listener(diary);
        try (Trainer trainer = trainer()) {
            IllegalStateException failure =
                    assertThrows(IllegalStateException.class, () -> trainer.fit(clouds(40, 1), how));
            assertEquals("step", failure.getMessage());
            assertEquals("end", failure.getSuppressed()[0].getMessage());
            assertEquals(1, trainer.steps());
        }
        assertEquals(List.of("start of 1 × 40", "end null"), diary.lines);
    }

    @Test
    void batchesMayBeCutOtherwise() {
        Diary diary = new Diary();
        try (Trainer trainer = trainer()) {
            trainer.fit(
                    clouds(40, 1),
                    Fit.epochs(1)
                            .batching(b -> b.size(10).dropLast(true))
                            .batching(b -> b.size(15))
                            .listener(diary));
        }
        assertEquals(List.of("start of 1 × 30", "1: 15", "1: 30", "epoch 1", "end null"), diary.lines);
    }

    // ---- how it ends ----

    @Test
    void earlyStoppingWaitsForItsPatience() {
        Fit how = Fit.epochs(9)
                .validateOn(clouds(10, 2))
                .metrics(riggedTwice(true, 0.5, 0.7, 0.6, 0.7, 0.1, 0.9, 1, 1, 1))
                .earlyStopping(EarlyStopping.on("val_rigged").patience(3));
        Diary diary = new Diary();
        try (Trainer trainer = trainer()) {
            assertEquals(5, trainer.fit(clouds(40, 1), how.listener(diary)).size());
        }
        assertEquals(
                "end val_rigged has not improved since epoch 2, where it was 0.7000",
                diary.lines.get(diary.lines.size() - 1));
    }

    @Test
    void whatImprovesTooLittleDoesNotImprove() {
        for (boolean enough : new boolean[] {true, false}) {
            Fit how = Fit.epochs(4)
                    .metrics(rigged(false, 0.5, 0.45, 0.4, 0.35))
                    .earlyStopping(EarlyStopping.on("rigged").minimalImprovement(enough ? 0.04 : 0.06));
            try (Trainer trainer = trainer()) {
                assertEquals(enough ? 4 : 2, trainer.fit(clouds(40, 1), how).size());
            }
        }
    }

    @Test
    void nanIsNoImprovementButAnythingImprovesOnIt() {
        Fit how = Fit.epochs(5)
                .validateOn(clouds(10, 2))
                .metrics(riggedTwice(true, Double.NaN, 0.1, Double.NaN, 0.2, Double.NaN))
                .earlyStopping(EarlyStopping.on("val_rigged").patience(2));
        try (Trainer trainer = trainer()) {
            assertEquals(5, trainer.fit(clouds(40, 1), how).size());
        }
    }

    @Test
    void theBestWeightsComeBackBitForBit() {
        Weights weights = new Weights();
        Fit how = Fit.epochs(6)
                .validateOn(clouds(10, 2))
                .metrics(riggedTwice(false, 3, 2, 1, 2, 3, 4))
                .earlyStopping(EarlyStopping.on("val_rigged").patience(2).restoringBest())
                .listener(weights);
        try (Trainer trainer = trainer()) {
            List<Epoch> history = trainer.fit(clouds(40, 1), how);
            assertEquals(5, history.size());
            assertEquals(weights.after.get(2), trainer.model().values());
            assertNotEquals(weights.after.get(4), trainer.model().values());
            // It goes on from there.
            trainer.fit(clouds(40, 1), Fit.epochs(1));
            assertNotEquals(weights.after.get(2), trainer.model().values());
        }
    }

    @Test
    void theirAverageComesBackWithThem() {
        List<Map<String, Tensor>> averages = new ArrayList<>();
        Fit how = Fit.epochs(3)
                .validateOn(clouds(10, 2))
                .metrics(riggedTwice(false, 2, 1, 3))
                .earlyStopping(EarlyStopping.on("val_rigged").restoringBest())
                .listener(new Listener() {
                    @Override
                    public void onEpoch(Progress progress, Epoch epoch) {
                        averages.add(progress.trainer().emaModel().values());
                    }
                });
        try (Trainer trainer = builder().ema(0.9).build()) {
            trainer.fit(clouds(40, 1), how);
            assertEquals(averages.get(1), trainer.emaModel().values());
            assertNotEquals(averages.get(2), trainer.emaModel().values());
            assertNotEquals(trainer.model().values(), trainer.emaModel().values());
        }
    }

    @Test
    void theBestWeightsComeBackWhereNothingStoppedEarly() {
        Weights weights = new Weights();
        Fit how = Fit.epochs(3)
                .validateOn(clouds(10, 2))
                .metrics(riggedTwice(true, 3, 2, 1))
                .earlyStopping(EarlyStopping.on("val_rigged").patience(9).restoringBest())
                .listener(weights);
        try (Trainer trainer = trainer()) {
            trainer.fit(clouds(40, 1), how);
            assertEquals(weights.after.get(0), trainer.model().values());
        }
    }

    @Test
    void whatIsNotMeasuredCannotBeMonitored() {
        assertRefused(
                "monitors 'val_loss', but what is measured is [accuracy, loss], and nothing on validation data",
                Fit.epochs(1).earlyStopping(EarlyStopping.on("val_loss")));
        assertRefused(
                "monitors 'f1', but what is measured is [auc, loss], and the same behind 'val_'",
                Fit.epochs(1).metrics(Metrics.auc()).validateOn(clouds(10, 2)).earlyStopping(EarlyStopping.on("f1")));
        assertThrows(
                IllegalArgumentException.class, () -> EarlyStopping.on("loss").patience(0));
        assertThrows(
                IllegalArgumentException.class, () -> EarlyStopping.on("loss").minimalImprovement(-1));
    }

    /** It ends with the weights of the steps that were taken, as if no more had been asked for. */
    @Test
    void anotherThreadCancelsMidEpoch() throws Exception {
        AtomicBoolean cancelled = new AtomicBoolean();
        CountDownLatch third = new CountDownLatch(3);
        CountDownLatch done = new CountDownLatch(1);
        Fit how = Fit.epochs(1000).stopWhen(cancelled::get).listener(new Listener() {
            @Override
            public void onStep(Progress progress) {
                third.countDown();
                if (third.getCount() == 0) {
                    try {
                        done.await();
                    } catch (InterruptedException e) {
                        throw new IllegalStateException(e);
                    }
                }
            }
        });
        Thread other = new Thread(() -> {
            try {
                third.await();
                cancelled.set(true);
                done.countDown();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
        other.start();
        Dataset data = clouds(160, 1);
        Map<String, Tensor> weights;
        try (Trainer trainer = trainer()) {
            List<Epoch> history = trainer.fit(data, how);
            assertEquals(3, trainer.steps());
            assertEquals(1, history.size());
            assertFalse(history.get(0).complete());
            weights = trainer.model().values();
        }
        other.join();
        try (Trainer trainer = trainer()) {
            trainer.fit(data, Fit.epochs(1000).listener(new Listener() {
                @Override
                public void onStep(Progress progress) {
                    if (progress.samples() == 48) {
                        progress.stop("as many");
                    }
                }
            }));
            assertEquals(trainer.model().values(), weights);
        }
    }

    @Test
    void whatIsCancelledBeforehandDoesNothing() {
        Diary diary = new Diary();
        try (Trainer trainer = trainer()) {
            Map<String, Tensor> before = trainer.model().values();
            List<Epoch> history = trainer.fit(
                    clouds(40, 1), Fit.epochs(2).stopWhen(() -> true).listener(diary));
            assertEquals(List.of(), history);
            assertEquals(0, trainer.steps());
            assertEquals(before, trainer.model().values());
        }
        assertEquals(List.of("start of 2 × 40", "end cancelled"), diary.lines);
    }

    @Test
    void validationCanBeCancelledToo() {
        AtomicBoolean cancelled = new AtomicBoolean();
        Fit how = Fit.epochs(2)
                .validateOn(clouds(600, 2))
                .metrics(Metric.of("cancelling", true, () -> new Metric.Accumulator() {
                    @Override
                    public void add(Tensor output, Tensor target) {
                        cancelled.set(target.shape().size() > 16);
                    }

                    @Override
                    public double value() {
                        return 1;
                    }
                }))
                .stopWhen(cancelled::get);
        try (Trainer trainer = trainer()) {
            List<Epoch> history = trainer.fit(clouds(40, 1), how);
            assertEquals(1, history.size());
            assertTrue(history.get(0).complete());
            assertFalse(history.get(0).values().containsKey("val_loss"));
            assertNull(history.get(0).values().get("val_cancelling"));
        }
    }
}
