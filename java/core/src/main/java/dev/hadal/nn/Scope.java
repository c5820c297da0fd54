package dev.hadal.nn;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Type;
import dev.hadal.graph.TypeException;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.LinkedHashMap;
import java.util.Map;

/** A layer's place in the network: where it appends its nodes, and under which path it keeps its weights. */
public final class Scope {
    private final Graph graph;
    private final String path;
    private final Map<String, Init> initialisers;

    Scope(Graph graph) {
        this(graph, "", new LinkedHashMap<>());
    }

    private Scope(Graph graph, String path, Map<String, Init> initialisers) {
        this.graph = graph;
        this.path = path;
        this.initialisers = initialisers;
    }

    public Graph graph() {
        return graph;
    }

    /** The layer's path, such as {@code 3.body.0}; empty for the whole network. */
    public String path() {
        return path;
    }

    /** A trained value, {@code path.name}. */
    public Value weight(String name, Shape shape, Init init) {
        return leaf(Role.WEIGHT, name, shape, init);
    }

    /** A value that training keeps but does not differentiate, {@code path.name}. */
    public Value state(String name, Shape shape, Init init) {
        return leaf(Role.STATE, name, shape, init);
    }

    private Value leaf(Role role, String name, Shape shape, Init init) {
        String full = path.isEmpty() ? name : path + "." + name;
        initialisers.put(full, init);
        return graph.leaf(role, full, Type.f32(shape));
    }

    /**
     * Applies a layer one step further down the path. Two calls of one name share their weights and states, which the
     * model then has once, and whose gradients add up; they must ask for the same shapes:
     *
     * <pre>
     *   Value a = scope.call("encoder", encoder, left);
     *   Value b = scope.call("encoder", encoder, right);
     * </pre>
     *
     * Under two names, one layer has weights of its own in each place. Dropout under one name drops alike.
     */
    public Value call(String name, Layer layer, Value x) {
        Scope inner = new Scope(graph, path.isEmpty() ? name : path + "." + name, initialisers);
        return graph.within(inner.path, () -> layer.apply(inner, x));
    }

    /** An error that names this layer. */
    public TypeException error(String message) {
        return new TypeException("layer " + path + ": " + message);
    }

    Map<String, Init> initialisers() {
        return initialisers;
    }
}
