package dev.hadal.run;

import static dev.hadal.nn.Layers.embedding;
import static dev.hadal.nn.Layers.flatten;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.sequential;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.backend.jvm.JvmBackend;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.model.Model;
import dev.hadal.nn.Layer;
import dev.hadal.op.Softmax;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

@Tag("variant")
class PredictorTest {
    private static final Backends JAVA = Backends.of(new JvmBackend()).withThreads(1);
    private static final Layer NET = sequential(linear(17), relu(), linear(3));
    private static final Shape SAMPLE = Shape.of(5);
    private static final Layer WORDS = sequential(embedding(10, 4), flatten(), linear(3), relu());
    private static final Duration LONG = Duration.ofSeconds(20);

    private final GatedBackend gated = new GatedBackend();
    private final Backends backends = Backends.of(gated).withThreads(1);
    private final Model model = NET.model(SAMPLE, 1);
    private final ExecutorService pool = Executors.newCachedThreadPool();

    @AfterEach
    void end() throws InterruptedException {
        gated.open();
        pool.shutdown();
        assertTrue(pool.awaitTermination(20, TimeUnit.SECONDS));
    }

    private static Tensor samples(int n, long seed) {
        Philox philox = new Philox(seed, 0);
        float[] x = new float[n * SAMPLE.size()];
        for (int i = 0; i < x.length; i++) {
            x[i] = philox.normal(i);
        }
        return Tensor.of(SAMPLE.prepend(n), x);
    }

    private static Tensor answer(Model model, Tensor x) {
        try (Predictor predictor = Predictor.of(model, JAVA)) {
            return predictor.predict(x);
        }
    }

    /** Each sample's answer when it is asked for alone. */
    private static Tensor oneByOne(Model model, Tensor x) {
        int n = x.shape().get(0);
        Tensor all = Tensor.zeros(x.dtype(), Shape.of(n, 3));
        for (int i = 0; i < n; i++) {
            Tensor one = Tensor.zeros(x.dtype(), x.shape().with(0, 1));
            x.copyRows(i, 1, one, 0);
            answer(model, one).copyRows(0, 1, all, i);
        }
        return all;
    }

    private static void assertClose(Tensor expected, Tensor actual) {
        assertEquals(expected.shape(), actual.shape());
        for (int i = 0; i < expected.shape().size(); i++) {
            assertEquals(expected.floats()[i], actual.floats()[i], 1e-5f);
        }
    }

    private static <T extends Throwable> T assertRefused(Class<T> type, String words, Executable call) {
        T e = assertThrows(type, call);
        assertTrue(String.valueOf(e.getMessage()).contains(words), e.getMessage());
        return e;
    }

    private static void await(BooleanSupplier condition) throws InterruptedException {
        long end = System.nanoTime() + LONG.toNanos();
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < end, "it does not happen");
            Thread.sleep(1);
        }
    }

    private static <T> T get(Future<T> future) throws Exception {
        return future.get(20, TimeUnit.SECONDS);
    }

    private static Throwable failure(Future<?> future) {
        return Objects.requireNonNull(
                assertThrows(ExecutionException.class, () -> get(future)).getCause());
    }

    private Predictor.Builder builder() {
        return Predictor.builder(model).backends(backends).workers(1);
    }

    // ---- plans and sessions ----

    @Test
    void whoHasAPlanDoesNotWaitForAnothersCompilation() throws Exception {
        CountDownLatch compile = new CountDownLatch(1);
        gated.open();
        try (Predictor predictor = builder().workers(2).warmUp(1).build()) {
            gated.preparing = n -> {
                try {
                    assertTrue(compile.await(20, TimeUnit.SECONDS));
                } catch (InterruptedException e) {
                    throw new AssertionError(e);
                }
            };
            Future<Tensor> two = pool.submit(() -> predictor.predict(samples(2, 0)));
            await(() -> predictor.stats().running() == 1);
            assertEquals(answer(model, samples(1, 1)), predictor.predict(samples(1, 1)));
            assertFalse(two.isDone());
            compile.countDown();
            assertEquals(answer(model, samples(2, 0)), get(two));
        }
    }

    @Test
    void callersOfANewSizeCompileItOnce() throws Exception {
        gated.open();
        try (Predictor predictor = builder().workers(8).build()) {
            gated.preparing = n -> awaitQuietly(() -> predictor.stats().running() == 8);
            List<Future<Tensor>> answers = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                Tensor x = samples(3, i);
                answers.add(pool.submit(() -> predictor.predict(x)));
            }
            for (int i = 0; i < 8; i++) {
                assertEquals(answer(model, samples(3, i)), get(answers.get(i)));
            }
        }
        assertEquals(1, gated.prepared.get());
    }

    private static void awaitQuietly(BooleanSupplier condition) {
        try {
            await(condition);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void atMostSoManyRunAtOnceAndNoMoreSessionsAreMade() throws Exception {
        try (Predictor predictor = builder().workers(2).build()) {
            List<Future<Tensor>> answers = new ArrayList<>();
            for (int i = 0; i < 10; i++) {
                Tensor x = samples(1, i);
                answers.add(pool.submit(() -> predictor.predict(x)));
                answers.add(predictor.submit(x));
            }
            gated.awaitArrival();
            gated.awaitArrival();
            gated.open();
            for (int i = 0; i < 20; i++) {
                assertEquals(answer(model, samples(1, i / 2)), get(answers.get(i)));
            }
            assertEquals(2, gated.mostRunning.get());
            assertEquals(2, gated.bound.get());
            assertEquals(20, predictor.stats().answered());
        }
        assertEquals(0, gated.bound.get());
        assertEquals(0, gated.kernels.get());
    }

    @Test
    void aFailedCompilationOrRunLosesNothing() {
        gated.open();
        Model words = WORDS.model(Type.i32(5), 1);
        try (Predictor predictor =
                Predictor.builder(words).backends(backends).workers(2).build()) {
            gated.preparing = n -> {
                throw new OutOfMemoryError("a test");
            };
            Tensor good = Tensor.of(Shape.of(1, 5), 1, 2, 3, 4, 5);
            Tensor bad = Tensor.of(Shape.of(1, 5), 1, 2, 10, 4, 5);
            for (int i = 0; i < 5; i++) {
                assertRefused(OutOfMemoryError.class, "a test", () -> predictor.predict(good));
            }
            gated.preparing = n -> {};
            Tensor expected = predictor.predict(good);
            for (int i = 0; i < 5; i++) {
                assertRefused(
                        IndexOutOfBoundsException.class,
                        "index 10 at position 2",
                        () -> predictor.predict(Map.of("x", bad)));
                assertInstanceOf(IndexOutOfBoundsException.class, failure(predictor.submit(bad)));
            }
            assertEquals(expected, predictor.predict(good));
            assertTrue(gated.bound.get() <= 2, gated.bound + " sessions");
            assertEquals(new Predictor.Stats(2, 15, 0, 0, 17, 0, 0), predictor.stats());
        }
        assertEquals(0, gated.kernels.get());
    }

    @Test
    void platformThreadsComputeThemselvesAndVirtualOnesHandOver() throws Exception {
        gated.open();
        try (Predictor predictor = builder().build()) {
            predictor.predict(samples(1, 0));
            assertEquals(List.of(Thread.currentThread().getName()), List.copyOf(gated.threads));
            gated.threads.clear();
            get(predictor.submit(samples(1, 0)));
            assertTrue(String.valueOf(gated.threads.poll()).startsWith("hadal-predictor-"));
            AtomicReference<Object> answer = new AtomicReference<>();
            Runnable call = () -> {
                try {
                    answer.set(predictor.predict(samples(1, 1)));
                    predictor.swap(NET.model(SAMPLE, 2));
                } catch (Throwable e) {
                    answer.set(e);
                }
            };
            if (Runtime.version().feature() >= 21) {
                gated.preparing = n -> gated.threads.add(Thread.currentThread().getName());
                Thread thread = (Thread) Thread.class
                        .getMethod("startVirtualThread", Runnable.class)
                        .invoke(null, call);
                thread.join();
                assertEquals(answer(model, samples(1, 1)), answer.get());
                assertTrue(String.valueOf(gated.threads.poll()).startsWith("hadal-predictor-"));
                assertEquals("hadal-predictor-compiler", gated.threads.poll());
            } else {
                assertFalse(VirtualThreads.isCurrent());
            }
        }
    }

    // ---- queue, deadline, interrupts ----

    @Test
    void whatDoesNotFitIntoTheQueueIsRefused() throws Exception {
        try (Predictor predictor = builder().queue(2).build()) {
            Future<Tensor> runs = predictor.submit(samples(1, 0));
            gated.awaitArrival();
            CompletableFuture<Tensor> waits = predictor.submit(samples(1, 1));
            Future<Tensor> waitsToo = pool.submit(() -> predictor.predict(samples(1, 2)));
            await(() -> predictor.stats().waiting() == 2);
            UnansweredException.QueueFull full = assertRefused(
                    UnansweredException.QueueFull.class, "2 calls are waiting", () -> predictor.predict(samples(1, 3)));
            assertEquals(2, full.waiting());
            assertThrows(UnansweredException.QueueFull.class, () -> predictor.submit(samples(1, 3)));
            waits.cancel(false); // leaves room
            Future<Tensor> last = predictor.submit(samples(1, 4));
            assertThrows(UnansweredException.QueueFull.class, () -> predictor.submit(samples(1, 3)));
            gated.open();
            assertEquals(answer(model, samples(1, 0)), get(runs));
            assertEquals(answer(model, samples(1, 2)), get(waitsToo));
            assertEquals(answer(model, samples(1, 4)), get(last));
            assertThrows(CancellationException.class, () -> get(waits));
            await(() -> predictor.stats().running() == 0);
            assertEquals(new Predictor.Stats(3, 0, 3, 0, 3, 0, 0), predictor.stats());
        }
    }

    @Test
    void whoWaitsTooLongIsTold() throws Exception {
        Duration soon = Duration.ofMillis(20);
        gated.gate.release();
        try (Predictor predictor = builder().deadline(soon).warmUp().build()) {
            gated.awaitArrival();
            int tries = 0;
            Future<Tensor> runs;
            do { // a machine that is busy may be late even for the first
                runs = predictor.submit(samples(1, 0));
                tries++;
            } while (!gated.arrived.tryAcquire(100, TimeUnit.MILLISECONDS));
            UnansweredException.Late late = assertRefused(
                    UnansweredException.Late.class, "no answer within 20.0 ms", () -> predictor.predict(samples(1, 1)));
            assertEquals(soon, late.deadline());
            assertInstanceOf(UnansweredException.Late.class, failure(predictor.submit(samples(1, 2))));
            assertInstanceOf(UnansweredException.Late.class, failure(runs));
            gated.gate.release();
            await(() -> predictor.stats().waiting() == 0 && predictor.stats().running() == 0);
            assertEquals(new Predictor.Stats(0, 0, 0, 2 + tries, 1, 0, 0), predictor.stats()); // but one never ran
        }
        try (Predictor predictor = builder().deadline(LONG).build()) {
            gated.open();
            assertEquals(answer(model, samples(1, 3)), predictor.predict(samples(1, 3)));
            assertEquals(answer(model, samples(1, 4)), get(predictor.submit(samples(1, 4))));
        }
    }

    @Test
    void aTimeOfTheCallersOwnTakesTheCallOutOfTheQueue() throws Exception {
        try (Predictor predictor = builder().build()) {
            Future<Tensor> runs = predictor.submit(samples(1, 0));
            gated.awaitArrival();
            Future<Tensor> waits = predictor.submit(samples(1, 1)).orTimeout(5, TimeUnit.MILLISECONDS);
            assertInstanceOf(TimeoutException.class, failure(waits));
            gated.gate.release();
            get(runs);
            await(() -> predictor.stats().waiting() == 0 && predictor.stats().running() == 0);
            assertEquals(1, predictor.stats().runs());
        }
    }

    @Test
    void anInterruptEndsTheWaitAndNothingElse() throws Exception {
        for (boolean queued : List.of(false, true)) {
            Predictor.Builder builder = queued ? builder().queue(5) : builder();
            try (Predictor predictor = builder.build()) {
                Future<Tensor> runs = pool.submit(() -> predictor.predict(samples(1, 0)));
                gated.awaitArrival();
                CompletableFuture<Boolean> told = new CompletableFuture<>();
                Thread waits = new Thread(() -> {
                    try {
                        predictor.predict(samples(1, 1));
                    } catch (UnansweredException.Interrupted e) {
                        told.complete(Thread.currentThread().isInterrupted());
                    } catch (RuntimeException e) {
                        told.completeExceptionally(e);
                    }
                });
                waits.start();
                waits.interrupt();
                assertTrue(get(told));
                gated.gate.release();
                assertEquals(answer(model, samples(1, 0)), get(runs));
                gated.gate.release();
                assertEquals(answer(model, samples(1, 2)), predictor.predict(samples(1, 2)));
                assertEquals(2, predictor.stats().runs());
                Thread.currentThread().interrupt();
                if (queued) {
                    assertThrows(UnansweredException.Interrupted.class, () -> predictor.predict(samples(1, 2)));
                    gated.gate.release();
                } else { // who need not wait, is answered
                    gated.gate.release();
                    assertEquals(answer(model, samples(1, 2)), predictor.predict(samples(1, 2)));
                }
                assertTrue(Thread.interrupted());
            }
            gated.arrived.drainPermits();
            gated.gate.drainPermits();
        }
    }

    // ---- micro-batches ----

    @Test
    void callsAreComputedTogetherAndEachHasItsOwnAnswer() throws Exception {
        try (Predictor predictor = builder().microBatching(24, Duration.ZERO).build()) {
            Future<Tensor> first = predictor.submit(samples(1, 99));
            gated.awaitArrival();
            List<Future<Tensor>> answers = new ArrayList<>();
            for (int n : new int[] {1, 2, 5, 1, 3, 24, 1, 30, 1}) { // 12, 24, 1, 30, 1
                answers.add(predictor.submit(samples(n, answers.size())));
            }
            gated.open();
            assertClose(oneByOne(model, samples(1, 99)), get(first));
            int i = 0;
            for (int n : new int[] {1, 2, 5, 1, 3, 24, 1, 30, 1}) {
                assertClose(oneByOne(model, samples(n, i)), get(answers.get(i)));
                i++;
            }
            await(() -> predictor.stats().running() == 0);
            assertEquals(new Predictor.Stats(10, 0, 0, 0, 6, 0, 0), predictor.stats());
            assertEquals(4, gated.prepared.get(), "batch sizes: 1, 16, 24, 30");
        }
    }

    @Test
    void enoughSamplesOrTheFirstCallsTimeEndTheCollecting() throws Exception {
        gated.open();
        try (Predictor predictor = builder().microBatching(4, LONG).build()) {
            long start = System.nanoTime();
            List<Future<Tensor>> answers = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                answers.add(predictor.submit(samples(1, i)));
            }
            for (int i = 0; i < 8; i++) {
                assertClose(oneByOne(model, samples(1, i)), get(answers.get(i)));
            }
            assertTrue(System.nanoTime() - start < LONG.toNanos());
            assertEquals(2, predictor.stats().runs());
        }
        try (Predictor predictor =
                builder().microBatching(4, Duration.ofMillis(1)).build()) {
            assertClose(oneByOne(model, samples(1, 3)), predictor.predict(samples(1, 3)));
        }
        // Closing does not wait for calls that can come no more.
        Predictor closing = builder().microBatching(4, LONG).build();
        Future<Tensor> last = closing.submit(samples(1, 3));
        closing.close();
        assertTrue(last.isDone());
        assertClose(oneByOne(model, samples(1, 3)), get(last));
    }

    @Test
    void aBadSampleFailsItsOwnCallAlone() throws Exception {
        Model words = WORDS.model(Type.i32(5), 1);
        try (Predictor predictor = Predictor.builder(words)
                .backends(backends)
                .workers(1)
                .microBatching(8, Duration.ZERO)
                .build()) {
            Future<Tensor> first = predictor.submit(Tensor.of(Shape.of(1, 5), 0, 1, 2, 3, 4));
            gated.awaitArrival();
            List<Future<Tensor>> answers = new ArrayList<>();
            for (int i = 0; i < 5; i++) {
                answers.add(predictor.submit(Tensor.of(Shape.of(1, 5), 0, 1, 2, i == 2 ? -7 : 3, i)));
            }
            gated.open();
            get(first);
            for (int i = 0; i < 5; i++) {
                if (i == 2) {
                    String message = String.valueOf(failure(answers.get(i)).getMessage());
                    assertTrue(message.contains("layer 0: gather: index -7 at position 3"), message);
                } else {
                    assertClose(answer(words, Tensor.of(Shape.of(1, 5), 0, 1, 2, 3, i)), get(answers.get(i)));
                }
            }
        }
    }

    // ---- batch invariance ----

    @Test
    void aSampleHasTheSameBitsInWhateverBatch() {
        gated.open();
        for (int size : new int[] {1, 4, 7}) {
            try (Predictor predictor = builder().batchInvariant(size).build()) {
                Tensor x = samples(19, 5);
                Tensor all = predictor.predict(x);
                for (int n : new int[] {1, 3, 4, 8, 19}) {
                    Tensor some = Tensor.zeros(x.dtype(), SAMPLE.prepend(n));
                    x.copyRows(19 - n, n, some, 0);
                    Tensor expected = Tensor.zeros(x.dtype(), Shape.of(n, 3));
                    all.copyRows(19 - n, n, expected, 0);
                    assertEquals(expected, predictor.predict(some), n + " samples in batches of " + size);
                }
                assertClose(oneByOne(model, x), all);
                assertEquals(all, predictor.predict(x));
            }
        }
        assertEquals(3, gated.prepared.get());
        try (Predictor predictor = builder().batchInvariant().build()) {
            assertEquals(oneByOne(model, samples(6, 0)), predictor.predict(samples(6, 0)));
        }
    }

    @Test
    void aNetworkThatMixesItsSamplesIsNeverBatchInvariant() {
        Graph graph = new Graph();
        Value x = graph.leaf(Role.INPUT, "x", Type.f32(1, 5));
        graph.output("y", new Softmax(0, false).of(x));
        Predictor.Builder mixing = Predictor.builder(new Model(graph, Map.of())).backends(JAVA);
        try (Predictor predictor = mixing.batchInvariant(4).build()) {
            assertRefused(
                    IllegalStateException.class,
                    "output y of this network on java, 1 threads depends on a sample's place in a batch of 4",
                    () -> predictor.predict(samples(2, 0)));
        }
    }

    @Test
    void aBadSampleOfManyIsNamed() {
        Model words = WORDS.model(Type.i32(2), 1);
        try (Predictor predictor =
                Predictor.builder(words).backends(JAVA).batchInvariant(2).build()) {
            assertRefused(
                    IndexOutOfBoundsException.class,
                    "index 10 at position 3 lies outside of 0 … 9, counted from sample 2 on",
                    () -> predictor.predict(Tensor.of(Shape.of(5, 2), 1, 2, 3, 4, 5, 6, 7, 10, 9, 9)));
        }
    }

    // ---- swap ----

    @Test
    void callsUnderWayEndOnTheOldModelAndLaterOnesRunOnTheNew() throws Exception {
        Model other = NET.model(SAMPLE, 2);
        try (Predictor predictor = builder().workers(2).build()) {
            Tensor x = samples(2, 0);
            Future<Tensor> before = pool.submit(() -> predictor.predict(x));
            gated.awaitArrival();
            predictor.swap(other);
            assertEquals(2, gated.prepared.get()); // for the size in use
            assertEquals(2, gated.kernels.get());
            Future<Tensor> after = predictor.submit(x);
            gated.awaitArrival();
            gated.open();
            assertEquals(answer(model, x), get(before));
            assertEquals(answer(other, x), get(after));
            assertNotEquals(get(before), get(after));
            assertEquals(1, gated.kernels.get()); // the old model is freed
            assertEquals(2, gated.prepared.get());
        }
        assertEquals(0, gated.kernels.get());
    }

    @Test
    void aSwapThatFailsChangesNothing() {
        gated.open();
        try (Predictor predictor = builder().warmUp(1, 2).build()) {
            assertRefused(
                    IllegalArgumentException.class,
                    "this predictor takes {x=f32[5]} and gives {y=f32[3]}, but the new model takes {x=f32[6]} and gives",
                    () -> predictor.swap(NET.model(Shape.of(6), 1)));
            gated.preparing = n -> {
                if (n == 2) {
                    throw new OutOfMemoryError("a test");
                }
            };
            assertThrows(OutOfMemoryError.class, () -> predictor.swap(NET.model(SAMPLE, 2)));
            assertEquals(2, gated.kernels.get());
            assertEquals(answer(model, samples(1, 0)), predictor.predict(samples(1, 0)));
            gated.preparing = n -> {};
            predictor.swap(NET.model(SAMPLE, 2));
            assertEquals(answer(NET.model(SAMPLE, 2), samples(1, 0)), predictor.predict(samples(1, 0)));
        }
        assertEquals(0, gated.kernels.get());
    }

    // ---- the end ----

    @Test
    void closingAnswersWhatIsInAndRefusesTheRest() throws Exception {
        Predictor predictor = builder().build();
        Future<Tensor> runs = predictor.submit(samples(1, 0));
        Future<Tensor> waits = predictor.submit(samples(1, 1));
        gated.awaitArrival();
        Future<Tensor> waitsItself = pool.submit(() -> predictor.predict(samples(1, 2)));
        Future<?> closing = pool.submit(predictor::close);
        Future<?> closingToo = pool.submit(predictor::close);
        await(() -> {
            try {
                predictor.submit(samples(1, 3)).cancel(false);
                return false;
            } catch (IllegalStateException e) {
                return true;
            }
        });
        assertRefused(IllegalStateException.class, "closed", () -> predictor.predict(samples(1, 3)));
        assertRefused(IllegalStateException.class, "closed", () -> predictor.swap(model));
        assertFalse(closing.isDone() || closingToo.isDone());
        gated.open();
        get(closing);
        get(closingToo);
        assertEquals(0, gated.kernels.get());
        assertTrue(runs.isDone() && waits.isDone());
        assertEquals(answer(model, samples(1, 0)), get(runs));
        assertEquals(answer(model, samples(1, 1)), get(waits));
        try {
            assertEquals(answer(model, samples(1, 2)), get(waitsItself));
        } catch (ExecutionException e) { // it came too late
            assertInstanceOf(IllegalStateException.class, e.getCause());
        }
        predictor.close();
    }

    @Test
    void anInterruptedCloseRefusesWhatWaits() throws Exception {
        Predictor predictor = builder().build();
        Future<Tensor> runs = predictor.submit(samples(1, 0));
        Future<Tensor> waits = predictor.submit(samples(1, 1));
        gated.awaitArrival();
        CompletableFuture<Boolean> closed = new CompletableFuture<>();
        Thread closing = new Thread(() -> {
            predictor.close();
            closed.complete(Thread.currentThread().isInterrupted());
        });
        closing.start();
        closing.interrupt();
        assertRefused(IllegalStateException.class, "closed", () -> {
            throw failure(waits);
        });
        assertFalse(closed.isDone());
        gated.open();
        assertEquals(answer(model, samples(1, 0)), get(runs));
        assertTrue(get(closed));
        assertEquals(1, predictor.stats().runs());
    }

    @Test
    void functionsOfCallersMayPredictAndClose() throws Exception {
        Predictor predictor = builder().queue(1).build();
        CompletableFuture<Tensor> chained = predictor
                .submit(samples(1, 0))
                .thenApply(y -> predictor.predict(samples(1, 1)))
                .thenApply(y -> {
                    Thread.currentThread().interrupt();
                    return y;
                });
        gated.open(); // only now, so that a worker runs these functions
        assertEquals(answer(model, samples(1, 1)), get(chained));
        assertEquals(answer(model, samples(2, 2)), get(predictor.submit(samples(2, 2))));
        gated.gate.drainPermits();
        CompletableFuture<Void> closed = predictor.submit(samples(1, 3)).thenRun(predictor::close);
        gated.open();
        get(closed);
        await(() -> gated.kernels.get() == 0);
        assertThrows(IllegalStateException.class, () -> predictor.predict(samples(1, 0)));
        CompletionException e = assertThrows(
                CompletionException.class,
                () -> CompletableFuture.completedFuture(samples(1, 0))
                        .thenCompose(predictor::submit)
                        .join());
        assertInstanceOf(IllegalStateException.class, e.getCause());
    }

    // ---- the builder ----

    @Test
    void warmingUpCompilesAndRuns() {
        gated.open();
        try (Predictor predictor = builder().warmUp().build()) {
            assertEquals(1, gated.prepared.get());
            predictor.predict(samples(1, 0));
        }
        try (Predictor predictor = builder().warmUp(2, 3).build()) {
            assertEquals(3, gated.prepared.get());
            predictor.predict(samples(2, 0));
        }
        try (Predictor predictor =
                builder().warmUp().microBatching(12, Duration.ZERO).build()) {
            assertEquals(8, gated.prepared.get(), "1, 2, 4, 8 and 12 more");
            predictor.predict(samples(12, 0));
        }
        assertEquals(8, gated.prepared.get());
        gated.preparing = n -> {
            throw new OutOfMemoryError("a test");
        };
        assertThrows(OutOfMemoryError.class, () -> builder().warmUp().build());
        assertEquals(0, gated.kernels.get());
    }

    @Test
    void nonsenseIsRefused() {
        Predictor.Builder builder = builder();
        assertRefused(IllegalArgumentException.class, "not 0", () -> builder.workers(0));
        assertRefused(IllegalArgumentException.class, "not -1", () -> builder.queue(-1));
        assertRefused(IllegalArgumentException.class, "not 0", () -> builder.batchInvariant(0));
        assertRefused(IllegalArgumentException.class, "not 0", () -> builder.warmUp(1, 0));
        assertRefused(IllegalArgumentException.class, "not 0", () -> builder.microBatching(0, Duration.ZERO));
        assertRefused(
                IllegalArgumentException.class, "wait for PT-", () -> builder.microBatching(1, Duration.ofNanos(-1)));
        assertRefused(IllegalArgumentException.class, "PT0S", () -> builder.deadline(Duration.ZERO));
        try (Predictor predictor = builder.queue(1).build()) {
            assertRefused(IllegalArgumentException.class, "takes F32[N,5]", () -> predictor.submit(samples(0, 0)));
            assertRefused(IllegalArgumentException.class, "'x' is missing", () -> predictor.submit(Map.of()));
            assertEquals(0, predictor.stats().runs());
        }
    }
}
