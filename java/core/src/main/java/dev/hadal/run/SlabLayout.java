package dev.hadal.run;

import dev.hadal.backend.Backend;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Lays the slots of a plan into one block per pool, so that slots share bytes unless they live at the same time: the
 * largest first, each at the lowest offset that is free throughout its life (greedy by size, Pisarchyk and Lee 2020).
 */
final class SlabLayout {
    /** A cache line, and the alignment that native kernels want. */
    static final int ALIGNMENT = 64;

    /** One block of a backend's memory. */
    record Pool(Backend backend, String name) {}

    private final Map<Pool, Long> bytes = new LinkedHashMap<>();

    SlabLayout(Collection<Slot> slots) {
        Map<Pool, List<Slot>> pools = new LinkedHashMap<>();
        for (Slot s : slots) {
            if (s.root() == s && s.stored == null) {
                pools.computeIfAbsent(new Pool(s.backend, s.pool()), p -> new ArrayList<>())
                        .add(s);
            }
        }
        pools.forEach((pool, members) -> bytes.put(pool, layOut(members)));
    }

    /** The blocks and their sizes. */
    Map<Pool, Long> bytes() {
        return bytes;
    }

    private static long layOut(List<Slot> slots) {
        List<Slot> largestFirst = new ArrayList<>(slots);
        largestFirst.sort(Comparator.comparingLong((Slot s) -> s.layout.bytes()).reversed());
        List<Slot> placed = new ArrayList<>();
        long end = 0;
        for (Slot s : largestFirst) {
            long at = lowestGap(s, placed);
            s.place(at);
            end = Math.max(end, at + aligned(s.layout.bytes()));
            placed.add(s);
            placed.sort(Comparator.comparingLong(Slot::offset));
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
