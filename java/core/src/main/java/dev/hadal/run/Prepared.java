package dev.hadal.run;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Backends;
import dev.hadal.backend.Kernel;
import dev.hadal.backend.Operand;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.model.MultiplyAdds;
import dev.hadal.tensor.Tensor;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * One op, ready for operands of known types, and the {@link Desk}s that its calls work at: each call has one to itself,
 * and leaves it for the next.
 */
final class Prepared {
    private final Node node;
    private final Backend java;
    /** On the first backend; null for pure Java. */
    private final @Nullable Plan plan;
    /** In pure Java; null for the first backend. */
    private final @Nullable Kernel kernel;
    /** The bytes that the desks of all ops hold. */
    private final AtomicLong held;

    private final Deque<Desk> idle = new ArrayDeque<>();
    private int calls;
    private boolean dropped;
    /** Those of this op's desks. */
    private long bytes;

    private volatile long lastUse;

    private Prepared(Node node, Backend java, @Nullable Plan plan, @Nullable Kernel kernel, AtomicLong held) {
        this.node = node;
        this.java = java;
        this.plan = plan;
        this.kernel = kernel;
        this.held = held;
    }

    /**
     * Prepares an op.
     *
     * @throws IllegalArgumentException if the operands do not fit it
     * @throws IllegalStateException if the first backend is required, and has no kernel for it
     */
    static Prepared of(Op op, List<Type> operands, Backends backends, AtomicLong held) {
        Graph graph = new Graph();
        String[] names = names(operands.size());
        List<Value> in = new ArrayList<>();
        for (String name : names) {
            in.add(graph.leaf(Role.INPUT, name, operands.get(in.size())));
        }
        List<Value> out = graph.append(op, in);
        Node node = out.get(0).node();
        Backend java = backends.list().get(backends.list().size() - 1);
        if (backends.require() || (backends.first() != java && pays(node) && has(backends, node))) {
            out.forEach(v -> graph.output(String.valueOf(v.index()), v));
            return new Prepared(node, java, Plan.compile(graph, backends, Plan.Options.DEFAULT), null, held);
        }
        Kernel kernel = kernel(java, node, backends.threads())
                .orElseThrow(
                        () -> new IllegalStateException("no kernel for " + node + "; a new op needs a Java kernel"));
        return new Prepared(node, java, null, kernel, held);
    }

    /** The products from which on a native kernel makes up for the copies. */
    private static final long MANY = 100_000;

    /** Whether it is worth copying the operands to native memory, and the results back. */
    private static boolean pays(Node node) {
        return MultiplyAdds.of(node) > MANY;
    }

    private static boolean has(Backends backends, Node node) {
        Optional<Kernel> kernel = kernel(backends.first(), node, backends.threads());
        kernel.ifPresent(Kernel::close);
        return kernel.isPresent();
    }

    private static Optional<Kernel> kernel(Backend backend, Node node, int threads) {
        List<Operand> operands =
                node.inputs().stream().map(v -> Operand.plain(v.type())).toList();
        return backend.prepare(node.op(), operands, node.types(), threads);
    }

    /** What the graph calls operands, and results. */
    private static String[] names(int count) {
        return IntStream.range(0, count).mapToObj(String::valueOf).toArray(String[]::new);
    }

    /** The types of the results. */
    List<Type> results() {
        return node.types();
    }

    /** What runs: the name of a kernel in Java, or the steps of a plan. */
    String implementation() {
        return kernel != null ? kernel.implementation() : String.valueOf(plan);
    }

    // ---- calls ----

    /** A desk for one call; null if this was dropped. */
    @Nullable
    Desk acquire() {
        synchronized (this) {
            if (dropped) {
                return null;
            }
            calls++;
            Desk desk = idle.poll();
            if (desk != null) {
                return desk;
            }
        }
        try {
            Desk desk = plan != null ? desk(plan) : Desk.of(java, Objects.requireNonNull(kernel));
            count(desk.bytes());
            return desk;
        } catch (RuntimeException | Error e) {
            release(null);
            throw e;
        }
    }

    private Desk desk(Plan plan) {
        return new Desk.OfSession(
                plan.session(new Store()),
                names(node.inputs().size()),
                names(results().size()),
                plan.sessionBytes());
    }

    synchronized void release(@Nullable Desk desk) {
        if (desk != null) {
            idle.push(desk);
        }
        calls--;
        freeIfUnused();
    }

    private synchronized void count(long more) {
        bytes += more;
        held.addAndGet(more);
    }

    /** The bytes that its desks hold. */
    synchronized long bytes() {
        return bytes;
    }

    long lastUse() {
        return lastUse;
    }

    void usedAt(long now) {
        if (lastUse != now) {
            lastUse = now;
        }
    }

    /** No call begins from now on; when the last one has ended, all memory is freed. */
    synchronized void drop() {
        dropped = true;
        freeIfUnused();
    }

    private void freeIfUnused() {
        if (!dropped || calls > 0) {
            return;
        }
        for (Desk desk = idle.poll(); desk != null; desk = idle.poll()) {
            count(-desk.bytes());
            desk.close();
        }
        if (plan != null) {
            plan.close();
        }
        if (kernel != null) {
            kernel.close();
        }
    }

    // ---- checks ----

    /**
     * Checks where the results are to go.
     *
     * @throws IllegalArgumentException if they are not what the op computes, or share an array
     */
    void check(List<Tensor> out) {
        List<Type> wanted = node.types();
        boolean fits = out.size() == wanted.size();
        for (int i = 0; fits && i < out.size(); i++) {
            Type type = wanted.get(i);
            Tensor given = out.get(i);
            fits = given != null
                    && given.dtype() == type.dtype()
                    && given.shape().equals(type.shape());
        }
        if (!fits) {
            throw new IllegalArgumentException(node.op() + " of "
                    + node.inputs().stream().map(Value::type).toList() + " computes " + wanted + ", not " + out);
        }
        for (int i = 1; i < out.size(); i++) {
            for (int j = 0; j < i; j++) {
                if (out.get(i).sharesArrayWith(out.get(j))) {
                    throw new IllegalArgumentException(
                            node.op() + ": results " + j + " and " + i + " share an array; each needs its own");
                }
            }
        }
    }
}
