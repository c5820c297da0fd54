package dev.hadal.onednn;

import dev.hadal.backend.Kernel;
import dev.hadal.onednn.natives.HadalNative;
import dev.hadal.onednn.natives.HadalNative.StepList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.LongFunction;
import org.bytedeco.javacpp.Pointer;
import org.jspecify.annotations.Nullable;

/**
 * Bound kernels as one list of libhadal: a run is one native call, however many kernels there are. Each kernel records
 * the calls that it consists of, with all their arguments, once.
 */
final class Steps implements Kernel.Sequence {

    /** A bound kernel that consists of native calls alone. */
    interface Recorded extends Kernel.Bound {

        /** Appends those calls, and names what they need. */
        void record(Steps steps);
    }

    private final Handle<StepList> list;
    private final int threads;
    /** Where the calls of each kernel end. */
    private final int[] ends;

    private final Map<Long, LongFunction<RuntimeException>> faults = new HashMap<>();
    private final Set<Life> needed = new LinkedHashSet<>();
    private final Life[] needs;

    /**
     * Records what these kernels do.
     *
     * @param threads how many a run may use; 0 leaves that as it is
     */
    Steps(List<? extends Recorded> kernels, int threads) {
        StepList created = HadalNative.create();
        if (created == null) {
            throw new OutOfMemoryError("no native memory for a list of steps");
        }
        this.list = Handle.of(created, HadalNative::destroy);
        this.threads = threads;
        this.ends = new int[kernels.size()];
        try {
            for (int i = 0; i < ends.length; i++) {
                kernels.get(i).record(this);
                ends[i] = count();
            }
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
        this.needs = needed.toArray(Life[]::new);
    }

    private int count() {
        int count = Math.toIntExact(HadalNative.count(list.get()));
        if (count < 0) {
            throw new OutOfMemoryError("no native memory for a list of steps");
        }
        return count;
    }

    // ---- recording ----

    /** The list that a kernel appends its calls to. */
    StepList list() {
        return list.get();
    }

    /** A run reads or writes this; while recorded, it must not go before the list. */
    void needs(Life life) {
        needed.add(life);
    }

    /** What to throw if the call appended last finds a fault. */
    void onFault(LongFunction<RuntimeException> thrown) {
        faults.put(count() - 1L, thrown);
    }

    /** Copies a value, unless it is there already. */
    void copy(Pointer from, Pointer to, long bytes) {
        if (from.address() != to.address()) {
            HadalNative.memcpy(list(), to, from, bytes);
        }
    }

    // ---- running ----

    @Override
    public void run() {
        run(list.get(), null);
    }

    @Override
    public void run(long[] nanos) {
        Objects.checkFromIndexSize(0, ends.length, nanos.length);
        long[] each = new long[ends.length == 0 ? 0 : ends[ends.length - 1]];
        run(list.get(), each);
        for (int i = 0, call = 0; i < ends.length; i++) {
            nanos[i] = 0;
            for (; call < ends[i]; call++) {
                nanos[i] += each[call];
            }
        }
    }

    private void run(StepList steps, long @Nullable [] nanos) {
        for (Life life : needs) {
            life.checkOpen();
        }
        long stopped = HadalNative.run(steps, threads, nanos);
        if (stopped >= 0) {
            throw Objects.requireNonNull(faults.get(stopped)).apply(HadalNative.fault(steps));
        }
    }

    @Override
    public void close() {
        list.close();
    }
}
