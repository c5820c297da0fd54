package dev.hadal.graph;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Who reads the values of a graph, as it is when this is made. */
public final class Readers {
    private final Graph graph;
    private final Map<Value, List<Node>> readers = new HashMap<>();
    private final Set<Value> left = new HashSet<>();

    public Readers(Graph graph) {
        this.graph = graph;
        for (Node node : graph.nodes()) {
            for (Value v : node.inputs()) {
                readers.putIfAbsent(v, new ArrayList<>());
                Objects.requireNonNull(readers.get(v)).add(node);
            }
        }
        left.addAll(graph.outputs().values());
        left.addAll(graph.commits().values());
    }

    /** The nodes that read the value, each as often as it does. */
    public List<Node> of(Value v) {
        return readers.getOrDefault(v, List.of());
    }

    /** Whether the value is read when all nodes have run: a run shows it, or commits it. */
    public boolean isLeft(Value v) {
        return left.contains(v);
    }

    /** The node that alone reads another's only result, which nobody else needs to see; null if that is nobody. */
    public @Nullable Node onlyReader(Node node) {
        Value v = node.output(0);
        boolean passed = of(v).size() == 1 && node.types().size() == 1 && !left.contains(v) && !graph.isApart(v);
        return passed ? of(v).get(0) : null;
    }
}
