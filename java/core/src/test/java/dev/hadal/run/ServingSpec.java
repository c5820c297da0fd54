package dev.hadal.run;

import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.flatten;
import static dev.hadal.nn.Layers.globalAveragePool;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.residual;
import static dev.hadal.nn.Layers.sequential;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.model.Model;
import dev.hadal.nn.Layer;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * One predictor and many threads: bits, memory and races. The long form: {@code -Dhadal.test.calls=1000000} and
 * {@code -Dhadal.test.jvms=36 -Dhadal.test.races=2800}.
 */
@Tag("variant")
public abstract class ServingSpec {
    private static final int THREADS = 64;
    private static final int CALLS = Integer.getInteger("hadal.test.calls", 20_000);
    private static final int EARLY_CALLS = 10_000;
    private static final int JVMS = Integer.getInteger("hadal.test.jvms", 2);
    private static final int RACES = Integer.getInteger("hadal.test.races", 400);
    private static final long MIB = 1 << 20;

    private static final Layer PERCEPTRON = sequential(linear(64), relu(), linear(33), relu(), linear(10));
    private static final Layer CONVOLUTIONAL = sequential(
            conv2d(16, 3).padded(),
            relu(),
            residual(conv2d(16, 3).padded(), relu()),
            globalAveragePool(),
            flatten(),
            linear(10));

    protected abstract Backends backends();

    /** Bytes of native memory; 0 where there is none. */
    protected abstract long heldBytes();

    /** Whose {@code main} runs {@link Races} on these backends. */
    protected abstract Class<?> races();

    private static Tensor samples(Shape sample, int n, long seed) {
        Philox philox = new Philox(seed, 0);
        Tensor x = Tensor.zeros(DType.F32, sample.prepend(n));
        for (int i = 0; i < x.floats().length; i++) {
            x.floats()[i] = philox.normal(i);
        }
        return x;
    }

    private interface Asked {
        Tensor answer(Predictor predictor, Tensor batch) throws Exception;
    }

    /** Each thread asks for every batch in turn; every answer has the bits of the one that a single thread got. */
    private void soak(Predictor.Builder many, Predictor.Builder alone, List<Tensor> batches, Asked asked)
            throws Exception {
        List<Tensor> expected = new ArrayList<>();
        try (Predictor predictor = alone.build()) {
            batches.forEach(x -> expected.add(predictor.predict(x)));
        }
        long before = heldBytes();
        ExecutorService pool = Executors.newFixedThreadPool(THREADS);
        AtomicLong early = new AtomicLong();
        AtomicLong done = new AtomicLong();
        try (Predictor predictor = many.build()) {
            List<Future<?>> threads = new ArrayList<>();
            for (int t = 0; t < THREADS; t++) {
                int first = t;
                threads.add(pool.submit(() -> {
                    long last = 0;
                    for (int i = first; last < CALLS; i++) {
                        int which = i % batches.size();
                        Tensor answer = asked.answer(predictor, batches.get(which));
                        assertEquals(expected.get(which), answer, () -> "batch " + batches.get(which));
                        last = done.incrementAndGet();
                        if (last == EARLY_CALLS) {
                            early.set(heldBytes());
                        }
                    }
                    return last;
                }));
            }
            for (Future<?> thread : threads) {
                thread.get(30, TimeUnit.MINUTES);
            }
            long growth = heldBytes() - early.get();
            assertTrue(Math.abs(growth) <= MIB, growth + " bytes more than after " + EARLY_CALLS + " calls");
            assertTrue(done.get() >= CALLS);
            assertEquals(done.get(), predictor.stats().answered());
        } finally {
            pool.shutdown();
        }
        assertEquals(before, heldBytes());
    }

    private static List<Tensor> batches(Shape sample, int... sizes) {
        List<Tensor> batches = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            batches.add(samples(sample, sizes[i % sizes.length], i));
        }
        return batches;
    }

    @Test
    void everyCallersThreadGetsTheBitsOfASingleOne() throws Exception {
        Shape sample = Shape.of(20);
        Model model = PERCEPTRON.model(sample, 1);
        Predictor.Builder alone = Predictor.builder(model).backends(backends());
        soak(
                Predictor.builder(model).backends(backends()).workers(3),
                alone,
                batches(sample, 1, 2, 5, 16, 33),
                Predictor::predict);
    }

    @Test
    void soDoesWhoWaitsForAWorker() throws Exception {
        Shape sample = Shape.of(3, 6, 5);
        Model model = CONVOLUTIONAL.model(sample, 1);
        Predictor.Builder alone = Predictor.builder(model).backends(backends());
        soak(
                Predictor.builder(model).backends(backends()).workers(3).queue(THREADS),
                alone,
                batches(sample, 1, 2, 3),
                (predictor, x) -> predictor.submit(x).get());
    }

    /** Whatever else is in the same batch. */
    @Test
    void soDoesWhoIsComputedWithOthersIfBatchInvariant() throws Exception {
        for (Layer network : List.of(PERCEPTRON, CONVOLUTIONAL)) {
            Shape sample = network == PERCEPTRON ? Shape.of(20) : Shape.of(3, 6, 5);
            Model model = network.model(sample, 1);
            for (int size : new int[] {1, 8}) {
                Predictor.Builder alone =
                        Predictor.builder(model).backends(backends()).batchInvariant(size);
                Predictor.Builder many = Predictor.builder(model)
                        .backends(backends())
                        .workers(2)
                        .batchInvariant(size)
                        .microBatching(16, Duration.ofMillis(1));
                soak(many, alone, batches(sample, 1, 3, 1, 9), Predictor::predict);
            }
        }
    }

    @Test
    void bitsDependOnTheBatchSizeAndNotOnOthersThatCameBefore() {
        Shape sample = Shape.of(20);
        Model model = PERCEPTRON.model(sample, 1);
        int[] sizes = {1, 2, 5, 16, 33};
        List<Tensor> batches = batches(sample, sizes);
        List<Tensor> expected = new ArrayList<>();
        for (int first : sizes) {
            try (Predictor predictor =
                    Predictor.builder(model).backends(backends()).warmUp(first).build()) {
                for (int i = 0; i < batches.size(); i++) {
                    Tensor answer = predictor.predict(batches.get(i));
                    if (first == sizes[0]) {
                        expected.add(answer);
                    }
                    assertEquals(expected.get(i), answer, first + " before " + batches.get(i));
                }
            }
        }
    }

    @TempDir
    Path dir;

    @Test
    void closingAndSwappingUnderLoadAreTold() throws Exception {
        Races.fork(races(), JVMS, RACES, dir);
    }
}
