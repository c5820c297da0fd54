package dev.hadal.run;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Memory;
import dev.hadal.backend.Region;
import dev.hadal.graph.Type;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The memory of values that outlive a run: weights, gradients, moments, state. What belongs to one group lies in one
 * contiguous block, so that whatever treats a group alike passes over it once, as one flat value. Padding is zero.
 */
public final class Store implements AutoCloseable {
    /** In elements: a cache line of bf16. */
    private static final int ALIGNMENT = 32;

    /** Where a value lies, and in which layout: what a plan needs to know of it before there is any memory. */
    public record Placement(Backend backend, Layout layout) {
        /** Where values of another type lie in the same order. */
        public Placement as(DType dtype) {
            return new Placement(backend, layout.as(dtype));
        }
    }

    private record Entry(Placement placement, Region region) {}

    private final Map<String, Entry> entries = new LinkedHashMap<>();
    private final List<Memory> blocks = new ArrayList<>();
    private final Set<String> groups = new HashSet<>();
    private boolean closed;

    /** A store for what the plan reads, laid out as the plan wants it, with these values by name. */
    public static Store of(Plan plan, Map<String, Tensor> values) {
        return of(plan, values, List.of());
    }

    /**
     * The same, but for what lies as wanted in another store already, which is shared: that store must stay open as long
     * as this one.
     */
    static Store of(Plan plan, Map<String, Tensor> values, List<Store> known) {
        Store store = new Store();
        Map<String, Map<String, Placement>> groups = new LinkedHashMap<>();
        Map<String, Placement> stored = plan.stored();
        for (Map.Entry<String, Placement> e : stored.entrySet()) {
            Placement placement = e.getValue();
            if (store.share(e.getKey(), placement, known)) {
                continue;
            }
            DType dtype = placement.layout().type().dtype();
            String group = "weights/" + placement.backend().name() + "/" + dtype;
            groups.putIfAbsent(group, new LinkedHashMap<>());
            Objects.requireNonNull(groups.get(group)).put(e.getKey(), placement);
        }
        try {
            for (Map.Entry<String, Map<String, Placement>> group : groups.entrySet()) {
                store.add(group.getKey(), group.getValue());
            }
            for (Map<String, Placement> own : groups.values()) {
                for (String name : own.keySet()) {
                    store.write(name, Objects.requireNonNull(values.get(name)));
                }
            }
        } catch (RuntimeException | Error e) {
            store.close();
            throw e;
        }
        return store;
    }

    /** Whether it holds anything that it does not share. */
    boolean ownsMemory() {
        return !blocks.isEmpty();
    }

    private boolean share(String name, Placement placement, List<Store> known) {
        for (Store other : known) {
            Entry theirs = other.entries.get(name);
            if (theirs != null && theirs.placement.equals(placement)) {
                put(name, placement, theirs.region);
                return true;
            }
        }
        return false;
    }

    /**
     * Adds a group: a block, cleared to zero, that holds one value after another.
     *
     * @param group the name of the block itself, as one flat value: bf16 if the first is, else f32
     * @param values the placement of each value by name; all of one backend and one pool
     * @return the type of the flat value
     */
    public Type add(String group, Map<String, Placement> values) {
        checkOpen();
        Placement first = values.values().iterator().next();
        String pool = first.backend().pool(first.layout().type().dtype());
        long bytes = 0;
        for (Placement p : values.values()) {
            bytes += aligned(p.layout());
        }
        Memory block = first.backend().allocate(pool, bytes);
        blocks.add(block);
        block.clear();
        long offset = 0;
        for (Map.Entry<String, Placement> e : values.entrySet()) {
            put(e.getKey(), e.getValue(), new Region(block, offset, e.getValue().layout()));
            offset += aligned(e.getValue().layout());
        }
        DType dtype = first.layout().type().dtype() == DType.BF16 ? DType.BF16 : DType.F32;
        Type flat = new Type(dtype, Shape.of(Math.toIntExact(bytes / dtype.bytes())));
        groups.add(group);
        put(group, new Placement(first.backend(), Layout.plain(flat)), new Region(block, 0, Layout.plain(flat)));
        return flat;
    }

    /** So many elements whatever their type, that groups of values that lie alike do so as blocks, too. */
    private static long aligned(Layout layout) {
        int size = layout.type().dtype().bytes();
        return (layout.bytes() / size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT * size;
    }

    private void put(String name, Placement placement, Region region) {
        if (entries.putIfAbsent(name, new Entry(placement, region)) != null) {
            throw new IllegalArgumentException("the store already holds '" + name + "'");
        }
    }

    /** The names of the values, those of groups excepted. */
    public List<String> names() {
        return entries.keySet().stream().filter(name -> !groups.contains(name)).toList();
    }

    /** The type of a value, or of a whole group. */
    public Type type(String name) {
        return entry(name).placement.layout().type();
    }

    @Nullable
    Placement placement(String name) {
        Entry entry = entries.get(name);
        return entry == null ? null : entry.placement;
    }

    Region region(String name) {
        checkOpen();
        return entry(name).region;
    }

    private Entry entry(String name) {
        Entry entry = entries.get(name);
        if (entry == null) {
            throw new IllegalArgumentException("the store holds no '" + name + "', only " + entries.keySet());
        }
        return entry;
    }

    /** Sets a value from the host. */
    public void write(String name, Tensor value) {
        checkOpen();
        Placement placement = entry(name).placement;
        Layout plain = Layout.plain(new Type(value.dtype(), value.shape()));
        if (!plain.type().equals(placement.layout().type())) {
            throw new IllegalArgumentException(
                    "'" + name + "' is " + placement.layout().type() + ", not " + plain.type());
        }
        if (placement.layout().equals(plain)) {
            Host.write(region(name), value);
            return;
        }
        try (Memory staging = staging(placement.backend(), plain)) {
            Region from = new Region(staging, 0, plain);
            Host.write(from, value);
            reorder(placement.backend(), from, region(name));
        }
    }

    /** A value as the host sees it: row-major, without padding. */
    public Tensor read(String name) {
        checkOpen();
        Placement placement = entry(name).placement;
        Layout plain = Layout.plain(placement.layout().type());
        if (placement.layout().equals(plain)) {
            return Host.read(region(name));
        }
        try (Memory staging = staging(placement.backend(), plain)) {
            Region to = new Region(staging, 0, plain);
            reorder(placement.backend(), region(name), to);
            return Host.read(to);
        }
    }

    /** Sets every value of a group to zero. */
    public void clear(String group) {
        Memory block = region(group).memory();
        block.clear();
    }

    private static Memory staging(Backend backend, Layout layout) {
        return backend.allocate(backend.pool(layout.type().dtype()), SlabLayout.aligned(layout.bytes()));
    }

    private static void reorder(Backend backend, Region from, Region to) {
        try (Kernel kernel = backend.reorder(from.layout(), to.layout());
                Memory scratch = backend.allocate(
                        backend.pool(from.layout().type().dtype()), SlabLayout.aligned(kernel.scratch()));
                Kernel.Bound bound =
                        kernel.bind(List.of(from), List.of(to), Compilation.scratch(scratch, kernel.scratch()))) {
            bound.run();
        }
    }

    private void checkOpen() {
        if (closed) {
            throw new IllegalStateException("the weights have been freed: their owner is closed");
        }
    }

    /** Frees the memory; closing twice does no harm. No session may run meanwhile or afterwards. */
    @Override
    public void close() {
        closed = true;
        for (Memory block : blocks) {
            block.close();
        }
    }
}
