package dev.hadal.run;

import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.sequential;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.backend.jvm.JvmBackend;
import dev.hadal.model.Model;
import dev.hadal.nn.Layer;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.LongSupplier;

/**
 * Races between the callers of a predictor and whoever closes it and swaps its model. Each is a predictor with settings
 * by chance, and a few threads that do by chance what may be done to it, until it is closed. Every answer must be right,
 * every exception one of those that are documented, and all memory free in the end.
 */
public final class Races {
    private static final Shape SAMPLE = Shape.of(6);
    private static final int POOL = 12;
    private static final int[] SIZES = {1, 2, 3, 5};
    private static final long SECONDS = 60;

    private final Backends backends;
    private final LongSupplier heldBytes;
    private final List<Model> models;
    private final Tensor samples = Tensor.zeros(DType.F32, SAMPLE.prepend(POOL));
    /** What a single thread got, by model, size and first sample. */
    private final Map<List<Integer>, Tensor> exact = new HashMap<>();

    private final ExecutorService threads = Executors.newCachedThreadPool(Races::daemon);
    private final ExecutorService virtual = virtualThreads();

    private Races(Backends backends, LongSupplier heldBytes) {
        this.backends = backends;
        this.heldBytes = heldBytes;
        Layer network = sequential(linear(9), relu(), linear(4));
        models = List.of(network.model(SAMPLE, 1), network.model(SAMPLE, 2));
        Philox philox = new Philox(3, 0);
        for (int i = 0; i < samples.floats().length; i++) {
            samples.floats()[i] = philox.normal(i);
        }
        for (int m = 0; m < models.size(); m++) {
            try (Predictor predictor = Predictor.of(models.get(m), backends)) {
                for (int n : SIZES) {
                    for (int from = 0; from + n <= POOL; from++) {
                        exact.put(List.of(m, n, from), predictor.predict(batch(n, from)));
                    }
                }
            }
        }
    }

    /** Such an executor where the JDK has one, else the usual. */
    private static ExecutorService virtualThreads() {
        try {
            return (ExecutorService)
                    Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
        } catch (ReflectiveOperationException e) {
            return Executors.newCachedThreadPool(Races::daemon);
        }
    }

    /** One that does not keep a JVM alive whose race has failed. */
    private static Thread daemon(Runnable body) {
        Thread thread = new Thread(body);
        thread.setDaemon(true);
        return thread;
    }

    private Tensor batch(int n, int from) {
        Tensor batch = Tensor.zeros(DType.F32, SAMPLE.prepend(n));
        samples.copyRows(from, n, batch, 0);
        return batch;
    }

    /** One race. */
    private final class Race {
        final SplittableRandom random;
        final boolean sameBits;
        final Predictor predictor;
        final ConcurrentLinkedQueue<Submitted> submitted = new ConcurrentLinkedQueue<>();

        private record Submitted(CompletableFuture<Tensor> future, int n, int from) {}

        Race(SplittableRandom random) {
            this.random = random;
            Predictor.Builder builder =
                    Predictor.builder(models.get(0)).backends(backends).workers(1 + random.nextInt(3));
            if (random.nextInt(3) == 0) {
                builder.queue(1 + random.nextInt(4));
            }
            if (random.nextInt(4) == 0) {
                builder.deadline(Duration.ofNanos(1 + random.nextInt(2_000_000)));
            }
            boolean together = random.nextInt(3) == 0;
            if (together) {
                builder.microBatching(1 + random.nextInt(8), Duration.ofNanos(random.nextInt(500_000)));
            }
            boolean invariant = random.nextInt(4) == 0;
            if (invariant) {
                builder.batchInvariant(1 + 3 * random.nextInt(2));
            }
            sameBits = !together && !invariant;
            if (random.nextInt(4) == 0) {
                builder.warmUp(SIZES);
            }
            predictor = builder.build();
        }

        void run() throws Exception {
            int actors = 2 + random.nextInt(3);
            CountDownLatch start = new CountDownLatch(1);
            List<Future<?>> ends = new ArrayList<>();
            for (int a = 0; a < actors; a++) {
                SplittableRandom own = random.split();
                ends.add((random.nextInt(3) == 0 ? virtual : threads).submit(() -> {
                    start.await();
                    act(own);
                    return null;
                }));
            }
            start.countDown();
            long until = System.nanoTime() + random.nextInt(3_000_000);
            while (System.nanoTime() < until) {
                Thread.onSpinWait();
            }
            predictor.close();
            if (random.nextBoolean()) {
                predictor.close();
            }
            for (Submitted s : submitted) { // after close, whatever was let in has been answered
                assertTrue(s.future.isDone(), "not answered");
            }
            for (Future<?> end : ends) {
                end.get(SECONDS, TimeUnit.SECONDS);
            }
            for (Submitted s : submitted) {
                told(() -> check(s.future.get(), s.n, s.from));
            }
            assertEquals(0, predictor.stats().waiting() + predictor.stats().running());
            requireClosed(() -> predictor.predict(batch(1, 0)));
            requireClosed(() -> predictor.submit(batch(1, 0)).get());
            requireClosed(() -> predictor.swap(models.get(1)));
            predictor.close();
        }

        @SuppressWarnings("FutureReturnValueIgnored") // of the one that closes
        private void act(SplittableRandom own) throws Exception {
            for (int i = own.nextInt(8); i >= 0; i--) {
                int n = SIZES[own.nextInt(SIZES.length)];
                int from = own.nextInt(POOL - n + 1);
                told(() -> act(own.nextInt(24), n, from));
                Thread.interrupted();
            }
        }

        @SuppressWarnings("FutureReturnValueIgnored") // of the future that closes
        private void act(int what, int n, int from) throws Exception {
            Tensor x = batch(n, from);
            switch (what) {
                case 0 -> predictor.close();
                case 1, 2 -> predictor.swap(models.get(n % 2));
                case 3 -> predictor.submit(x).cancel(false);
                case 4 -> {
                    Thread.currentThread().interrupt();
                    check(predictor.predict(x), n, from);
                }
                case 5 -> {
                    Thread.currentThread().interrupt();
                    predictor.close();
                }
                case 6 -> predictor.submit(x).thenRun(predictor::close);
                case 7 ->
                    check(
                            predictor
                                    .submit(x)
                                    .thenApply(y -> predictor.predict(x))
                                    .get(),
                            n,
                            from);
                case 8 ->
                    check(
                            predictor
                                    .submit(x)
                                    .orTimeout(100, TimeUnit.MICROSECONDS)
                                    .get(),
                            n,
                            from);
                case 9, 10, 11, 12, 13 -> submitted.add(new Submitted(predictor.submit(x), n, from));
                case 14, 15, 16 -> check(predictor.submit(x).get(), n, from);
                default -> check(predictor.predict(x), n, from);
            }
        }

        private void check(Tensor answer, int n, int from) {
            Tensor first = Objects.requireNonNull(exact.get(List.of(0, n, from)));
            Tensor second = Objects.requireNonNull(exact.get(List.of(1, n, from)));
            assertTrue(
                    sameBits
                            ? answer.equals(first) || answer.equals(second)
                            : near(answer, first) || near(answer, second),
                    "a wrong answer");
        }
    }

    private static boolean near(Tensor a, Tensor b) {
        boolean near = a.shape().equals(b.shape());
        for (int i = 0; near && i < a.floats().length; i++) {
            near = Math.abs(a.floats()[i] - b.floats()[i]) < 1e-5f;
        }
        return near;
    }

    private interface Act {
        void run() throws Exception;
    }

    /** Lets pass what is documented. */
    private static void told(Act act) throws Exception {
        try {
            act.run();
        } catch (Exception e) {
            Throwable cause = e;
            while (cause instanceof ExecutionException || cause instanceof CompletionException) {
                cause = Objects.requireNonNull(cause.getCause());
            }
            boolean documented = cause instanceof UnansweredException
                    || cause instanceof CancellationException
                    || cause instanceof TimeoutException
                    || cause instanceof InterruptedException
                    || isClosed(cause);
            if (!documented) {
                throw e;
            }
        }
    }

    private static boolean isClosed(Throwable e) {
        return e instanceof IllegalStateException && "the predictor is closed".equals(e.getMessage());
    }

    private static void requireClosed(Act act) throws Exception {
        try {
            act.run();
        } catch (IllegalStateException e) {
            assertTrue(isClosed(e), () -> String.valueOf(e));
            return;
        }
        throw new AssertionError("a closed predictor did something");
    }

    private void race(long seed) throws Exception {
        long held = heldBytes.getAsLong();
        new Race(new SplittableRandom(seed)).run();
        assertEquals(held, heldBytes.getAsLong(), "bytes of native memory");
    }

    /** What a forked JVM runs: so many races from a seed on, each of which must end within a minute. */
    public static void run(Backends backends, LongSupplier heldBytes, String... arguments) throws Exception {
        Races races = new Races(backends, heldBytes);
        long first = Long.parseLong(arguments[0]);
        ExecutorService referee = Executors.newSingleThreadExecutor(Races::daemon);
        for (long seed = first; seed < first + Long.parseLong(arguments[1]); seed++) {
            long s = seed;
            Future<?> race = referee.submit(() -> {
                races.race(s);
                return null;
            });
            try {
                race.get(SECONDS, TimeUnit.SECONDS);
            } catch (ExecutionException | TimeoutException e) {
                Thread.getAllStackTraces().forEach((thread, trace) -> {
                    System.out.println(thread);
                    for (StackTraceElement line : trace) {
                        System.out.println("    " + line);
                    }
                });
                throw new AssertionError("race " + s, e);
            }
        }
        System.out.println(arguments[1] + " races");
    }

    /** In pure Java. */
    public static void main(String[] arguments) throws Exception {
        run(Backends.of(new JvmBackend()).withThreads(1), () -> 0, arguments);
    }

    // ---- the JVMs ----

    private record Jvm(Process process, Path log) {}

    /** Runs a main class in JVMs of their own, as many at once as there are processors. */
    static void fork(Class<?> main, int jvms, int races, Path dir) throws IOException, InterruptedException {
        List<Jvm> running = new ArrayList<>();
        try {
            for (int i = 0; i < jvms; i++) {
                if (running.size() == Runtime.getRuntime().availableProcessors()) {
                    requireFine(running.get(0), races);
                    running.remove(0);
                }
                running.add(start(main, 1L + (long) i * races, races, dir.resolve("jvm" + i + ".log")));
            }
            while (!running.isEmpty()) {
                requireFine(running.get(0), races);
                running.remove(0);
            }
        } finally {
            running.forEach(jvm -> jvm.process.destroyForcibly());
        }
    }

    private static Jvm start(Class<?> main, long seed, int races, Path log) throws IOException {
        String classPath = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        List<String> command = new ArrayList<>(
                List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx256m", "-ea"));
        String cache = System.getProperty("org.bytedeco.javacpp.cachedir");
        if (cache != null) {
            command.add("-Dorg.bytedeco.javacpp.cachedir=" + cache);
        }
        command.addAll(List.of("-cp", classPath, main.getName(), String.valueOf(seed), String.valueOf(races)));
        ProcessBuilder builder =
                new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile());
        return new Jvm(builder.directory(new File(".").getAbsoluteFile()).start(), log);
    }

    private static void requireFine(Jvm jvm, int races) throws IOException, InterruptedException {
        boolean ended = jvm.process.waitFor(SECONDS + races, TimeUnit.SECONDS);
        String output = Files.readString(jvm.log);
        assertTrue(ended, () -> "it hangs: " + output);
        assertEquals(0, jvm.process.exitValue(), output);
        assertTrue(output.contains(races + " races"), output);
    }
}
