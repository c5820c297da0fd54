package dev.hadal.graph;

import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One result of one node: an edge of the graph. */
public record Value(Node node, int index) {

    public Type type() {
        return node.types().get(index);
    }

    /** The types of several values. */
    public static List<Type> types(List<Value> values) {
        List<Type> types = new ArrayList<>(values.size());
        for (Value v : values) {
            types.add(v.type());
        }
        return Collections.unmodifiableList(types);
    }

    public Shape shape() {
        return type().shape();
    }

    public Graph graph() {
        return node.graph();
    }

    // What a record is given instead takes a JVM that has just started 30 ms; see "Start" in ARCHITECTURE.md.
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Value v && v.node == node && v.index == index;
    }

    @Override
    public int hashCode() {
        return 31 * System.identityHashCode(node) + index;
    }

    @Override
    public String toString() {
        return "%" + node.id() + (index == 0 ? "" : "." + index);
    }
}
