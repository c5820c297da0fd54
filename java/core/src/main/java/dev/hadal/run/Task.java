package dev.hadal.run;

import dev.hadal.graph.Fused;
import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Value;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/**
 * What one kernel computes: a node of the graph, or several in a chain.
 *
 * @param inputs the values that it reads, as the op's operands
 * @param outputs the values that it writes, as the op's results
 */
record Task(List<Node> nodes, Op op, List<Value> inputs, List<Value> outputs) {

    static Task of(Node node) {
        return new Task(List.of(node), node.op(), node.inputs(), node.outputs());
    }

    /** The nodes as one op, each of which takes the first result of the one before. */
    static Task chain(List<Node> nodes, boolean keep) {
        Node first = nodes.get(0);
        Fused op = Fused.of(first.op(), first.inputs().size());
        List<Value> inputs = new ArrayList<>(first.inputs());
        List<Value> outputs = new ArrayList<>(first.outputs());
        for (int i = 1; i < nodes.size(); i++) {
            Node node = nodes.get(i);
            int at = node.inputs().indexOf(nodes.get(i - 1).output(0));
            op = op.then(node.op(), node.inputs().size(), at);
            for (int k = 0; k < node.inputs().size(); k++) {
                if (k != at) {
                    inputs.add(node.input(k));
                }
            }
            if (!keep) {
                outputs.clear();
            }
            outputs.addAll(node.outputs());
        }
        return new Task(nodes, keep ? op.keeping() : op, inputs, outputs);
    }

    /** The path of its layer: where a chain begins, most of it happens. */
    String path() {
        return nodes.get(0).path();
    }

    @Override
    public String toString() {
        return nodes.stream().map(Node::toString).collect(Collectors.joining(" + "));
    }
}
