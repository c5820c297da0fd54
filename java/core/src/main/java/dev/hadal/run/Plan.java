package dev.hadal.run;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Backends;
import dev.hadal.graph.Graph;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.StringJoiner;
import org.jspecify.annotations.Nullable;

/**
 * A graph made ready to run: its kernels, and where each value lies. A plan is immutable, and any number of threads may
 * share it, each with a {@link Session} of its own.
 */
public final class Plan implements AutoCloseable {

    /**
     * How to compile.
     *
     * @param store where leaves lie already; null if this plan is to decide
     * @param like outputs that are kept in the store, each in the order of the leaf named
     * @param alike leaves that lie in one order, such as a weight and its shadow, in both directions: what lays out one of
     *     them lays out the other
     * @param commitInPlace whether a step may write a committed value over the leaf at once, instead of when the
     *     session commits
     */
    public record Options(
            @Nullable Store store, Map<String, String> like, Map<String, String> alike, boolean commitInPlace) {
        public static final Options DEFAULT = new Options(null, Map.of(), Map.of(), false);

        public Options(@Nullable Store store, Map<String, String> like, boolean commitInPlace) {
            this(store, like, Map.of(), commitInPlace);
        }

        public Options(Store store) {
            this(store, Map.of(), Map.of(), false);
        }
    }

    final List<Step> steps;
    final List<Step> commits;
    final Map<String, Slot> leaves;
    final Map<String, Slot> outputs;
    final Map<Backend, Long> scratch;
    final Map<SlabLayout.Pool, Long> slabs;
    final int threads;

    private final Compilation compilation;
    private final Set<Session> sessions = new HashSet<>();
    private int running;
    private boolean closed;

    private Plan(Compilation compilation, int threads) {
        this.compilation = compilation;
        this.steps = compilation.steps;
        this.commits = compilation.commits;
        this.leaves = compilation.leaves;
        this.outputs = compilation.outputs;
        this.scratch = compilation.scratch;
        this.threads = threads;
        this.slabs = new SlabLayout(compilation.allSlots()).bytes();
    }

    /**
     * Prepares a kernel for each node, and lays out the memory.
     *
     * @throws IllegalStateException if the backends require what the first of them cannot do
     */
    public static Plan compile(Graph graph, Backends backends, Options options) {
        Compilation compilation = new Compilation(graph, backends, options);
        compilation.run();
        return new Plan(compilation, backends.threads());
    }

    /** Where the leaves that a store must hold lie, by name: the weights and the states. */
    public Map<String, Store.Placement> stored() {
        Map<String, Store.Placement> stored = new LinkedHashMap<>();
        for (Map.Entry<String, Slot> leaf : leaves.entrySet()) {
            Slot slot = leaf.getValue();
            if (slot.stored != null) {
                stored.put(leaf.getKey(), new Store.Placement(slot.backend, slot.layout));
            }
        }
        return stored;
    }

    /** Bytes of memory that each session takes. */
    public long sessionBytes() {
        return slabs.values().stream().mapToLong(Long::longValue).sum()
                + scratch.values().stream().mapToLong(SlabLayout::aligned).sum();
    }

    /** How many nodes the first backend declined. */
    public int fallbacks() {
        return compilation.fallbacks;
    }

    /** How many steps only change a layout. */
    public long reorders() {
        return steps.stream().filter(s -> s.task() == null).count();
    }

    /**
     * Memory for one run at a time.
     *
     * @param store holds the weights and the states; it must stay open as long as the session
     * @throws IllegalStateException if the plan is closed
     */
    public Session session(Store store) {
        synchronized (this) {
            checkOpen();
            Session session = new Session(this, store);
            sessions.add(session);
            return session;
        }
    }

    // ---- life ----

    synchronized void enter() {
        checkOpen();
        running++;
    }

    synchronized void exit() {
        running--;
        notifyAll();
    }

    synchronized void forget(Session session) {
        sessions.remove(session);
    }

    private void checkOpen() {
        if (closed) {
            throw new IllegalStateException("the plan is closed");
        }
    }

    /**
     * Waits for the runs that are under way, then frees the kernels and the memory of every session. From now on their
     * use is an {@link IllegalStateException}. Closing twice does no harm.
     */
    @Override
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            boolean interrupted = false;
            while (running > 0) {
                try {
                    wait();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
            for (Session session : sessions) {
                session.free();
            }
            sessions.clear();
        }
        compilation.closeKernels();
    }

    /** One line per step: the node, the kernel that runs it and the layouts it writes; reorders say why they are there. */
    @Override
    public String toString() {
        StringJoiner lines = new StringJoiner("\n");
        steps.forEach(s -> lines.add(s.toString()));
        commits.forEach(s -> lines.add(s.toString()));
        Map<String, Long> bytes = new HashMap<>();
        slabs.forEach((pool, n) -> bytes.merge(pool.backend().name() + " " + pool.name(), n, Long::sum));
        return lines.add("memory " + bytes + " bytes").toString();
    }
}
