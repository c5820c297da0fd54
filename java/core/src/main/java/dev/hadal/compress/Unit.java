package dev.hadal.compress;

import dev.hadal.graph.Fused;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Readers;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.model.Fuse;
import dev.hadal.op.Activation;
import dev.hadal.op.BatchNorm;
import dev.hadal.op.Bias;
import dev.hadal.op.Clamp;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What is computed on real numbers before the result is rounded to its grid: one node, or a product with its bias, a sum
 * with another value and an activation, or a sum with an activation. Every other node reads the last one's results alone.
 */
record Unit(List<Node> nodes) {

    Unit {
        nodes = List.copyOf(nodes);
    }

    Node root() {
        return nodes.get(0);
    }

    Node last() {
        return nodes.get(nodes.size() - 1);
    }

    /** Where an operand from outside is read. */
    record Operand(Node node, int index) {
        Value value() {
            return node.input(index);
        }
    }

    /** The operands from outside, in the order in which {@link #op} takes them. */
    List<Operand> operands() {
        List<Operand> all = new ArrayList<>();
        for (int n = 0; n < nodes.size(); n++) {
            Node node = nodes.get(n);
            for (int i = 0; i < node.inputs().size(); i++) {
                if (n == 0 || node.input(i).node() != nodes.get(n - 1)) {
                    all.add(new Operand(node, i));
                }
            }
        }
        return all;
    }

    /** The unit as one op. */
    Op op() {
        if (nodes.size() == 1) {
            return root().op();
        }
        Fused chain = Fused.of(root().op(), root().inputs().size());
        for (int n = 1; n < nodes.size(); n++) {
            Node node = nodes.get(n);
            int at = node.inputs().indexOf(nodes.get(n - 1).output(0));
            chain = chain.then(node.op(), node.inputs().size(), at);
        }
        return chain;
    }

    /** Such as {@code layer 3.body.0: convolution+bias}. */
    @Override
    public String toString() {
        return (root().path().isEmpty() ? "" : "layer " + root().path() + ": ") + op().name();
    }

    // ---- which nodes are one ----

    /** The unit of each node of a graph that is no leaf. */
    static Map<Node, Unit> of(Graph graph) {
        Readers readers = new Readers(graph);
        Map<Node, Unit> units = new HashMap<>();
        for (Node node : graph.nodes()) {
            if (node.op() instanceof Leaf || units.containsKey(node)) {
                continue;
            }
            List<Node> chain = new ArrayList<>(List.of(node));
            Node next = next(chain, readers, units);
            while (next != null) {
                chain.add(next);
                next = next(chain, readers, units);
            }
            Unit unit = new Unit(chain);
            chain.forEach(n -> units.put(n, unit));
        }
        return units;
    }

    private static @Nullable Node next(List<Node> chain, Readers readers, Map<Node, Unit> units) {
        Node root = chain.get(0);
        Node last = chain.get(chain.size() - 1);
        Node next = isRoot(root.op()) ? readers.onlyReader(last) : null;
        return next != null && !units.containsKey(next) && follows(next, last.output(0), last, root) ? next : null;
    }

    private static boolean isRoot(Op op) {
        return Fuse.isProduct(op) || op instanceof WeightedSum || op instanceof BatchNorm;
    }

    /** Bias, then a sum with what is known before the product, then an activation; each at most once. */
    private static boolean follows(Node node, Value y, Node last, Node root) {
        boolean product = Fuse.isProduct(root.op());
        boolean first = last == root;
        if (node.op() instanceof Bias || node.op() instanceof BatchNorm) {
            return product && first && node.input(0).equals(y);
        } else if (node.op() instanceof WeightedSum sum) {
            boolean earlier =
                    node.inputs().stream().allMatch(v -> v.equals(y) || v.node().id() < root.id());
            boolean unsummed = first || last.op() instanceof Bias || last.op() instanceof BatchNorm;
            return product && unsummed && earlier && sum.scales().size() == 2;
        }
        boolean activated = last.op() instanceof Activation || last.op() instanceof Clamp;
        return (node.op() instanceof Activation || node.op() instanceof Clamp) && !activated;
    }
}
