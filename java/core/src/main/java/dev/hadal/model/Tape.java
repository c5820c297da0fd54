package dev.hadal.model;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Node;
import dev.hadal.graph.Value;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;

/**
 * A gradient graph as numbers, for {@link Recompute}: nodes count in execution order, values node by node. It tells what
 * a choice of kept values comes to: the order in which nodes then run, the memory and the work, and the graph itself.
 */
final class Tape {
    /** Memory that a session takes in full lines. */
    private static final int LINE = 64;
    /** Bytes that one core moves while it sums up one product of a matrix multiplication: about a fifth of one. */
    private static final int PRODUCTS_PER_BYTE = 5;

    private final Graph graph;
    private final List<Node> nodes;
    /** The first node of the backward pass. */
    private final int backward;

    private final int[] firstValue;
    private final int[][] inputs;
    private final int[] producer;
    private final long[] bytes;
    private final long[] work;
    private final BitSet lasting = new BitSet();
    private final BitSet passing = new BitSet();
    /** The first node of each forward node's unit, and for that one the last. */
    private final int[] unit;

    private final int[] unitEnd;
    private final long inputBytes;

    /** @param seed the leaf with which the backward pass begins */
    Tape(Graph graph, Value seed) {
        this.graph = graph;
        nodes = graph.nodes();
        backward = seed.node().id();
        firstValue = new int[nodes.size() + 1];
        for (Node n : nodes) {
            firstValue[n.id() + 1] = firstValue[n.id()] + n.types().size();
        }
        int values = firstValue[nodes.size()];
        producer = new int[values];
        bytes = new long[values];
        inputs = new int[nodes.size()][];
        work = new long[nodes.size()];
        int[] reads = new int[values];
        for (Node n : nodes) {
            inputs[n.id()] = n.inputs().stream().mapToInt(this::index).toArray();
            work[n.id()] = work(n);
            for (int v : inputs[n.id()]) {
                reads[v]++;
                passing.set(v, reads[v] == 1 && n.id() < backward);
            }
            for (Value v : n.outputs()) {
                producer[index(v)] = n.id();
                bytes[index(v)] = leaf(n.id()) ? 0 : lines(v);
            }
        }
        graph.outputs().values().forEach(this::lasts);
        graph.commits().values().forEach(this::lasts);
        unit = IntStream.range(0, backward).toArray();
        unitEnd = unit.clone();
        findUnits();
        inputBytes = nodes.stream()
                .filter(n -> n.op() instanceof Leaf l && (l.role() == Role.INPUT || l.role() == Role.SCALAR))
                .mapToLong(n -> lines(n.output(0)))
                .sum();
    }

    private int index(Value v) {
        return firstValue[v.node().id()] + v.index();
    }

    private static long lines(Value v) {
        return (v.type().bytes() + LINE - 1) / LINE * LINE;
    }

    /** Weights' gradients, which are the outputs of the backward pass, lie in the store. */
    private void lasts(Value v) {
        lasting.set(index(v));
        passing.clear(index(v));
        if (v.node().id() >= backward) {
            bytes[index(v)] = 0;
        }
    }

    private boolean leaf(int node) {
        return nodes.get(node).op() instanceof Leaf;
    }

    /**
     * A unit is computed again as a whole: nodes that a plan may run as one, and then must so both times, since one kernel
     * may round otherwise than two. They are those that hand a value from one to the only other that reads it, when all
     * else that this one reads is there before; and a node with the first that reads nothing but its result.
     */
    private void findUnits() {
        BitSet alone = new BitSet();
        for (int n = 0; n < backward; n++) {
            int[] in = inputs[n];
            for (int v : in) {
                if (leaf(producer[v])) {
                    continue;
                }
                int first = unit[producer[v]];
                boolean ready = Arrays.stream(in).allMatch(x -> x == v || leaf(producer[x]) || producer[x] < first);
                passing.set(v, passing.get(v) && ready);
                if (passing.get(v) || (in.length == 1 && !alone.get(v))) {
                    join(first, unit[n]);
                }
                alone.set(v, alone.get(v) || in.length == 1);
            }
        }
    }

    private void join(int a, int b) {
        int first = Math.min(a, b);
        unitEnd[first] = Math.max(unitEnd[a], unitEnd[b]);
        for (int n = first; n <= unitEnd[first]; n++) {
            if (unit[n] == a || unit[n] == b) {
                unit[n] = first;
            }
        }
    }

    /** About how many bytes could be moved meanwhile. */
    private static long work(Node n) {
        long moved = 0;
        for (Value v : n.inputs()) {
            moved += v.type().bytes();
        }
        for (Value v : n.outputs()) {
            moved += v.type().bytes();
        }
        return moved + MultiplyAdds.of(n) / PRODUCTS_PER_BYTE;
    }

    // ---- the forward pass ----

    int values() {
        return producer.length;
    }

    /** The nodes of the forward pass are those before this one. */
    int forward() {
        return backward;
    }

    int producer(int value) {
        return producer[value];
    }

    long bytes(int value) {
        return bytes[value];
    }

    /** What is never computed again: leaves, what a run leaves behind, and the backward pass. */
    BitSet fixed() {
        BitSet fixed = (BitSet) lasting.clone();
        fixed.set(firstValue[backward], values());
        for (Node n : nodes) {
            if (n.op() instanceof Leaf) {
                fixed.set(firstValue[n.id()]);
            }
        }
        return fixed;
    }

    /** Whether a value is only handed on within a unit. */
    boolean passing(int value) {
        return passing.get(value);
    }

    /** For each value, the work to compute it again. */
    long[] workFor() {
        long[] units = new long[backward];
        for (int n = 0; n < backward; n++) {
            units[unit[n]] += work[n];
        }
        long[] sums = new long[values()];
        for (int n = 0; n < backward; n++) {
            Arrays.fill(sums, firstValue[n], firstValue[n + 1], units[unit[n]]);
        }
        return sums;
    }

    /** For each value, the last node of the forward pass that is computed from it, the whole of its unit counted. */
    int[] lastNeeded() {
        int[] last = new int[values()];
        Arrays.fill(last, -1);
        for (int n = 0; n < backward; n++) {
            for (int v : inputs[n]) {
                last[v] = Math.max(last[v], unitEnd[unit[n]]);
            }
        }
        return last;
    }

    // ---- what a choice comes to ----

    /** A node, at its place in the order; ~node where it is computed again. */
    int[] order(BitSet kept) {
        BitSet again = new BitSet();
        int[] order = new int[nodes.size() + backward];
        int n = 0;
        for (int node = 0; node < nodes.size(); node++) {
            if (node >= backward) {
                for (int missing : missing(node, kept, again)) {
                    order[n++] = ~missing;
                }
            }
            order[n++] = node;
        }
        return Arrays.copyOf(order, n);
    }

    /** Which nodes must be computed again for this one, in order; those of {@code again} have been, and these now are. */
    private int[] missing(int node, BitSet kept, BitSet again) {
        BitSet missing = new BitSet();
        BitSet open = new BitSet();
        open.set(node);
        for (int n = node; n >= 0; n = open.length() - 1) {
            open.clear(n);
            for (int v : inputs[n]) {
                int p = producer[v];
                if (!kept.get(v) && !again.get(p)) {
                    for (int u = unit[p]; u <= unitEnd[unit[p]]; u++) {
                        if (unit[u] == unit[p]) {
                            again.set(u);
                            missing.set(u);
                            open.set(u);
                        }
                    }
                }
            }
        }
        return missing.stream().toArray();
    }

    /**
     * What running in some order takes.
     *
     * @param bytes the most that lives at once
     * @param again the work of what is computed again
     */
    record Cost(long bytes, long again) {}

    /** Values live from their node to their last reader; an elementwise result takes over its operand's memory. */
    Cost cost(BitSet kept) {
        int[] order = order(kept);
        int copies = values();
        int[] lastRead = new int[2 * copies];
        for (int at = 0; at < order.length; at++) {
            for (int v : inputs[node(order[at])]) {
                lastRead[read(v, order[at], kept)] = at;
            }
        }
        long live = inputBytes;
        long most = live;
        long again = 0;
        for (int at = 0; at < order.length; at++) {
            int node = node(order[at]);
            int copy = order[at] < 0 ? copies : 0;
            again += order[at] < 0 ? work[node] : 0;
            for (int v = firstValue[node]; v < firstValue[node + 1]; v++) {
                live += bytes[v];
            }
            long dying = 0;
            boolean takesOver = false;
            for (int i = 0; i < inputs[node].length; i++) {
                int v = inputs[node][i];
                int from = read(v, order[at], kept);
                if (lastRead[from] == at && !(from < copies && lasting.get(v))) {
                    lastRead[from] = -1; // an operand that stands twice dies once
                    dying += bytes[v];
                    takesOver |= elementwise(node, v);
                }
            }
            most = Math.max(most, live - (takesOver ? bytes[firstValue[node]] : 0));
            live -= dying;
            for (int v = firstValue[node]; v < firstValue[node + 1]; v++) {
                boolean unread = lastRead[v + copy] <= at;
                live -= unread && !(copy == 0 && lasting.get(v)) ? bytes[v] : 0;
            }
        }
        return new Cost(most, again);
    }

    private static int node(int entry) {
        return entry < 0 ? ~entry : entry;
    }

    /** Which copy of a value an entry of the order reads; those of second copies lie behind all first ones. */
    private int read(int value, int entry, BitSet kept) {
        int p = producer[value];
        boolean again = entry < 0 ? !kept.get(value) || unit[~entry] == unit[p] : entry >= backward && !kept.get(value);
        return again ? value + values() : value;
    }

    private boolean elementwise(int node, int operand) {
        return bytes[operand] == bytes[firstValue[node]] && work[node] <= 4 * bytes[operand];
    }

    /** The graph in that order. What is computed again is a node of its own, with the same op. */
    Graph graph(BitSet kept) {
        Graph target = new Graph();
        Map<Integer, Value> written = new HashMap<>();
        for (int entry : order(kept)) {
            Node node = nodes.get(node(entry));
            List<Value> operands = Arrays.stream(inputs[node.id()])
                    .mapToObj(v -> Objects.requireNonNull(written.get(read(v, entry, kept))))
                    .toList();
            String path = entry < 0 ? node.path() + AGAIN : node.path();
            List<Value> results = target.within(path, () -> target.append(node.op(), operands));
            for (Value v : results) {
                int value = firstValue[node.id()] + v.index();
                written.put(entry < 0 ? value + values() : value, v);
                if (node.id() < backward && !passing(value) && !leaf(node.id())) {
                    target.keepApart(v);
                }
            }
        }
        graph.outputs().forEach((name, v) -> target.output(name, Objects.requireNonNull(written.get(index(v)))));
        graph.commits()
                .forEach((leaf, v) -> target.commit(
                        Objects.requireNonNull(written.get(index(leaf))),
                        Objects.requireNonNull(written.get(index(v)))));
        return target;
    }

    /** Behind the path of a node that is computed again. */
    static final String AGAIN = " (again)";
}
