package dev.hadal.model;

import java.util.ArrayDeque;
import java.util.BitSet;
import java.util.Deque;

/**
 * Cuts the forward pass into segments, to keep only what crosses from one into a later one. Among all ways in which no
 * segment computes more than so many bytes, that with the least bytes at its cuts is found:
 *
 * <pre>
 *   best(p) = crossing(p) + min { best(q) : q < p, written(q, p) ≤ limit }
 * </pre>
 *
 * where crossing(p) are the bytes of the values that nodes up to p compute and later ones need, and written(q, p) those
 * that the nodes between compute. For a chain of n equal layers and a limit of √n of them, these are the segments of
 * Chen, Xu, Zhang and Guestrin 2016.
 */
final class Cuts {
    private final Tape tape;
    private final int[] lastNeeded;
    /** Before each node: the bytes that cross there, and those that have been written. */
    private final long[] crossing;

    private final long[] written;

    Cuts(Tape tape) {
        this.tape = tape;
        lastNeeded = tape.lastNeeded();
        crossing = new long[tape.forward() + 1];
        written = new long[tape.forward() + 1];
        BitSet fixed = tape.fixed();
        for (int v = 0; v < tape.values(); v++) {
            if (!fixed.get(v) && !tape.passing(v)) {
                int from = tape.producer(v) + 1;
                written[from] += tape.bytes(v);
                if (lastNeeded[v] >= from) {
                    crossing[from] += tape.bytes(v);
                    crossing[lastNeeded[v] + 1] -= tape.bytes(v);
                }
            }
        }
        for (int p = 1; p <= tape.forward(); p++) {
            crossing[p] += crossing[p - 1];
            written[p] += written[p - 1];
        }
    }

    /** The bytes that the forward pass writes and that somebody reads again. */
    long written() {
        return written[tape.forward()];
    }

    /** What to keep so that no segment writes more than so many bytes, but for one of a single node. */
    BitSet kept(long limit) {
        int end = tape.forward();
        long[] best = new long[end + 1];
        int[] before = new int[end + 1];
        Deque<Integer> window = new ArrayDeque<>(); // cuts that are near enough, the cheapest first
        for (int p = 1; p <= end; p++) {
            while (!window.isEmpty() && best[window.getLast()] >= best[p - 1]) {
                window.removeLast();
            }
            window.addLast(p - 1);
            while (window.getFirst() < p - 1 && written[p] - written[window.getFirst()] > limit) {
                window.removeFirst();
            }
            before[p] = window.getFirst();
            best[p] = best[before[p]] + crossing[p];
        }
        BitSet cuts = new BitSet();
        for (int p = before[end]; p > 0; p = before[p]) {
            cuts.set(p);
        }
        return across(cuts);
    }

    /** What crosses a cut; and all that is computed after the last one, since it is read again at once. */
    private BitSet across(BitSet cuts) {
        BitSet kept = tape.fixed();
        for (int v = 0; v < tape.values(); v++) {
            int next = cuts.nextSetBit(tape.producer(v) + 1);
            if (!tape.passing(v) && (next < 0 || next <= lastNeeded[v])) {
                kept.set(v);
            }
        }
        return kept;
    }
}
