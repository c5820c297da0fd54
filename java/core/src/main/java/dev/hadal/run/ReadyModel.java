package dev.hadal.run;

import dev.hadal.backend.Backends;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.model.BatchSize;
import dev.hadal.model.FoldConstants;
import dev.hadal.model.Inference;
import dev.hadal.model.MixedPrecision;
import dev.hadal.model.Model;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Tensor;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * One model of a {@link Predictor}, ready to compute: its weights, a plan for each of the last few batch sizes, and the
 * sessions that are idle. Calls enter and exit; once retired, it frees its memory when the last of them has left.
 */
final class ReadyModel {
    private static final int PLANS = 8;

    private final Model model;
    private final Backends backends;
    private final boolean bf16;
    private final Rows rows;
    private final Set<String> inputs;
    private final Map<String, Type> outputs;

    /** Held while a plan is compiled, one at a time; those who have a plan go on meanwhile. Guards the stores. */
    private final ReentrantLock compiling = new ReentrantLock();
    /** The weights, once in each layout that some plan takes them in. */
    private final List<Store> stores = new ArrayList<>();
    /** Guards what follows. */
    private final ReentrantLock lock = new ReentrantLock();

    private final Map<Integer, Sized> plans = new LinkedHashMap<>(16, 0.75f, true);
    private int calls;
    private boolean retired;

    /** The plan for one batch size, and its idle sessions. */
    private static final class Sized {
        final int size;
        final Plan plan;
        final Store store;
        final Deque<Session> idle = new ArrayDeque<>();
        int calls;
        boolean evicted;

        Sized(int size, Plan plan, Store store) {
            this.size = size;
            this.plan = plan;
            this.store = store;
        }
    }

    ReadyModel(Model model, Backends backends, boolean bf16, Rows rows) {
        this.model = prepared(model);
        this.backends = backends;
        this.bf16 = bf16;
        this.rows = rows;
        this.inputs = this.model.inputs().keySet();
        this.outputs = this.model.outputs();
    }

    // ---- compiling ----

    /** The model that is compiled, for any batch size: what the passes for inference make of the one given. */
    private static Model prepared(Model model) {
        return model.apply(new Inference(new JavaArithmetic()));
    }

    /** What few ops depend on weights alone, Java computes. */
    private record JavaArithmetic() implements FoldConstants.Arithmetic {
        @Override
        public List<Tensor> run(Op op, List<Tensor> operands) {
            return Kernels.compute(op, operands);
        }
    }

    /** Each plan lays out the weights as it likes best, whatever the others do: so its bits depend on its size alone. */
    private Sized compile(int size) {
        Graph full = model.apply(new BatchSize(size)).graph();
        for (Map.Entry<String, Value> y : full.outputs().entrySet()) {
            rows.check(y.getKey(), y.getValue().type(), size);
        }
        Graph graph = bf16 ? new MixedPrecision(true).apply(full) : full;
        Plan plan = Plan.compile(graph, backends, Plan.Options.DEFAULT);
        try {
            Store store = Store.of(plan, values(plan), stores);
            if (store.ownsMemory()) {
                stores.add(store);
            }
            Sized sized = new Sized(size, plan, store);
            if (rows.fixed() > 1) {
                requireAlike(sized);
            }
            return sized;
        } catch (RuntimeException | Error e) {
            plan.close();
            throw e;
        }
    }

    /** The model's, and the shadows that the plan reads. */
    private Map<String, Tensor> values(Plan plan) {
        Map<String, Tensor> values = new LinkedHashMap<>(model.values());
        for (String name : plan.stored().keySet()) {
            if (!values.containsKey(name)) {
                Tensor weight = model.values().get(MixedPrecision.weight(name));
                values.put(name, Objects.requireNonNull(weight, name).narrowed());
            }
        }
        return values;
    }

    /** Computes one sample in the first row among others, then in every row: its bits may depend on neither. */
    private void requireAlike(Sized sized) {
        Map<String, Tensor> different = new LinkedHashMap<>();
        Map<String, Tensor> equal = new LinkedHashMap<>();
        model.inputs().forEach((name, type) -> {
            Tensor some = some(type, sized.size);
            Tensor same = Tensor.zeros(some.dtype(), some.shape());
            for (int i = 0; i < sized.size; i++) {
                some.copyRows(0, 1, same, i);
            }
            different.put(name, some);
            equal.put(name, same);
        });
        try (Session session = session(sized)) {
            Map<String, Tensor> among = compute(session, different, sized.size, sized.size);
            Map<String, Tensor> alone = compute(session, equal, sized.size, sized.size);
            alone.forEach((name, y) -> {
                Tensor expected = Tensor.zeros(y.dtype(), y.shape());
                for (int i = 0; i < sized.size; i++) {
                    Objects.requireNonNull(among.get(name)).copyRows(0, 1, expected, i);
                }
                if (!expected.equals(y)) {
                    throw new IllegalStateException("output " + name + " of this network on " + backends
                            + " depends on a sample's place in a batch of " + sized.size
                            + ": choose another size, or batchInvariant(), which computes one by one");
                }
            });
        }
    }

    /** Random numbers, or zeros where numbers are names. */
    private static Tensor some(Type type, int n) {
        Tensor some = Tensor.zeros(type.dtype(), type.shape().prepend(n));
        if (type.dtype() == DType.F32) {
            Philox random = new Philox(n, 0);
            float[] x = some.floats();
            for (int i = 0; i < x.length; i++) {
                x[i] = random.normal(i);
            }
        }
        return some;
    }

    // ---- calls ----

    /** A call begins; false if it must turn to the model that has taken this one's place. */
    boolean enter() {
        lock.lock();
        try {
            calls += retired ? 0 : 1;
            return !retired;
        } finally {
            lock.unlock();
        }
    }

    void exit() {
        lock.lock();
        try {
            calls--;
            freeIfUnused();
        } finally {
            lock.unlock();
        }
    }

    /** No call enters from now on. */
    void retire() {
        lock.lock();
        try {
            retired = true;
            freeIfUnused();
        } finally {
            lock.unlock();
        }
    }

    private void freeIfUnused() {
        if (retired && calls == 0) {
            for (Sized sized : plans.values()) {
                sized.plan.close();
            }
            plans.clear();
            for (Store store : stores) {
                store.close();
            }
            stores.clear();
        }
    }

    /**
     * The outputs for the first n samples of a batch.
     *
     * @throws UnansweredException.Interrupted while another thread compiles
     */
    Map<String, Tensor> run(Map<String, Tensor> batch, int n) {
        Sized sized = acquire(rows.size(n));
        Session session = null;
        try {
            session = idle(sized);
            if (session == null) {
                session = session(sized);
            }
            return compute(session, batch, n, sized.size);
        } finally {
            release(sized, session);
        }
    }

    /** Compiles for so many samples, unless that has been done. */
    void compileFor(int n) {
        release(acquire(rows.size(n)), null);
    }

    /** Runs on samples of zeros. */
    void warmUp(int n) {
        Map<String, Tensor> zeros = new LinkedHashMap<>();
        model.inputs()
                .forEach((name, type) ->
                        zeros.put(name, Tensor.zeros(type.dtype(), type.shape().prepend(n))));
        run(zeros, n);
    }

    /** The batch sizes that are compiled. */
    List<Integer> sizes() {
        lock.lock();
        try {
            return List.copyOf(plans.keySet());
        } finally {
            lock.unlock();
        }
    }

    private Map<String, Tensor> compute(Session session, Map<String, Tensor> batch, int n, int size) {
        Map<String, Tensor> results = new LinkedHashMap<>();
        if (n == size) {
            for (String name : inputs) {
                session.write(name, Objects.requireNonNull(batch.get(name)));
            }
            session.run();
            for (String name : outputs.keySet()) {
                results.put(name, session.read(name));
            }
            return results;
        }
        outputs.forEach((name, type) ->
                results.put(name, Tensor.zeros(type.dtype(), type.shape().prepend(n))));
        for (int from = 0; from < n; from += size) {
            int count = Math.min(size, n - from);
            for (String name : inputs) {
                Tensor x = Objects.requireNonNull(batch.get(name));
                if (x.shape().get(0) >= from + size) {
                    session.write(name, x, from);
                } else {
                    session.write(name, filledUp(x, from, count, size));
                }
            }
            run(session, from);
            for (Map.Entry<String, Tensor> result : results.entrySet()) {
                if (count == size) {
                    session.read(result.getKey(), result.getValue(), from);
                } else {
                    session.read(result.getKey()).copyRows(0, count, result.getValue(), from);
                }
            }
        }
        return results;
    }

    private static Tensor filledUp(Tensor x, int from, int count, int size) {
        Tensor filled = Tensor.zeros(x.dtype(), x.shape().with(0, size));
        x.copyRows(from, count, filled, 0);
        return filled;
    }

    private static void run(Session session, int from) {
        try {
            session.run();
        } catch (IndexOutOfBoundsException e) {
            if (from == 0) {
                throw e;
            }
            IndexOutOfBoundsException told =
                    new IndexOutOfBoundsException(e.getMessage() + ", counted from sample " + from + " on");
            told.initCause(e);
            throw told;
        }
    }

    // ---- plans and sessions ----

    private Sized acquire(int size) {
        Sized known = known(size);
        if (known != null) {
            return known;
        }
        UnansweredException.Interrupted.lock(compiling);
        try {
            Sized compiled = known(size); // by whoever held the lock
            return compiled != null ? compiled : add(compile(size));
        } finally {
            compiling.unlock();
        }
    }

    private @Nullable Sized known(int size) {
        lock.lock();
        try {
            Sized sized = plans.get(size);
            if (sized != null) {
                sized.calls++;
            }
            return sized;
        } finally {
            lock.unlock();
        }
    }

    private Sized add(Sized sized) {
        lock.lock();
        try {
            sized.calls++;
            plans.put(sized.size, sized);
            if (plans.size() > PLANS + rows.sizes().size()) {
                Iterator<Sized> eldest = plans.values().iterator();
                Sized evicted = eldest.next();
                eldest.remove();
                evicted.evicted = true;
                closeIfUnused(evicted);
            }
            return sized;
        } finally {
            lock.unlock();
        }
    }

    private @Nullable Session idle(Sized sized) {
        lock.lock();
        try {
            return sized.idle.poll();
        } finally {
            lock.unlock();
        }
    }

    private Session session(Sized sized) {
        return sized.plan.session(sized.store);
    }

    private void release(Sized sized, @Nullable Session session) {
        lock.lock();
        try {
            if (session != null) {
                sized.idle.push(session);
            }
            sized.calls--;
            closeIfUnused(sized);
        } finally {
            lock.unlock();
        }
    }

    private static void closeIfUnused(Sized sized) {
        if (sized.evicted && sized.calls == 0) {
            sized.plan.close();
        }
    }
}
