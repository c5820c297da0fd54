package dev.hadal.graph;

import dev.hadal.graph.Leaf.Role;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.StringJoiner;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Nodes in execution order. Appending is the only change, so the order is always topological; whoever wants another
 * graph writes a new one with {@link #rewrite}.
 */
public final class Graph {
    private final List<Node> nodes = new ArrayList<>();
    private final Map<String, Value> leaves = new LinkedHashMap<>();
    private final Map<String, Value> outputs = new LinkedHashMap<>();
    private final Map<Value, Value> commits = new LinkedHashMap<>();
    private final Set<Value> apart = new HashSet<>();
    private String path = "";

    /** An empty graph. */
    public Graph() {}

    // ---- building ----

    /**
     * The leaf of that name; asking twice gives the same value, which is how weights are shared.
     *
     * @throws TypeException if the name is taken by a leaf of another role or type
     */
    public Value leaf(Role role, String name, Type type) {
        Leaf wanted = new Leaf(role, name, type);
        Value known = leaves.get(name);
        if (known == null) {
            known = add(wanted, List.of()).output(0);
            leaves.put(name, known);
        } else if (!known.node().op().equals(wanted)) {
            throw new TypeException(
                    "'" + name + "' is already " + known.node() + ", and cannot also be " + wanted + " : " + type);
        }
        return known;
    }

    /**
     * Appends one node.
     *
     * @throws TypeException if the operands do not fit the op; the message begins with the layer's path
     * @throws IllegalArgumentException if an operand is null, or of another graph; the message begins alike
     */
    public List<Value> append(Op op, List<Value> inputs) {
        for (int i = 0; i < inputs.size(); i++) {
            if (inputs.get(i) == null) {
                throw new IllegalArgumentException(layer() + op.name() + ": operand " + i + " is null");
            }
            requireOwn(layer() + op.name() + ": operand", inputs.get(i));
        }
        return op instanceof Leaf l
                ? List.of(leaf(l.role(), l.name(), l.type()))
                : add(op, inputs).outputs();
    }

    /** Appends one node that belongs to the layer of this path. */
    public List<Value> append(String layerPath, Op op, List<Value> inputs) {
        String outer = path;
        path = layerPath;
        try {
            return append(op, inputs);
        } finally {
            path = outer;
        }
    }

    private void requireOwn(String what, Value v) {
        if (v.graph() != this) {
            throw new IllegalArgumentException(what + " " + v.node() + " belongs to another graph");
        }
    }

    private Node add(Op op, List<Value> inputs) {
        Node node = new Node(this, nodes.size(), path, op, inputs, inferred(op, inputs));
        nodes.add(node);
        return node;
    }

    private List<Type> inferred(Op op, List<Value> inputs) {
        try {
            return op.infer(Value.types(inputs));
        } catch (TypeException e) {
            throw path.isEmpty() ? e : new TypeException(layer() + e.getMessage(), e);
        } catch (IllegalArgumentException e) { // a result that is too large for a shape
            throw new TypeException(layer() + op.name() + ": " + e.getMessage(), e);
        } catch (ArithmeticException e) { // not even a dimension fits
            IllegalArgumentException cause = new IllegalArgumentException(e);
            throw new TypeException(
                    layer() + op.name() + ": a result of more than 2^31 - 1 elements, from "
                            + inputs.stream().map(Value::type).toList(),
                    cause);
        }
    }

    /** How messages begin. */
    private String layer() {
        return path.isEmpty() ? "" : "layer " + path + ": ";
    }

    /** Whatever the body appends belongs to the layer of this path. */
    public <T> T within(String layerPath, Supplier<T> body) {
        String outer = path;
        path = layerPath;
        try {
            return body.get();
        } finally {
            path = outer;
        }
    }

    /** Names a value that a run makes visible. */
    public void output(String name, Value value) {
        requireOwn("output '" + name + "':", value);
        if (outputs.putIfAbsent(name, value) != null) {
            throw new IllegalArgumentException("the graph already has an output '" + name + "'");
        }
    }

    /**
     * At the end of a run, the leaf takes the value given.
     *
     * @throws TypeException if their types differ
     * @throws IllegalArgumentException if the first is no leaf, or takes a value already
     */
    public void commit(Value leaf, Value value) {
        requireOwn("commit to", leaf);
        requireOwn("commit of", value);
        if (!(leaf.node().op() instanceof Leaf)) {
            throw new IllegalArgumentException("only a leaf takes a value at the end of a run, not " + leaf.node());
        }
        if (!leaf.type().equals(value.type())) {
            throw new TypeException(leaf.node() + " cannot take a value of type " + value.type());
        }
        if (commits.putIfAbsent(leaf, value) != null) {
            throw new IllegalArgumentException(leaf.node() + " already takes a value at the end of a run");
        }
    }

    /**
     * A kernel that computes several nodes at once may not skip this value, even where it has one reader only: as in a graph
     * in which others read it too, with which this one is to agree bit for bit.
     */
    public void keepApart(Value value) {
        requireOwn("keep apart:", value);
        apart.add(value);
    }

    // ---- reading ----

    /** Whether the value was said to be {@linkplain #keepApart kept apart}. */
    public boolean isApart(Value value) {
        return apart.contains(value);
    }

    public List<Node> nodes() {
        return List.copyOf(nodes);
    }

    /** The leaves of a role, in the order in which they were declared. */
    public List<Value> leaves(Role role) {
        List<Value> some = new ArrayList<>();
        for (Value v : leaves.values()) {
            if (leafOf(v).role() == role) {
                some.add(v);
            }
        }
        return Collections.unmodifiableList(some);
    }

    /**
     * The leaf of that name.
     *
     * @throws IllegalArgumentException if there is none
     */
    public Value leaf(String name) {
        return named(leaves, name, "leaf");
    }

    /**
     * The output of that name.
     *
     * @throws IllegalArgumentException if there is none
     */
    public Value output(String name) {
        return named(outputs, name, "output");
    }

    public Map<String, Value> outputs() {
        return Collections.unmodifiableMap(outputs);
    }

    /** Which leaf takes which value at the end of a run. */
    public Map<Value, Value> commits() {
        return Collections.unmodifiableMap(commits);
    }

    /** The leaf behind a value that is known to be one. */
    public static Leaf leafOf(Value value) {
        return (Leaf) value.node().op();
    }

    private static Value named(Map<String, Value> values, String name, String kind) {
        Value value = values.get(name);
        if (value == null) {
            throw new IllegalArgumentException("the graph has no " + kind + " '" + name + "', only " + values.keySet());
        }
        return value;
    }

    // ---- differentiation ----

    /**
     * Reverse-mode differentiation: appends the nodes that compute dL/dv for each wanted v, given dL/dy.
     *
     * @param y the value to differentiate
     * @param dy its gradient, of y's type
     * @param wanted the values whose gradients are asked for
     * @return the gradient of each wanted value that y depends on
     */
    public Map<Value, Value> differentiate(Value y, Value dy, Collection<Value> wanted) {
        requireOwn("differentiate:", y);
        requireOwn("differentiate:", dy);
        wanted.forEach(v -> requireOwn("differentiate:", v));
        if (!dy.type().equals(y.type())) {
            throw new TypeException("the gradient of " + y.node() + " must be " + y.type() + ", not " + dy.type());
        }
        List<Node> forward = List.copyOf(nodes.subList(0, y.node().id() + 1));
        Set<Value> onTheWay = dependents(forward, wanted);
        Map<Value, List<Value>> terms = new HashMap<>();
        terms.computeIfAbsent(y, v -> new ArrayList<>()).add(dy);
        Map<Value, Value> gradients = new HashMap<>();
        for (int i = forward.size() - 1; i >= 0; i--) {
            Node node = forward.get(i);
            within(node.path(), () -> {
                backward(node, onTheWay, terms, gradients);
                return node;
            });
        }
        gradients.keySet().retainAll(wanted);
        return gradients;
    }

    private static void backward(
            Node node, Set<Value> onTheWay, Map<Value, List<Value>> terms, Map<Value, Value> gradients) {
        List<@Nullable Value> dy = new ArrayList<>();
        for (Value v : node.outputs()) {
            List<Value> sum = onTheWay.contains(v) ? terms.get(v) : null;
            dy.add(sum == null ? null : WeightedSum.sum(sum));
            if (sum != null) {
                gradients.put(v, Objects.requireNonNull(dy.get(v.index())));
            }
        }
        if (node.inputs().stream().noneMatch(onTheWay::contains) || dy.stream().allMatch(Objects::isNull)) {
            return;
        }
        List<@Nullable Value> dx = node.op().gradient(node, dy);
        for (int k = 0; k < dx.size(); k++) {
            Value g = dx.get(k);
            if (g != null && onTheWay.contains(node.input(k))) {
                terms.computeIfAbsent(node.input(k), v -> new ArrayList<>()).add(g);
            }
        }
    }

    /** The wanted values and all that is computed from them. */
    private static Set<Value> dependents(List<Node> forward, Collection<Value> wanted) {
        Set<Value> set = new HashSet<>(wanted);
        for (Node n : forward) {
            if (n.inputs().stream().anyMatch(set::contains)) {
                set.addAll(n.outputs());
            }
        }
        return set;
    }

    // ---- rewriting ----

    /** How a rewrite replaces one node. */
    public interface Rule {
        /** Keeps every node as it is. */
        Rule SAME = new Rule() {
            @Override
            public List<Value> apply(Node node, List<Value> inputs, Graph target) {
                return target.append(node.op(), inputs);
            }
        };

        /**
         * Appends to the target what stands for the node.
         *
         * @param inputs the node's operands, in the target
         * @return the node's results, in the target
         */
        List<Value> apply(Node node, List<Value> inputs, Graph target);
    }

    /**
     * A new graph in which the rule has replaced each node. What leads to no output and no commit is left out, but
     * for inputs.
     */
    public Graph rewrite(Rule rule) {
        Graph target = new Graph();
        Set<Node> live = live();
        Map<Value, Value> mapped = new HashMap<>();
        for (Node node : nodes) {
            if (!live.contains(node)) {
                continue;
            }
            List<Value> inputs = new ArrayList<>();
            for (Value v : node.inputs()) {
                inputs.add(Objects.requireNonNull(mapped.get(v)));
            }
            target.path = node.path();
            List<Value> results = rule.apply(node, Collections.unmodifiableList(inputs), target);
            for (Value v : node.outputs()) {
                mapped.put(v, results.get(v.index()));
            }
        }
        target.path = "";
        for (Value v : apart) {
            if (mapped.containsKey(v)) {
                target.keepApart(Objects.requireNonNull(mapped.get(v)));
            }
        }
        for (Map.Entry<String, Value> e : outputs.entrySet()) {
            target.output(e.getKey(), Objects.requireNonNull(mapped.get(e.getValue())));
        }
        for (Map.Entry<Value, Value> e : commits.entrySet()) {
            target.commit(
                    Objects.requireNonNull(mapped.get(e.getKey())), Objects.requireNonNull(mapped.get(e.getValue())));
        }
        return target;
    }

    private Set<Node> live() {
        Set<Node> live = new HashSet<>();
        addNodes(outputs.values(), live);
        addNodes(commits.keySet(), live);
        addNodes(commits.values(), live);
        addNodes(leaves(Role.INPUT), live);
        for (int i = nodes.size() - 1; i >= 0; i--) {
            if (live.contains(nodes.get(i))) {
                addNodes(nodes.get(i).inputs(), live);
            }
        }
        return live;
    }

    private static void addNodes(Collection<Value> values, Set<Node> to) {
        for (Value v : values) {
            to.add(v.node());
        }
    }

    /** One line per node, then the outputs and what the run commits. */
    @Override
    public String toString() {
        StringJoiner lines = new StringJoiner("\n");
        nodes.forEach(n -> lines.add(n.toString()));
        outputs.forEach((name, v) -> lines.add("output " + name + " = " + v));
        commits.forEach((leaf, v) -> lines.add("commit " + leafOf(leaf).name() + " = " + v));
        return lines.toString();
    }
}
