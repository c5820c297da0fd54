package dev.hadal.model;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Value;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;

/**
 * Trades time for memory: some of what the forward pass computes is forgotten after its last reader there, and computed
 * again for the backward pass, by the same ops from what was kept. Every value comes out the same, bit for bit: dropout
 * draws by layer and run, and only the first computation commits running statistics.
 *
 * <p>Nothing is computed more than twice. {@link Cuts} says what must be kept; with what memory is then left, further
 * values are kept, first those with the most work per byte.
 */
public final class Recompute {
    /** Each limit that is tried is so many times the next. */
    private static final double RATIO = 1.2;

    private final Tape tape;
    private final List<BitSet> cut = new ArrayList<>();

    /**
     * @param gradients forward and backward, the whole of the one before the other
     * @param seed the leaf with which the backward pass begins
     */
    public Recompute(Graph gradients, Value seed) {
        tape = new Tape(gradients, seed);
        Cuts cuts = new Cuts(tape);
        BitSet last = new BitSet();
        for (double limit = cuts.written(); limit >= 1; limit /= RATIO) {
            BitSet kept = cuts.kept((long) limit);
            if (!kept.equals(last)) {
                cut.add(kept);
                last = kept;
            }
        }
    }

    /** About how many bytes a run takes that keeps everything. */
    public long bytes() {
        return tape.cost(everything()).bytes();
    }

    /** About how many bytes a run takes at least. */
    public long leastBytes() {
        return tape.cost(least()).bytes();
    }

    /** The graph that takes about so many bytes, and the least time; if there is none, that which takes the least bytes. */
    public Graph within(long bytes) {
        BitSet chosen = least();
        long least = Long.MAX_VALUE;
        for (BitSet kept : cut) {
            if (tape.cost(kept).bytes() <= bytes) {
                BitSet filled = filled(kept, bytes);
                long again = tape.cost(filled).again();
                if (again < least) {
                    least = again;
                    chosen = filled;
                }
            }
        }
        return tape.graph(chosen);
    }

    private BitSet everything() {
        BitSet all = new BitSet();
        all.set(0, tape.values());
        return all;
    }

    private BitSet least() {
        return cut.stream()
                .min(Comparator.comparingLong(kept -> tape.cost(kept).bytes()))
                .orElseGet(this::everything);
    }

    /** As many more values as fit, the most work per byte first. */
    private BitSet filled(BitSet kept, long bytes) {
        List<Integer> more = new ArrayList<>();
        for (int v = kept.nextClearBit(0); v < tape.values(); v = kept.nextClearBit(v + 1)) {
            if (!tape.passing(v)) {
                more.add(v);
            }
        }
        long[] work = tape.workFor();
        more.sort(Comparator.comparingDouble(v -> -(double) work[v] / Math.max(1, tape.bytes(v))));
        int fit = 0;
        int over = more.size() + 1;
        while (over - fit > 1) {
            int n = (fit + over) / 2;
            boolean fits = tape.cost(with(kept, more.subList(0, n))).bytes() <= bytes;
            fit = fits ? n : fit;
            over = fits ? over : n;
        }
        return with(kept, more.subList(0, fit));
    }

    private static BitSet with(BitSet kept, List<Integer> more) {
        BitSet both = (BitSet) kept.clone();
        more.forEach(both::set);
        return both;
    }
}
