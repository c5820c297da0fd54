package dev.hadal.graph;

import dev.hadal.tensor.Shape;

/** One result of one node: an edge of the graph. */
public record Value(Node node, int index) {

    public Type type() {
        return node.types().get(index);
    }

    public Shape shape() {
        return type().shape();
    }

    public Graph graph() {
        return node.graph();
    }

    @Override
    public String toString() {
        return "%" + node.id() + (index == 0 ? "" : "." + index);
    }
}
