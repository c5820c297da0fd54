package dev.hadal.graph;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;

/** An op at its place in a graph. Nodes are equal only to themselves. */
public final class Node {
    private final Graph graph;
    private final int id;
    private final String path;
    private final Op op;
    private final List<Value> inputs;
    private final List<Type> types;

    Node(Graph graph, int id, String path, Op op, List<Value> inputs, List<Type> types) {
        this.graph = graph;
        this.id = id;
        this.path = path;
        this.op = op;
        this.inputs = List.copyOf(inputs);
        this.types = List.copyOf(types);
    }

    public Graph graph() {
        return graph;
    }

    /** The node's position in execution order. */
    public int id() {
        return id;
    }

    /** The path of the layer that this node belongs to, such as {@code stage2.0.conv1}; empty outside any layer. */
    public String path() {
        return path;
    }

    public Op op() {
        return op;
    }

    public List<Value> inputs() {
        return inputs;
    }

    public Value input(int i) {
        return inputs.get(i);
    }

    /** The types of the results. */
    public List<Type> types() {
        return types;
    }

    public Value output(int i) {
        return new Value(this, i);
    }

    public List<Value> outputs() {
        List<Value> outputs = new ArrayList<>(types.size());
        for (int i = 0; i < types.size(); i++) {
            outputs.add(output(i));
        }
        return Collections.unmodifiableList(outputs);
    }

    @Override
    public String toString() {
        return "%" + id + " = " + op + inputs.stream().map(Value::toString).collect(Collectors.joining(", ", "(", ")"))
                + " : " + types.stream().map(Type::toString).collect(Collectors.joining(", "))
                + (path.isEmpty() ? "" : "   # " + path);
    }
}
