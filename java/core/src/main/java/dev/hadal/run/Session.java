package dev.hadal.run;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Kernel;
import dev.hadal.backend.Memory;
import dev.hadal.backend.Region;
import dev.hadal.graph.Type;
import dev.hadal.tensor.Bf16;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The private memory of one run at a time. A session is not for two threads at once: the second gets an
 * {@link IllegalStateException}, and nothing is harmed.
 */
public final class Session implements AutoCloseable {
    private final Plan plan;
    private final Store store;
    private final Map<SlabLayout.Pool, Memory> slabs = new HashMap<>();
    private final Map<Backend, Memory> scratch = new HashMap<>();
    private final List<Kernel.Bound> bound = new ArrayList<>();
    private final Map<String, Region> leaves = new HashMap<>();
    private final Map<String, Region> outputs = new HashMap<>();
    private final Segments run;
    private final Segments commit;
    private final AtomicBoolean busy = new AtomicBoolean();
    private boolean freed;

    Session(Plan plan, Store store) {
        this.plan = plan;
        this.store = store;
        try {
            allocate();
            regions(plan.leaves, leaves);
            regions(plan.outputs, outputs);
            run = bind(plan.steps);
            commit = bind(plan.commits);
        } catch (RuntimeException | Error e) {
            free();
            throw e;
        }
    }

    private void allocate() {
        for (Map.Entry<SlabLayout.Pool, Long> e : plan.slabs.entrySet()) {
            SlabLayout.Pool pool = e.getKey();
            slabs.put(pool, pool.backend().allocate(pool.name(), e.getValue()));
        }
        for (Map.Entry<Backend, Long> e : plan.scratch.entrySet()) {
            Backend backend = e.getKey();
            long bytes = SlabLayout.aligned(e.getValue());
            scratch.put(backend, backend.allocate(backend.pool(DType.F32), bytes));
        }
    }

    private void regions(Map<String, Slot> from, Map<String, Region> to) {
        for (Map.Entry<String, Slot> e : from.entrySet()) {
            to.put(e.getKey(), region(e.getValue()));
        }
    }

    // ---- binding ----

    /** Binds each step to its memory; the steps of one backend that follow each other become one. */
    private Segments bind(List<Step> steps) {
        Segments segments = new Segments();
        for (int i = 0; i < steps.size(); ) {
            Backend backend = steps.get(i).backend();
            List<Kernel.Bound> segment = new ArrayList<>();
            if (steps.get(i).kernel() == null) {
                segments.add(Kernel.Sequence.of(List.of(copy(steps.get(i++)))), 1);
                continue;
            }
            for (;
                    i < steps.size()
                            && steps.get(i).backend() == backend
                            && steps.get(i).kernel() != null;
                    i++) {
                Kernel.Bound b = bind(steps.get(i));
                bound.add(b);
                segment.add(b);
            }
            Kernel.Sequence sequence = backend.sequence(segment, plan.threads);
            bound.add(sequence);
            segments.add(sequence, segment.size());
        }
        return segments;
    }

    private Kernel.Bound bind(Step step) {
        Memory memory = Objects.requireNonNull(scratch.get(step.backend()));
        return Objects.requireNonNull(step.kernel())
                .bind(regions(step.inputs()), regions(step.outputs()), Compilation.scratch(memory, memory.bytes()));
    }

    /** A copy between two backends, through an array that is allocated once. */
    private Kernel.Bound copy(Step step) {
        Region from = region(step.inputs().get(0));
        Region to = region(step.outputs().get(0));
        Type type = from.layout().type();
        Tensor host = Tensor.zeros(type.dtype(), type.shape());
        return () -> {
            Host.read(from, host, 0);
            Host.write(to, host);
        };
    }

    private List<Region> regions(List<Slot> slots) {
        List<Region> regions = new ArrayList<>();
        for (Slot slot : slots) {
            regions.add(region(slot));
        }
        return regions;
    }

    private Region region(Slot slot) {
        Slot root = slot.root();
        if (root.stored != null) {
            Region stored = store.region(root.stored);
            return slot == root ? stored : new Region(stored.memory(), stored.offset(), slot.layout);
        }
        Memory slab = Objects.requireNonNull(slabs.get(new SlabLayout.Pool(root.backend, root.pool())));
        return new Region(slab, slot.offset(), slot.layout);
    }

    // ---- use ----

    /**
     * Sets an input or a run-time scalar.
     *
     * @param values as many as the leaf's type takes, from the beginning of the array
     * @throws IllegalArgumentException if the array is too short, or the leaf is not f32
     */
    public void write(String leaf, float[] values) {
        Region to = checked(leaves, leaf, DType.F32, values.length);
        enter();
        try {
            to.memory().write(to.offset(), values, 0, to.layout().type().shape().size());
        } finally {
            exit();
        }
    }

    /** The same for an i32 leaf. */
    public void write(String leaf, int[] values) {
        Region to = checked(leaves, leaf, DType.I32, values.length);
        enter();
        try {
            to.memory().write(to.offset(), values, 0, to.layout().type().shape().size());
        } finally {
            exit();
        }
    }

    /** Sets an input or a run-time scalar, of the leaf's own type. */
    public void write(String leaf, Tensor value) {
        write(leaf, value, 0);
    }

    /**
     * Sets an input to some of a tensor's rows.
     *
     * @param from the first row; as many follow as the leaf has
     */
    public void write(String leaf, Tensor rows, int from) {
        Region to = known(leaves, leaf);
        Type type = to.layout().type();
        int row = rows.shape().sizeFrom(1);
        int size = type.shape().size();
        if (type.dtype() != rows.dtype()
                || (long) from * row + size > rows.shape().size()) {
            throw new IllegalArgumentException(
                    "'" + leaf + "' is " + type + ", which cannot be taken from row " + from + " of " + rows);
        }
        enter();
        try {
            Host.write(to, rows, from * row);
        } finally {
            exit();
        }
    }

    /** Whether the plan has a leaf of that name. */
    public boolean has(String leaf) {
        return leaves.containsKey(leaf);
    }

    /** Copies an output of the last run to some of a tensor's rows. */
    public void read(String output, Tensor rows, int to) {
        Region from = known(outputs, output);
        Type type = from.layout().type();
        int row = rows.shape().sizeFrom(1);
        int size = type.shape().size();
        if (type.dtype() != rows.dtype()
                || (long) to * row + size > rows.shape().size()) {
            throw new IllegalArgumentException(
                    "'" + output + "' is " + type + ", which does not fit at row " + to + " of " + rows);
        }
        enter();
        try {
            Host.read(from, rows, to * row);
        } finally {
            exit();
        }
    }

    /** An output of the last run. */
    public Tensor read(String output) {
        Region from = known(outputs, output);
        enter();
        try {
            return Host.read(from);
        } finally {
            exit();
        }
    }

    /** Copies an output of the last run into an array that is at least as long. */
    public void read(String output, float[] into) {
        Region from = checked(outputs, output, DType.F32, into.length);
        enter();
        try {
            from.memory()
                    .read(from.offset(), into, 0, from.layout().type().shape().size());
        } finally {
            exit();
        }
    }

    private static Region known(Map<String, Region> regions, String name) {
        Region region = regions.get(name);
        if (region == null) {
            throw new IllegalArgumentException("the plan has no '" + name + "', only " + regions.keySet());
        }
        return region;
    }

    private static Region checked(Map<String, Region> regions, String name, DType dtype, int length) {
        Region region = known(regions, name);
        Type type = region.layout().type();
        if (type.dtype() != dtype || length < type.shape().size()) {
            throw new IllegalArgumentException(
                    "'" + name + "' is " + type + ", but the array has " + length + " values of " + dtype);
        }
        return region;
    }

    /**
     * Computes every output from what has been written.
     *
     * @throws IndexOutOfBoundsException if an index that was written, such as a token, names nothing; the message begins
     *     with the path of the layer
     */
    public void run() {
        run(null);
    }

    /**
     * Runs like {@link #run()}, so often, and takes the time of each step. A plan that updates weights updates them at
     * each run.
     */
    public Profile profile(int runs) {
        if (runs < 1) {
            throw new IllegalArgumentException("a profile takes at least one run, not " + runs);
        }
        List<Step> steps = plan.steps;
        long[][] nanos = new long[runs][steps.size()];
        for (long[] each : nanos) {
            run(each);
        }
        return new Profile(IntStream.range(0, steps.size())
                .mapToObj(i -> new Profile.Timing(
                        steps.get(i).what().strip(), steps.get(i).how(), median(nanos, i)))
                .toList());
    }

    private static long median(long[][] nanos, int step) {
        long[] sorted =
                Arrays.stream(nanos).mapToLong(each -> each[step]).sorted().toArray();
        return sorted[sorted.length / 2];
    }

    /** With a clock where nanos is not null. */
    private void run(long @Nullable [] nanos) {
        enter();
        try {
            if (nanos == null) {
                run.run();
            } else {
                run.run(nanos);
            }
        } catch (IndexOutOfBoundsException e) {
            throw located(e);
        } finally {
            exit();
        }
    }

    /** The same error with its layer's path, found by running the steps one by one up to the one that fails. */
    private IndexOutOfBoundsException located(IndexOutOfBoundsException e) {
        String path = "";
        try {
            for (Step step : plan.steps) {
                path = step.task() == null ? "" : step.task().path();
                runAlone(step);
            }
        } catch (IndexOutOfBoundsException again) {
            if (!path.isEmpty()) {
                IndexOutOfBoundsException told =
                        new IndexOutOfBoundsException("layer " + path + ": " + again.getMessage());
                told.initCause(e);
                return told;
            }
        }
        return e;
    }

    /**
     * A value that is NaN or infinite.
     *
     * @param what the leaf or the node
     * @param path the path of its layer; empty outside any layer
     * @param value the first of its values that is not finite
     */
    public record NonFinite(String what, String path, float value) {}

    /**
     * Runs like {@link #run()}, but looks at each value as it is computed: slowly, to find where a NaN or an infinity
     * arises.
     *
     * @return the first value that is not finite, in order of execution, after which the run was left; empty if all were
     *     finite, and the run is complete
     */
    public Optional<NonFinite> runChecked() {
        enter();
        try {
            for (Map.Entry<String, Region> leaf : leaves.entrySet()) {
                Optional<NonFinite> bad = nonFinite(leaf.getKey(), "", leaf.getValue());
                if (bad.isPresent()) {
                    return bad;
                }
            }
            for (Step step : plan.steps) {
                runAlone(step);
                for (Slot slot : step.outputs()) {
                    Task task = step.task();
                    Optional<NonFinite> bad =
                            task == null ? Optional.empty() : nonFinite(task.toString(), task.path(), region(slot));
                    if (bad.isPresent()) {
                        return bad;
                    }
                }
            }
            return Optional.empty();
        } finally {
            exit();
        }
    }

    private void runAlone(Step step) {
        if (step.kernel() == null) {
            copy(step).run();
            return;
        }
        try (Kernel.Bound one = bind(step);
                Kernel.Bound sequence = step.backend().sequence(List.of(one), plan.threads)) {
            sequence.run();
        }
    }

    /** Looks at the memory as it is: padding is zero, and so finite. */
    private static Optional<NonFinite> nonFinite(String what, String path, Region region) {
        for (float v : asItLies(region)) {
            if (!Float.isFinite(v)) {
                return Optional.of(new NonFinite(what, path, v));
            }
        }
        return Optional.empty();
    }

    /** Nothing of integers. */
    private static float[] asItLies(Region region) {
        DType dtype = region.layout().type().dtype();
        int count = Math.toIntExact(region.layout().bytes() / dtype.bytes());
        float[] values = new float[dtype == DType.I32 || dtype.isByte() ? 0 : count];
        if (dtype == DType.F32) {
            region.memory().read(region.offset(), values, 0, count);
        } else if (dtype == DType.BF16) {
            short[] bits = new short[count];
            region.memory().read(region.offset(), bits, 0, count);
            Bf16.widen(count, bits, 0, values, 0);
        }
        return values;
    }

    /** Replaces the state by what the last run computed for it. */
    public void commit() {
        exclusively(commit);
    }

    private void exclusively(Kernel.Bound body) {
        enter();
        try {
            body.run();
        } finally {
            exit();
        }
    }

    private void enter() {
        plan.enter();
        if (freed || !busy.compareAndSet(false, true)) {
            plan.exit();
            throw new IllegalStateException(
                    freed
                            ? "the session is closed"
                            : "the session is in use by another thread; give each thread a session of its own");
        }
    }

    private void exit() {
        busy.set(false);
        plan.exit();
    }

    /** Frees the session's memory. */
    @Override
    public void close() {
        synchronized (plan) {
            if (busy.get()) {
                throw new IllegalStateException("the session is running in another thread");
            }
            plan.forget(this);
            free();
        }
    }

    private static void closeAll(Collection<Memory> blocks) {
        for (Memory block : blocks) {
            block.close();
        }
    }

    /** Called when no run is under way. */
    void free() {
        if (!freed) {
            freed = true;
            for (Kernel.Bound kernel : bound) {
                kernel.close();
            }
            closeAll(slabs.values());
            closeAll(scratch.values());
        }
    }
}
