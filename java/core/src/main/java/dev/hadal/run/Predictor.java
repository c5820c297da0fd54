package dev.hadal.run;

import dev.hadal.backend.Backends;
import dev.hadal.graph.Graph;
import dev.hadal.model.BatchSize;
import dev.hadal.model.MixedPrecision;
import dev.hadal.model.Model;
import dev.hadal.tensor.Tensor;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * From samples to answers. Any number of threads may call at once: they share the weights, and each call runs in a
 * session of its own. A plan is kept for each of the last few batch sizes.
 */
public final class Predictor implements AutoCloseable {
    private static final int PLANS = 8;

    private final Model model;
    private final Backends backends;
    private final boolean bf16;
    private final Map<Integer, Ready> plans = new LinkedHashMap<>(16, 0.75f, true);
    private @Nullable Store store;
    private int calls;
    private boolean closed;

    /** The plan for one batch size, and its idle sessions. */
    private static final class Ready {
        final Plan plan;
        final Set<String> outputs;
        final Deque<Session> idle = new ArrayDeque<>();
        int calls;
        boolean evicted;

        Ready(Plan plan, Set<String> outputs) {
            this.plan = plan;
            this.outputs = outputs;
        }
    }

    private Predictor(Model model, Backends backends, boolean bf16) {
        this.model = model;
        this.backends = backends;
        this.bf16 = bf16;
    }

    /** A predictor on the best backend here. The model is not changed, nor is it needed afterwards. */
    public static Predictor of(Model model) {
        return of(model, Backends.automatic());
    }

    public static Predictor of(Model model, Backends backends) {
        return new Predictor(model, backends, false);
    }

    /**
     * A predictor that computes in {@linkplain MixedPrecision mixed precision}, from weights that are rounded to bf16 once;
     * its outputs are f32.
     */
    public static Predictor bf16(Model model, Backends backends) {
        return new Predictor(model, backends, true);
    }

    /**
     * The network's output for a batch, of a network with one input and one output.
     *
     * @param batch [N, one sample's shape]
     * @return f32 [N,…]
     * @throws IllegalArgumentException if the batch has another type; the message says which it should have
     * @throws IllegalStateException if the predictor is closed
     */
    public Tensor predict(Tensor batch) {
        Map<String, Tensor> results = predict(Map.of(only(model.inputs().keySet(), "input"), batch));
        return Objects.requireNonNull(results.get(only(model.outputs().keySet(), "output")));
    }

    private static String only(Set<String> names, String what) {
        if (names.size() != 1) {
            throw new IllegalArgumentException(
                    "this network has the " + what + "s " + names + "; give and take them by name");
        }
        return names.iterator().next();
    }

    /**
     * The network's outputs for a batch.
     *
     * @param batch each input by name, [N, one sample's shape]
     * @return each output by name, [N,…]
     * @throws IllegalArgumentException if an input is missing or has another type; the message says which it should have
     * @throws IllegalStateException if the predictor is closed
     */
    public Map<String, Tensor> predict(Map<String, Tensor> batch) {
        Ready ready = acquire(Inputs.samples(model.inputs(), batch));
        Session session = null;
        try {
            session = session(ready);
            for (String name : model.inputs().keySet()) {
                session.write(name, Objects.requireNonNull(batch.get(name)));
            }
            session.run();
            Map<String, Tensor> results = new LinkedHashMap<>();
            for (String name : ready.outputs) {
                results.put(name, session.read(name));
            }
            return results;
        } finally {
            release(ready, session);
        }
    }

    private synchronized Ready acquire(int n) {
        if (closed) {
            throw new IllegalStateException("the predictor is closed");
        }
        Ready ready = plans.get(n);
        if (ready == null) {
            ready = compile(n);
            plans.put(n, ready);
            evictEldest();
        }
        ready.calls++;
        calls++;
        return ready;
    }

    private Ready compile(int n) {
        Graph full = model.apply(new BatchSize(n)).graph();
        Graph graph = bf16 ? new MixedPrecision(true).apply(full) : full;
        Plan plan = Plan.compile(graph, backends, store == null ? Plan.Options.DEFAULT : new Plan.Options(store));
        if (store == null) {
            store = Store.of(plan, values(plan)); // later plans take the weights as they lie
        }
        return new Ready(plan, graph.outputs().keySet());
    }

    /** The model's, and the shadows that the plan reads. */
    private Map<String, Tensor> values(Plan plan) {
        Map<String, Tensor> values = new LinkedHashMap<>(model.values());
        for (String name : plan.stored().keySet()) {
            values.computeIfAbsent(
                    name,
                    shadow -> Objects.requireNonNull(model.values().get(MixedPrecision.weight(shadow)), shadow)
                            .narrowed());
        }
        return values;
    }

    private void evictEldest() {
        Iterator<Ready> eldest = plans.values().iterator();
        if (plans.size() > PLANS) {
            Ready ready = eldest.next();
            eldest.remove();
            ready.evicted = true;
            closeIfUnused(ready);
        }
    }

    private synchronized Session session(Ready ready) {
        Session idle = ready.idle.poll();
        return idle != null ? idle : ready.plan.session(Objects.requireNonNull(store));
    }

    private synchronized void release(Ready ready, @Nullable Session session) {
        if (session != null) {
            ready.idle.push(session);
        }
        ready.calls--;
        calls--;
        closeIfUnused(ready);
        notifyAll();
    }

    private static void closeIfUnused(Ready ready) {
        if (ready.evicted && ready.calls == 0) {
            ready.plan.close();
        }
    }

    /** Waits for the calls that are under way, then frees all memory. Closing twice does no harm. */
    @Override
    public synchronized void close() {
        closed = true;
        boolean interrupted = false;
        while (calls > 0) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        plans.values().forEach(ready -> ready.plan.close());
        plans.clear();
        if (store != null) {
            store.close();
        }
    }
}
