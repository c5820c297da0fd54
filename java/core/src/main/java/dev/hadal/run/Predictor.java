package dev.hadal.run;

import dev.hadal.backend.Backends;
import dev.hadal.graph.Type;
import dev.hadal.model.MixedPrecision;
import dev.hadal.model.Model;
import dev.hadal.tensor.Tensor;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * From samples to answers. Any number of threads may call at once: they share the weights, and each call runs in a
 * session of its own. A plan is kept for each of the last few batch sizes. At the same batch size, the same sample has
 * the same answer, bit for bit, whoever asks and whatever else runs. Weights that some batch sizes want in another order
 * than the rest are held in both.
 *
 * <pre>{@code
 * try (Predictor predictor = Predictor.of(model)) {
 *     Tensor answers = predictor.predict(batch);
 * }
 * }</pre>
 *
 * <p>{@link #builder} makes one that serves many callers: with a queue, a deadline, batches put together from several
 * calls.
 *
 * <p><b>Threads.</b> As many calls run at once as there are {@linkplain Builder#workers workers}, the others wait.
 * {@link #predict(Tensor)} runs in the calling thread where that is cheapest, on a platform thread of a predictor that has
 * neither queue nor deadline nor micro-batches; from a virtual thread, and all else, it runs in one of so many threads of
 * the predictor's own, so that a virtual thread never keeps its carrier. These threads run the functions that callers
 * attach to a future; such a function must not wait for the predictor other than by {@code predict}.
 *
 * <p><b>Exceptions.</b> A call ends with an {@link IllegalArgumentException} if its batch is not what the network takes, an
 * {@link IndexOutOfBoundsException} if an index in it, such as a token, names nothing, an {@link UnansweredException} if
 * the predictor was too busy or the caller did not wait, an {@link IllegalStateException} if the predictor is closed. It
 * harms no other call.
 */
public final class Predictor implements AutoCloseable {
    private final Backends backends;
    private final boolean bf16;
    private final Rows rows;
    private final @Nullable Duration deadline;
    private final boolean direct;
    private final int workers;
    private final Map<String, Type> inputs;
    private final Map<String, Type> outputs;

    private final CallQueue queue;
    /** As many as may run at once, in whatever thread. */
    private final Semaphore permits;

    private final ReentrantLock swapping = new ReentrantLock();
    private volatile ReadyModel current;

    private final LongAdder answered = new LongAdder();
    private final LongAdder failed = new LongAdder();
    private final LongAdder refused = new LongAdder();
    private final LongAdder late = new LongAdder();
    private final LongAdder runs = new LongAdder();

    private Predictor(Builder builder) {
        backends = builder.backends();
        workers = builder.workers > 0 ? builder.workers : Math.max(1, Builder.PROCESSORS / backends.threads());
        bf16 = builder.bf16;
        rows = new Rows(builder.fixed, builder.most);
        deadline = builder.deadline;
        direct = builder.most == 0 && builder.queue == Integer.MAX_VALUE && deadline == null;
        inputs = builder.model.inputs();
        outputs = builder.model.outputs();
        permits = new Semaphore(workers);
        queue = new CallQueue(builder.queue, workers, builder.most, builder.delay, new Server());
        current = new ReadyModel(builder.model, backends, bf16, rows);
    }

    /** A predictor on the best backend here. The model is not changed, nor is it needed afterwards. */
    public static Predictor of(Model model) {
        return builder(model).build();
    }

    public static Predictor of(Model model, Backends backends) {
        return builder(model).backends(backends).build();
    }

    /**
     * A predictor that computes in {@linkplain MixedPrecision mixed precision}, from weights that are rounded to bf16 once;
     * its outputs are f32.
     */
    public static Predictor bf16(Model model, Backends backends) {
        return builder(model).backends(backends).bf16().build();
    }

    /** A predictor with more to say about it. */
    public static Builder builder(Model model) {
        return new Builder(model);
    }

    // ---- calls ----

    /**
     * The network's output for a batch, of a network with one input and one output.
     *
     * @param batch [N, one sample's shape]; nobody may write to it until the answer is there
     * @return f32 [N,…]
     * @throws IllegalArgumentException if the batch has another type; the message says which it should have
     * @throws IllegalStateException if the predictor is closed
     * @throws UnansweredException if the queue is full, the deadline passed, or this thread was interrupted while it waited
     */
    public Tensor predict(Tensor batch) {
        return only(predict(only(batch)));
    }

    /**
     * The network's outputs for a batch.
     *
     * @param batch each input by name, [N, one sample's shape]
     * @return each output by name, [N,…]
     * @throws IllegalArgumentException if an input is missing or has another type; the message says which it should have
     * @throws IllegalStateException if the predictor is closed
     * @throws UnansweredException if the queue is full, the deadline passed, or this thread was interrupted while it waited
     */
    public Map<String, Tensor> predict(Map<String, Tensor> batch) {
        int n = Inputs.samples(inputs, batch);
        if (queue.isWorker()) { // in a function of a caller; as a call is being answered, nothing can be closed
            return counted(batch, n);
        }
        if (!direct || VirtualThreads.isCurrent()) {
            return await(enqueue(batch, n, Function.identity()));
        }
        queue.enter();
        try {
            return counted(batch, n);
        } finally {
            queue.leave(1);
        }
    }

    /**
     * The network's output for a batch, later, of a network with one input and one output. A future that its caller
     * cancels, or gives a time by {@code orTimeout}, leaves the queue.
     *
     * @param batch [N, one sample's shape]; nobody may write to it until the answer is there
     * @throws IllegalArgumentException if the batch has another type; the message says which it should have
     * @throws IllegalStateException if the predictor is closed
     * @throws UnansweredException.QueueFull if as many calls as may are waiting
     */
    public CompletableFuture<Tensor> submit(Tensor batch) {
        Map<String, Tensor> named = only(batch);
        return submit(named, this::only);
    }

    /** The same for a network with several inputs or outputs, each by name. */
    public CompletableFuture<Map<String, Tensor>> submit(Map<String, Tensor> batch) {
        return submit(batch, Function.identity());
    }

    @SuppressWarnings("FutureReturnValueIgnored") // of what neither fails nor is waited for
    private <T> CompletableFuture<T> submit(Map<String, Tensor> batch, Function<Map<String, Tensor>, T> answer) {
        Call<T> call = enqueue(batch, Inputs.samples(inputs, batch), answer);
        if (deadline != null) {
            Duration time = deadline;
            CompletableFuture<Void> timer =
                    new CompletableFuture<Void>().completeOnTimeout(null, time.toNanos(), TimeUnit.NANOSECONDS);
            timer.thenRun(() -> giveUp(call, time));
            call.future.whenComplete((y, e) -> timer.cancel(false));
        }
        return call.future;
    }

    private Map<String, Tensor> only(Tensor batch) {
        only(outputs.keySet(), "output");
        return Collections.singletonMap(only(inputs.keySet(), "input"), batch);
    }

    private Tensor only(Map<String, Tensor> results) {
        return Objects.requireNonNull(results.get(only(outputs.keySet(), "output")));
    }

    private static String only(Set<String> names, String what) {
        if (names.size() != 1) {
            throw new IllegalArgumentException(
                    "this network has the " + what + "s " + names + "; give and take them by name");
        }
        return names.iterator().next();
    }

    private <T> Call<T> enqueue(Map<String, Tensor> batch, int n, Function<Map<String, Tensor>, T> answer) {
        Call<T> call = new Call<>(inputs.keySet(), batch, n, answer);
        try {
            queue.add(call);
        } catch (UnansweredException.QueueFull e) {
            refused.increment();
            throw e;
        }
        return call;
    }

    private <T> T await(Call<T> call) {
        try {
            return deadline == null ? call.future.get() : call.future.get(deadline.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            giveUp(call, Objects.requireNonNull(deadline));
            return await(call); // what came just in time, or that it is late
        } catch (InterruptedException e) {
            call.future.cancel(false);
            throw UnansweredException.Interrupted.again();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            if (e.getCause() instanceof Error cause) {
                throw cause;
            }
            throw new IllegalStateException(e);
        }
    }

    private void giveUp(Call<?> call, Duration after) {
        fail(call, new UnansweredException.Late(after), late);
    }

    private final class Server implements CallQueue.Server {
        @Override
        public void answer(List<Call<?>> calls) {
            Predictor.this.answer(calls);
        }

        @Override
        public void end() {
            current.retire();
        }
    }

    // ---- computing ----

    /** In a thread of a caller's. */
    private Map<String, Tensor> counted(Map<String, Tensor> batch, int n) {
        try {
            if (!permits.tryAcquire()) {
                permits.acquire();
            }
        } catch (InterruptedException e) {
            throw UnansweredException.Interrupted.again();
        }
        boolean done = false;
        try {
            Map<String, Tensor> outputs = compute(batch, n);
            done = true;
            return outputs;
        } finally {
            permits.release();
            (done ? answered : failed).increment();
        }
    }

    private Map<String, Tensor> compute(Map<String, Tensor> batch, int n) {
        runs.increment();
        ReadyModel model = current;
        while (!model.enter()) {
            model = current;
        }
        try {
            return model.run(batch, n);
        } finally {
            model.exit();
        }
    }

    /** In a worker: all together if they are several; one by one if that fails, so that each fails for itself. */
    private void answer(List<Call<?>> calls) {
        if (calls.size() == 1) {
            answer(calls.get(0));
            return;
        }
        List<Map<String, Tensor>> answers;
        try {
            answers = together(calls);
        } catch (RuntimeException | Error e) {
            calls.forEach(this::answer);
            return;
        }
        for (int i = 0; i < answers.size(); i++) {
            complete(calls.get(i), answers.get(i));
        }
    }

    private void answer(Call<?> call) {
        if (deadline != null && System.nanoTime() - call.since > deadline.toNanos()) {
            giveUp(call, deadline);
        }
        if (call.future.isDone()) {
            return;
        }
        try {
            complete(call, permitted(call.batch, call.n));
        } catch (RuntimeException | Error e) {
            fail(call, e, failed);
        }
    }

    /** Counts first, so that whoever has an answer finds it counted. */
    private void complete(Call<?> call, Map<String, Tensor> outputs) {
        answered.increment();
        if (!call.complete(outputs)) {
            answered.decrement();
        }
    }

    private static void fail(Call<?> call, Throwable e, LongAdder count) {
        count.increment();
        if (!call.future.completeExceptionally(e)) {
            count.decrement();
        }
    }

    private Map<String, Tensor> permitted(Map<String, Tensor> batch, int n) {
        permits.acquireUninterruptibly();
        try {
            return compute(batch, n);
        } finally {
            permits.release();
        }
    }

    /** The calls' samples as one batch, and its outputs cut up again. */
    private List<Map<String, Tensor>> together(List<Call<?>> calls) {
        int n = calls.stream().mapToInt(call -> call.n).sum();
        int size = Math.max(n, rows.size(n));
        Map<String, Tensor> batch = new LinkedHashMap<>();
        inputs.forEach((name, type) -> {
            Tensor all = Tensor.zeros(type.dtype(), type.shape().prepend(size));
            int at = 0;
            for (Call<?> call : calls) {
                Objects.requireNonNull(call.batch.get(name)).copyRows(0, call.n, all, at);
                at += call.n;
            }
            batch.put(name, all);
        });
        Map<String, Tensor> results = permitted(batch, n);
        List<Map<String, Tensor>> answers = new ArrayList<>();
        int from = 0;
        for (Call<?> call : calls) {
            Map<String, Tensor> own = new LinkedHashMap<>();
            for (Map.Entry<String, Tensor> all : results.entrySet()) {
                Tensor some = Tensor.zeros(
                        all.getValue().dtype(), all.getValue().shape().with(0, call.n));
                all.getValue().copyRows(from, call.n, some, 0);
                own.put(all.getKey(), some);
            }
            answers.add(own);
            from += call.n;
        }
        return answers;
    }

    // ---- life ----

    /**
     * Puts another model in the place of this predictor's: one that was trained further, say. It is compiled for the batch
     * sizes in use before it takes over; meanwhile, and if that fails, the old one answers. Calls that run end on the old
     * one, whose memory is then freed; those that have not begun to run when this returns, run on the new one.
     *
     * @throws IllegalArgumentException if it takes or gives other types
     * @throws IllegalStateException if the predictor is closed
     * @throws UnansweredException.Interrupted if this thread is interrupted while another one's swap is under way
     */
    public void swap(Model model) {
        if (!model.inputs().equals(inputs) || !model.outputs().equals(outputs)) {
            throw new IllegalArgumentException("this predictor takes " + inputs + " and gives " + outputs
                    + ", but the new model takes " + model.inputs() + " and gives " + model.outputs());
        }
        queue.enter();
        try {
            VirtualThreads.leave(() -> replace(model));
        } finally {
            queue.leave(1);
        }
    }

    private void replace(Model model) {
        UnansweredException.Interrupted.lock(swapping);
        try {
            ReadyModel old = current;
            ReadyModel fresh = new ReadyModel(model, backends, bf16, rows);
            try {
                old.sizes().forEach(fresh::compileFor);
            } catch (RuntimeException | Error e) {
                fresh.retire();
                throw e;
            }
            current = fresh;
            old.retire();
        } finally {
            swapping.unlock();
        }
    }

    private void warmUp(int[] given) {
        List<Integer> known = rows.sizes().isEmpty() ? List.of(1) : rows.sizes();
        List<Integer> sizes =
                given.length == 0 ? known : Arrays.stream(given).boxed().toList();
        try {
            VirtualThreads.leave(() -> sizes.forEach(current::warmUp));
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    /** What this predictor has done and is doing, for whoever watches over it. */
    public Stats stats() {
        return new Stats(
                answered.sum(),
                failed.sum(),
                refused.sum(),
                late.sum(),
                runs.sum(),
                queue.waiting(),
                workers - permits.availablePermits());
    }

    /**
     * Calls by what became of them, and those under way.
     *
     * @param answered how many were answered
     * @param failed how many ended in an exception of the network's
     * @param refused how many found the queue full
     * @param late how many were not answered in time
     * @param runs how often the network was run, for one call or several
     * @param waiting how many wait in the queue now
     * @param running how many runs are under way now
     */
    public record Stats(long answered, long failed, long refused, long late, long runs, int waiting, int running) {}

    /**
     * Lets no call in from now on, waits until those that are in have been answered, then frees all memory. If this thread
     * is interrupted, the calls in the queue are refused, and only those that run are waited for. A function that a caller
     * attached to a future may close the predictor, but does not wait. Closing twice does no harm.
     */
    @Override
    public void close() {
        queue.close();
    }

    /** How to serve. */
    public static final class Builder {
        private static final int PROCESSORS = Runtime.getRuntime().availableProcessors();

        private final Model model;
        private @Nullable Backends backends;
        private boolean bf16;
        private int fixed;
        private int workers;
        private int queue = Integer.MAX_VALUE;
        private @Nullable Duration deadline;
        private int most;
        private long delay;
        private int @Nullable [] warm;

        private Builder(Model model) {
            this.model = model;
        }

        /** Where to compute; the best backend here unless said. */
        public Builder backends(Backends choice) {
            backends = choice;
            return this;
        }

        /**
         * Computes in {@linkplain MixedPrecision mixed precision}, from weights that are rounded to bf16 once; outputs are
         * f32.
         */
        public Builder bf16() {
            bf16 = true;
            return this;
        }

        /**
         * Gives a sample the same bits whatever batch it comes in: native kernels add up in another order at another
         * batch size, and so round otherwise. Each sample is computed alone, so that large batches cost as much as their
         * samples one by one: little more for a convolutional network, many times more for a perceptron, whose weights are
         * then read for each sample anew.
         */
        public Builder batchInvariant() {
            return batchInvariant(1);
        }

        /**
         * The same with less cost for large batches, and more for small ones: everything is computed in batches of exactly
         * so many samples, the last one filled up with zeros. The predictor tries whether a sample's place in such a batch
         * makes a difference to its bits when it first compiles, and refuses if so.
         */
        public Builder batchInvariant(int samples) {
            fixed = atLeastOne(samples, "sample in a batch");
            return this;
        }

        /**
         * How many calls may run at once. Each run uses its share of the processors, unless {@link #backends} says how many
         * threads it uses. Unless said, as many as keep the processors busy: one, if each run uses all of them. For many
         * callers of a small network, as many workers as processors are best.
         */
        public Builder workers(int count) {
            workers = atLeastOne(count, "worker");
            return this;
        }

        /**
         * How many calls may wait for a worker; any number unless said. One more is refused with an
         * {@link UnansweredException.QueueFull}.
         */
        public Builder queue(int calls) {
            queue = atLeastOne(calls, "call in a queue");
            return this;
        }

        /**
         * How long a call may take, waiting included; any time unless said. At that time its caller gets an
         * {@link UnansweredException.Late}; a call that waits leaves the queue, one that runs is run to its end for nobody.
         */
        public Builder deadline(Duration time) {
            if (time.isZero() || time.isNegative()) {
                throw new IllegalArgumentException("a deadline lies in the future, not at " + time);
            }
            deadline = time;
            return this;
        }

        /**
         * Puts calls together: a call waits until there are so many samples, or for this long at most, and they are
         * computed at once, at the next of a few batch sizes (1, 2, 4, … and the most), filled up with zeros. A call whose
         * input is bad fails alone. A sample's bits depend on the batch size, hence on chance, unless {@link #batchInvariant}
         * is set.
         */
        public Builder microBatching(int maxSamples, Duration maxDelay) {
            if (maxDelay.isNegative()) {
                throw new IllegalArgumentException("a call cannot wait for " + maxDelay);
            }
            most = atLeastOne(maxSamples, "sample in a batch");
            delay = maxDelay.toNanos();
            return this;
        }

        /**
         * Compiles for these batch sizes, and runs once on zeros, before the first call; for none given, those of
         * micro-batches or of {@link #batchInvariant}, else a single sample.
         */
        public Builder warmUp(int... batchSizes) {
            for (int size : batchSizes) {
                atLeastOne(size, "sample in a batch");
            }
            warm = batchSizes.clone();
            return this;
        }

        private static int atLeastOne(int count, String what) {
            if (count < 1) {
                throw new IllegalArgumentException("at least one " + what + " is needed, not " + count);
            }
            return count;
        }

        private Backends backends() {
            if (backends != null) {
                return backends;
            }
            Backends best = Backends.automatic();
            return workers > 0 ? best.withThreads(Math.max(1, PROCESSORS / workers)) : best;
        }

        /** The predictor; unless it is to be {@linkplain #warmUp warm}, it compiles for a batch size when that first comes. */
        public Predictor build() {
            Predictor predictor = new Predictor(this);
            if (warm != null) {
                predictor.warmUp(warm);
            }
            return predictor;
        }
    }
}
