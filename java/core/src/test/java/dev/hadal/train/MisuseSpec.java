package dev.hadal.train;

import static dev.hadal.nn.Layers.batchNorm;
import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.embedding;
import static dev.hadal.nn.Layers.flatten;
import static dev.hadal.nn.Layers.globalAveragePool;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.sequential;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.data.Batch;
import dev.hadal.data.Dataset;
import dev.hadal.graph.Type;
import dev.hadal.model.BatchSize;
import dev.hadal.model.Model;
import dev.hadal.nn.Layer;
import dev.hadal.run.Plan;
import dev.hadal.run.Predictor;
import dev.hadal.run.Session;
import dev.hadal.run.Store;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** What is used as it must not be says so, on every backend, and the JVM lives. What ops refuse is TypeRuleTest's. */
@Tag("variant")
public abstract class MisuseSpec {
    private static final Shape IMAGE = Shape.of(2, 9, 9);
    private static final Layer NET = sequential(
            conv2d(8, 3).padded(), batchNorm(), relu(), conv2d(8, 3).padded(), globalAveragePool(), linear(3));
    private static final Layer WORDS = sequential(sequential(embedding(10, 4)), flatten(), linear(3));
    private static final int RACES = 10;

    /** Where to misuse. */
    protected abstract Backends backends();

    private static void assertRefused(Class<? extends Exception> type, String words, Executable call) {
        String message = String.valueOf(assertThrows(type, call).getMessage());
        assertTrue(message.contains(words), message);
    }

    private static void assertClosed(Executable call) {
        assertRefused(IllegalStateException.class, "closed", call);
    }

    private static Tensor images(int n) {
        float[] x = new float[IMAGE.prepend(n).size()];
        for (int i = 0; i < x.length; i++) {
            x[i] = i % 7 - 3;
        }
        return Tensor.of(IMAGE.prepend(n), x);
    }

    private static Tensor labels(int n) {
        return Tensor.of(Shape.of(n), new int[n]);
    }

    private Trainer trainer() {
        return Trainer.of(NET, IMAGE).batch(4).backends(backends()).build();
    }

    private static Dataset data() {
        return Dataset.of(images(8), labels(8));
    }

    @Test
    void whatIsClosedSaysSo() {
        Trainer trainer = trainer();
        trainer.step(images(4), labels(4));
        Checkpoint checkpoint = trainer.checkpoint();
        trainer.close();
        trainer.close();
        Batch batch = Batch.of(images(4), labels(4));
        assertClosed(() -> trainer.step(batch));
        assertClosed(() -> trainer.fit(data(), Fit.epochs(1)));
        assertClosed(() -> trainer.evaluate(data()));
        assertClosed(() -> trainer.accuracy(data()));
        assertClosed(() -> trainer.inspect(batch, "0"));
        assertClosed(trainer::checkpoint);
        assertClosed(() -> trainer.resume(checkpoint));
        assertClosed(trainer::model);
        assertClosed(trainer::emaModel);

        Model model = NET.model(IMAGE, 1);
        Predictor predictor = Predictor.of(model, backends());
        predictor.close();
        predictor.close();
        assertClosed(() -> predictor.predict(images(1)));
    }

    @Test
    void closedSessionsPlansAndStoresSaySo() {
        Model model = WORDS.model(Type.i32(5), 1);
        Store store = new Store();
        Plan plan = Plan.compile(model.apply(new BatchSize(2)).graph(), backends(), Plan.Options.DEFAULT);
        store.add("all", plan.stored());
        Session closed = plan.session(store);
        Session open = plan.session(store);
        closed.close();
        closed.close();
        assertClosed(closed::run);
        assertClosed(closed::runChecked);
        assertClosed(closed::commit);
        assertClosed(() -> closed.write("x", new int[10]));
        assertClosed(() -> closed.read("y"));
        assertClosed(() -> closed.read("y", new float[6]));
        plan.close();
        plan.close();
        assertClosed(open::run);
        assertClosed(() -> open.write("x", new int[10]));
        assertClosed(() -> open.read("y"));
        assertClosed(() -> plan.session(store));
        open.close();
        store.close();
        store.close();
        assertClosed(() -> store.read("2.weight"));
        assertClosed(() -> store.write("2.bias", Tensor.of(Shape.of(3), 1f, 2f, 3f)));
        assertClosed(() -> store.clear("all"));
    }

    /** Runs the body again and again until it is told that what it uses is closed. */
    private static Future<?> untilClosed(ExecutorService pool, Runnable body) {
        return pool.submit(() -> {
            while (true) {
                try {
                    body.run();
                } catch (IllegalStateException e) {
                    if (String.valueOf(e.getMessage()).contains("closed")) {
                        return;
                    }
                    assertTrue(String.valueOf(e.getMessage()).contains("another thread"), e.getMessage());
                }
            }
        });
    }

    private static void assertEnds(List<Future<?>> ends) throws Exception {
        for (Future<?> end : ends) {
            end.get(60, TimeUnit.SECONDS);
        }
    }

    @Test
    void closingWhileOthersRunWaitsOrIsToldToThem() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        try {
            for (int race = 0; race < RACES; race++) {
                Trainer trainer = trainer();
                Predictor predictor = Predictor.of(NET.model(IMAGE, 1), backends());
                List<Future<?>> ends = new ArrayList<>();
                int n = 1 + race % 3;
                Batch batch = Batch.of(images(n), labels(n));
                ends.add(untilClosed(pool, () -> trainer.step(batch)));
                ends.add(untilClosed(pool, trainer::model));
                ends.add(untilClosed(pool, () -> predictor.predict(images(1))));
                ends.add(untilClosed(pool, () -> predictor.predict(images(2))));
                Thread.sleep(3L * race);
                trainer.close();
                predictor.close();
                assertEnds(ends);
            }
        } finally {
            pool.shutdown();
        }
    }

    /** Whichever of them runs, its result is right; the other is told. */
    @Test
    void twoThreadsInOneSession() throws Exception {
        Model model = NET.model(IMAGE, 1);
        ExecutorService pool = Executors.newFixedThreadPool(2);
        try (Store store = new Store();
                Plan plan = Plan.compile(model.apply(new BatchSize(4)).graph(), backends(), Plan.Options.DEFAULT)) {
            store.add("all", plan.stored());
            model.values().forEach(store::write);
            Session session = plan.session(store);
            session.write("x", images(4));
            session.run();
            float[] expected = session.read("y").floats();
            List<Future<?>> ends = new ArrayList<>();
            for (int t = 0; t < 2; t++) {
                ends.add(pool.submit(() -> {
                    for (int i = 0; i < 200; i++) {
                        try {
                            session.run();
                        } catch (IllegalStateException e) {
                            assertTrue(String.valueOf(e.getMessage()).contains("another thread"), e.getMessage());
                        }
                    }
                }));
            }
            assertEnds(ends);
            session.run();
            assertArrayEquals(expected, session.read("y").floats());
        } finally {
            pool.shutdown();
        }
    }

    @Test
    void twoThreadsInOneTrainer() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(2);
        Batch batch = Batch.of(images(4), labels(4));
        try (Trainer trainer = trainer()) {
            List<Future<Integer>> taken = new ArrayList<>();
            for (int t = 0; t < 2; t++) {
                taken.add(pool.submit(() -> {
                    int steps = 0;
                    for (int i = 0; i < 100; i++) {
                        try {
                            trainer.step(batch);
                            steps++;
                        } catch (IllegalStateException e) {
                            assertTrue(String.valueOf(e.getMessage()).contains("another thread"), e.getMessage());
                        }
                    }
                    return steps;
                }));
            }
            int sum = taken.get(0).get(60, TimeUnit.SECONDS) + taken.get(1).get(60, TimeUnit.SECONDS);
            assertEquals(sum, trainer.steps());
            try (Trainer alone = trainer()) {
                for (int i = 0; i < sum; i++) {
                    alone.step(batch);
                }
                assertEquals(alone.model().values(), trainer.model().values());
            }
        } finally {
            pool.shutdown();
        }
    }

    @Test
    void anEmptyBatchAndAMissingFieldAreNamed() {
        try (Trainer trainer = trainer();
                Predictor predictor = Predictor.of(NET.model(IMAGE, 1), backends())) {
            Tensor none = Tensor.of(IMAGE.prepend(0), new float[0]);
            assertRefused(IllegalArgumentException.class, "N >= 1", () -> predictor.predict(none));
            assertRefused(IllegalArgumentException.class, "'x' is missing", () -> predictor.predict(Map.of()));
            assertRefused(
                    IllegalArgumentException.class, "'x' is missing", () -> predictor.predict(Map.of("y", images(1))));
            assertThrows(IllegalArgumentException.class, () -> trainer.step(none, labels(0)));
            Batch targetless = Batch.of(Map.of("x", images(4)));
            assertRefused(IllegalArgumentException.class, "'target' is missing", () -> trainer.step(targetless));
            assertRefused(
                    IllegalArgumentException.class, "'target' is missing", () -> trainer.inspect(targetless, "0"));
            assertThrows(IllegalArgumentException.class, () -> trainer.step(images(4), labels(3)));
            assertEquals(0, trainer.steps());
            trainer.step(images(4), labels(4));
        }
    }

    /** A label is looked at before anything runs; a token by the layer that looks it up. */
    @Test
    void labelsAndTokensOutOfRangeAreNamed() {
        Tensor good = Tensor.of(Shape.of(2, 5), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
        try (Trainer trainer = Trainer.of(WORDS, Type.i32(5))
                        .batch(2)
                        .backends(backends())
                        .build();
                Predictor predictor = Predictor.of(WORDS.model(Type.i32(5), 1), backends())) {
            assertRefused(
                    IllegalArgumentException.class,
                    "label 3 of sample 1 is outside 0 … 2",
                    () -> trainer.step(good, Tensor.of(Shape.of(2), 0, 3)));
            for (int token : new int[] {10, -1, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
                Tensor bad = Tensor.of(Shape.of(2, 5), 0, 1, 2, token, 4, 5, 6, 7, 8, 9);
                String words = "layer 0.0: gather: index " + token + " at position 3 lies outside of 0 … 9";
                assertRefused(IndexOutOfBoundsException.class, words, () -> trainer.step(bad, labels(2)));
                assertRefused(IndexOutOfBoundsException.class, words, () -> predictor.predict(bad));
            }
            assertEquals(0, trainer.steps());
            trainer.step(good, labels(2));
            assertEquals(Shape.of(2, 3), predictor.predict(good).shape());
        }
    }

    @Test
    void anUnknownBackendTellsTheKnown() {
        assertRefused(IllegalArgumentException.class, "no backend 'onednm', only [", () -> Backends.of("onednm"));
        assertRefused(IllegalArgumentException.class, "java", () -> Backends.of(""));
        assertThrows(IllegalArgumentException.class, () -> backends().withThreads(0));
    }
}
