package dev.hadal.run;

import dev.hadal.backend.Backend;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Lays the slots of a plan into one block per pool, so that slots share bytes unless they live at the same time: the
 * largest first, each at the lowest offset that is free throughout its life (greedy by size, Pisarchyk and Lee 2020).
 */
final class SlabLayout {
    /** A cache line, and the alignment that native kernels want. */
    static final int ALIGNMENT = 64;

    /** One block of a backend's memory. */
    record Pool(Backend backend, String name) {
        // Written out for a fast start, as dev.hadal.graph.Value's.
        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof Pool p && p.backend.equals(backend) && p.name.equals(name);
        }

        @Override
        public int hashCode() {
            return 31 * backend.hashCode() + name.hashCode();
        }
    }

    private static final Comparator<Slot> LARGEST_FIRST = new Comparator<>() {
        @Override
        public int compare(Slot a, Slot b) {
            return Long.compare(b.layout.bytes(), a.layout.bytes());
        }
    };
    private static final Comparator<Slot> BY_OFFSET = new Comparator<>() {
        @Override
        public int compare(Slot a, Slot b) {
            return Long.compare(a.offset(), b.offset());
        }
    };

    private final Map<Pool, Long> bytes = new LinkedHashMap<>();

    SlabLayout(Collection<Slot> slots) {
        Map<Pool, List<Slot>> pools = new LinkedHashMap<>();
        for (Slot s : slots) {
            if (s.root() == s && s.stored == null) {
                Pool pool = new Pool(s.backend, s.pool());
                pools.putIfAbsent(pool, new ArrayList<>());
                Objects.requireNonNull(pools.get(pool)).add(s);
            }
        }
        for (Map.Entry<Pool, List<Slot>> pool : pools.entrySet()) {
            bytes.put(pool.getKey(), layOut(pool.getValue()));
        }
    }

    /** The blocks and their sizes. */
    Map<Pool, Long> bytes() {
        return bytes;
    }

    private static long layOut(List<Slot> slots) {
        List<Slot> largestFirst = new ArrayList<>(slots);
        largestFirst.sort(LARGEST_FIRST);
        List<Slot> placed = new ArrayList<>();
        long end = 0;
        for (Slot s : largestFirst) {
            long at = lowestGap(s, placed);
            s.place(at);
            end = Math.max(end, at + aligned(s.layout.bytes()));
            placed.add(s);
            placed.sort(BY_OFFSET);
        }
        return end;
    }

    /** @param placed by offset */
    private static long lowestGap(Slot s, List<Slot> placed) {
        long at = 0;
        for (Slot p : placed) {
            if (p.overlaps(s)) {
                if (at + aligned(s.layout.bytes()) <= p.offset()) {
                    return at;
                }
                at = Math.max(at, p.offset() + aligned(p.layout.bytes()));
            }
        }
        return at;
    }

    static long aligned(long bytes) {
        return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
}
