package dev.hadal.run;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Backends;
import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Memory;
import dev.hadal.backend.Operand;
import dev.hadal.backend.Region;
import dev.hadal.graph.Fused;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Node;
import dev.hadal.graph.Readers;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.op.Mixed;
import dev.hadal.run.Store.Placement;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * From a graph to the steps of a plan: asks the backends for a kernel for each node, and inserts a reorder where a value
 * does not lie as a kernel wants it, and a copy where it lies in another backend's memory.
 */
final class Compilation {
    private static final Set<String> REPORTED = ConcurrentHashMap.newKeySet();

    /** A product, its bias, a residual and an activation. */
    private static final int LONGEST_CHAIN = 4;

    private final Graph graph;
    private final Backends backends;
    private final Plan.Options options;
    private final Readers readers;

    private final Set<Node> computed = new HashSet<>();
    private final Map<Value, List<Slot>> slots = new LinkedHashMap<>();
    /** The names under which the store holds an output. */
    private final Map<Value, List<String>> stored = new HashMap<>();

    final List<Step> steps = new ArrayList<>();
    /** What runs when a session commits. */
    final List<Step> commits = new ArrayList<>();
    /** The places of leaves and of outputs, by name. */
    final Map<String, Slot> leaves = new LinkedHashMap<>();

    final Map<String, Slot> outputs = new LinkedHashMap<>();
    final Map<Backend, Long> scratch = new LinkedHashMap<>();
    int fallbacks;

    Compilation(Graph graph, Backends backends, Plan.Options options) {
        this.graph = graph;
        this.readers = new Readers(graph);
        this.backends = backends;
        this.options = options;
    }

    void run() {
        for (Map.Entry<String, Value> e : graph.outputs().entrySet()) {
            if (options.like().containsKey(e.getKey())) {
                listOf(stored, e.getValue()).add(e.getKey());
            }
        }
        try {
            for (Node node : graph.nodes()) {
                if (!(node.op() instanceof Leaf) && !computed.contains(node)) {
                    compute(node);
                }
            }
            for (Value leaf : graph.leaves(Role.INPUT)) {
                place(leaf);
            }
            for (Map.Entry<String, Value> e : graph.outputs().entrySet()) {
                expose(e.getKey(), e.getValue());
            }
            for (Map.Entry<Value, Value> e : graph.commits().entrySet()) {
                commit(e.getKey(), e.getValue());
            }
        } catch (RuntimeException | Error e) {
            closeKernels();
            throw e;
        }
    }

    /** Every place, the shared scratch excepted. */
    List<Slot> allSlots() {
        List<Slot> all = new ArrayList<>();
        for (List<Slot> some : slots.values()) {
            all.addAll(some);
        }
        return all;
    }

    /** The list under a key, which is there once it has been asked for. */
    private static <K, V> List<V> listOf(Map<K, List<V>> map, K key) {
        List<V> list = map.get(key);
        if (list == null) {
            list = new ArrayList<>();
            map.put(key, list);
        }
        return list;
    }

    void closeKernels() {
        for (List<Step> list : List.of(steps, commits)) {
            for (Step step : list) {
                if (step.kernel() != null) {
                    step.kernel().close();
                }
            }
        }
    }

    // ---- one node, or more ----

    private void compute(Node node) {
        List<Task> tasks = tasks(node);
        for (Backend backend : backends.list()) {
            for (Task task : tasks) {
                List<Operand> operands = operands(task, backend);
                List<Type> types = Value.types(task.outputs());
                Optional<Kernel> kernel = task.nodes().size() > 1
                        ? backend.fuse((Fused) task.op(), operands, types, backends.threads())
                        : backend.prepare(task.op(), operands, types, backends.threads());
                if (kernel.isPresent()) {
                    noteFallback(node, backend);
                    append(task, backend, kernel.get());
                    return;
                }
            }
        }
        throw new IllegalStateException(
                "no backend of [" + backends + "] has a kernel for " + node + "; a new op needs a Java kernel");
    }

    /** The longest chain that begins with the node, each shorter one, and last the node alone. */
    private List<Task> tasks(Node node) {
        List<Task> tasks = new ArrayList<>(List.of(Task.of(node)));
        if (isChain(node)) {
            return tasks;
        }
        List<Node> chain = new ArrayList<>(List.of(node));
        Node next = nextInChain(node);
        while (next != null && chain.size() < LONGEST_CHAIN) {
            chain.add(next);
            tasks.add(0, Task.chain(List.copyOf(chain), false));
            next = nextInChain(next);
        }
        for (Node reader : readers.of(node.output(0))) {
            if (chain.size() == 1 && reader.inputs().equals(List.of(node.output(0)))) {
                tasks.add(0, Task.chain(List.of(node, reader), true));
                break;
            }
        }
        return tasks;
    }

    /** Whether a pass has made a chain already. */
    private static boolean isChain(Node node) {
        return Mixed.inner(node.op()) instanceof Fused;
    }

    /** Who alone reads the node's only result, and could do so at once; null if that is nobody. */
    private @Nullable Node nextInChain(Node node) {
        Node reader = readers.onlyReader(node);
        if (reader == null || isChain(reader)) {
            return null;
        }
        for (Value x : reader.inputs()) {
            if (x.node() != node && !(x.node().op() instanceof Leaf) && !computed.contains(x.node())) {
                return null;
            }
        }
        return reader;
    }

    private void noteFallback(Node node, Backend backend) {
        if (backend == backends.first()) {
            return;
        }
        fallbacks++;
        String declined =
                backends.first().name() + " has no kernel for " + node.op().name() + " (" + node + ")";
        if (backends.require()) {
            throw new IllegalStateException(
                    declined + ", and fallback is not allowed; leave out require, or choose another backend");
        }
        if (REPORTED.add(backends.first().name() + " " + node.op().name())) {
            Logger log = LoggerFactory.getLogger(Plan.class); // not before: it would slow the start of every JVM
            log.warn(
                    "{}: it runs in {}, with copies in and out; {}",
                    declined,
                    backend.name(),
                    backends.first().availability().detail());
        }
    }

    private void append(Task task, Backend backend, Kernel kernel) {
        List<Slot> in = new ArrayList<>();
        for (int i = 0; i < task.inputs().size(); i++) {
            in.add(find(
                    task.inputs().get(i),
                    backend,
                    kernel.inputs().get(i),
                    "for " + task.op().name() + " " + task.path()));
        }
        int now = steps.size();
        for (Slot s : in) {
            s.usedUntil(now);
        }
        computed.addAll(task.nodes());
        List<Slot> out = new ArrayList<>();
        for (int i = 0; i < task.outputs().size(); i++) {
            Value v = task.outputs().get(i);
            Slot slot = new Slot(backend, kernel.outputs().get(i), now);
            listOf(slots, v).add(slot);
            int operand = kernel.inPlace(i);
            if (operand >= 0 && mayTakeOver(task.inputs().get(operand), v, in.get(operand), slot, in)) {
                slot.takeOver(in.get(operand));
            }
            out.add(slot);
        }
        provideScratch(backend, kernel);
        steps.add(new Step(backend, kernel, task, in, out, ""));
        for (Value v : task.outputs()) {
            store(v);
        }
    }

    private void provideScratch(Backend backend, Kernel kernel) {
        scratch.put(backend, Math.max(scratch.getOrDefault(backend, 0L), kernel.scratch()));
    }

    /** A result takes over its operand's place if nobody reads the operand afterwards. */
    private boolean mayTakeOver(Value operand, Value result, Slot from, Slot to, List<Slot> in) {
        boolean leaf = operand.node().op() instanceof Leaf;
        boolean committed =
                options.commitInPlace() && result.equals(graph.commits().get(operand));
        boolean readOnce = Collections.frequency(in, from) == 1;
        boolean dead = computed.containsAll(readers.of(operand)) && !readers.isLeft(operand) && from.stored == null;
        return readOnce && from.layout.bytes() == to.layout.bytes() && (leaf ? committed : dead);
    }

    // ---- places ----

    private List<Operand> operands(Task task, Backend backend) {
        List<Operand> operands = new ArrayList<>();
        for (Value v : task.inputs()) {
            operands.add(operand(v, backend));
        }
        return operands;
    }

    private Operand operand(Value v, Backend backend) {
        Layout plain = Layout.plain(v.type());
        List<Slot> known = slots.get(v);
        if (known == null) {
            Placement given = given(v);
            if (given != null) {
                return new Operand(v.type(), given.backend() == backend ? given.layout() : plain);
            }
            return new Operand(v.type(), Graph.leafOf(v).role() == Role.WEIGHT ? null : plain);
        }
        for (Slot s : known) {
            if (s.backend == backend) {
                return new Operand(v.type(), s.layout);
            }
        }
        return new Operand(v.type(), plain);
    }

    private @Nullable Placement given(Value leaf) {
        String name = Graph.leafOf(leaf).name();
        Placement stored = options.store() == null ? null : options.store().placement(name);
        Slot alike = leaves.get(alike(name));
        return stored == null && alike != null
                ? new Placement(alike.backend, alike.layout.as(leaf.type().dtype()))
                : stored;
    }

    private String alike(String leaf) {
        return options.alike().getOrDefault(leaf, "");
    }

    /** The value's place in that backend and layout, after a reorder or a copy if it must be. */
    private Slot find(Value v, Backend backend, Layout layout, String why) {
        List<Slot> known = listOf(slots, v);
        if (known.isEmpty()) {
            known.add(leafSlot(v, backend, layout));
        }
        Slot near = null;
        for (Slot s : known) {
            if (s.backend == backend && s.layout.equals(layout)) {
                return s;
            }
            near = s.backend == backend && near == null ? s : near;
        }
        if (near == null) {
            Layout plain = Layout.plain(v.type());
            Slot there = known.get(0);
            Slot far = find(v, there.backend, plain, why);
            near = move(v, far, backend, null, plain, "copy " + v + " from " + there.backend.name() + " " + why);
        }
        return near.layout.equals(layout)
                ? near
                : move(
                        v,
                        near,
                        backend,
                        backend.reorder(near.layout, layout),
                        layout,
                        "reorder " + v + " " + near.layout + " -> " + layout + " " + why);
    }

    private Slot move(Value v, Slot from, Backend backend, @Nullable Kernel kernel, Layout layout, String why) {
        Slot to = new Slot(backend, layout, steps.size());
        from.usedUntil(steps.size());
        if (kernel != null) {
            provideScratch(backend, kernel);
        }
        steps.add(new Step(backend, kernel, null, List.of(from), List.of(to), why));
        Objects.requireNonNull(slots.get(v)).add(to);
        return to;
    }

    /** Inputs, scalars and states lie plain, as the host writes them; a weight lies as its first reader wants it. */
    private Slot leafSlot(Value v, Backend backend, Layout wanted) {
        Leaf leaf = Graph.leafOf(v);
        Placement given = given(v);
        Slot slot = given != null
                ? new Slot(given.backend(), given.layout(), Slot.BEFORE)
                : new Slot(backend, leaf.role() == Role.WEIGHT ? wanted : Layout.plain(v.type()), Slot.BEFORE);
        slot.usedUntil(Slot.AFTER);
        if (leaf.role() == Role.WEIGHT || leaf.role() == Role.STATE || given != null) {
            slot.stored = leaf.name();
        }
        leaves.put(leaf.name(), slot);
        return slot;
    }

    // ---- what is left behind ----

    /** What the store is to hold goes there at once, so that nothing in the session's memory waits for the run's end. */
    private void store(Value v) {
        for (String name : stored.getOrDefault(v, List.of())) {
            String leaf = Objects.requireNonNull(options.like().get(name));
            if (leaves.containsKey(leaf) || leaves.containsKey(alike(leaf))) {
                store(name, v, leaf);
            }
        }
    }

    /** Outputs lie plain for the host to read, but for those that the store holds. */
    private void expose(String name, Value v) {
        String leaf = options.like().get(name);
        if (leaf == null) {
            Backend backend = slots.containsKey(v) ? slotsOf(v).get(0).backend : backends.first();
            Slot slot = find(v, backend, Layout.plain(v.type()), "for output " + name);
            slot.usedUntil(Slot.AFTER);
            outputs.put(name, slot);
        } else if (slots.getOrDefault(v, List.of()).stream().noneMatch(s -> name.equals(s.stored))) {
            store(name, v, leaf);
        }
    }

    /** An output of {@link Plan.Options#like} lies as its leaf does. */
    private void store(String name, Value v, String leaf) {
        Slot model =
                Objects.requireNonNull(leaves.containsKey(leaf) ? leaves.get(leaf) : leaves.get(alike(leaf)), leaf);
        Layout layout = model.layout.as(v.type().dtype());
        Slot slot = find(v, model.backend, layout, "as " + leaf + " lies");
        if (slot.root().stored != null || slot.root() != slot) {
            slot = move(v, slot, model.backend, model.backend.reorder(slot.layout, layout), layout, "copy " + v);
        }
        slot.stored = name;
    }

    /** A place for a leaf that nothing reads, too: its values are given all the same. */
    private void place(Value leaf) {
        List<Slot> known = listOf(slots, leaf);
        if (known.isEmpty()) {
            known.add(leafSlot(leaf, backends.first(), Layout.plain(leaf.type())));
        }
    }

    private void commit(Value leaf, Value v) {
        place(leaf);
        Slot to = slotsOf(leaf).get(0);
        Slot from =
                find(v, to.backend, to.layout, "to commit " + Graph.leafOf(leaf).name());
        from.usedUntil(Slot.AFTER);
        if (from.root() != to.root()) {
            Kernel kernel = to.backend.reorder(from.layout, to.layout);
            provideScratch(to.backend, kernel);
            commits.add(new Step(
                    to.backend,
                    kernel,
                    null,
                    List.of(from),
                    List.of(to),
                    "commit " + Graph.leafOf(leaf).name()));
        }
    }

    private List<Slot> slotsOf(Value v) {
        return Objects.requireNonNull(slots.get(v));
    }

    /** A session's scratch memory, as a kernel is given it. */
    static Region scratch(Memory memory, long bytes) {
        return new Region(memory, 0, Layout.plain(Type.f32(Math.toIntExact((bytes + 3) / 4))));
    }
}
