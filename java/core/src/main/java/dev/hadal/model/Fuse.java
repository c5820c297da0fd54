package dev.hadal.model;

import dev.hadal.graph.Fused;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Readers;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Activation;
import dev.hadal.op.Bias;
import dev.hadal.op.Convolution;
import dev.hadal.op.ConvolutionTranspose;
import dev.hadal.op.MatMul;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Makes one node of a product and what is done to its results before anything else reads them: a bias, activations, sums
 * with another value. So a residual's sum is the end of the product before it. A chain has no gradient: this is for models
 * that only predict.
 */
public record Fuse() implements Pass {

    @Override
    public Model apply(Model model) {
        Map<Node, List<Node>> chains = chains(model.graph());
        Graph graph = model.graph().rewrite(new Fusing(chains, new HashMap<>()));
        return DropUnused.of(model, graph, model.values());
    }

    private record Fusing(Map<Node, List<Node>> chains, Map<Node, List<Value>> operands) implements Graph.Rule {
        @Override
        public List<Value> apply(Node node, List<Value> inputs, Graph target) {
            List<Node> chain = chains.get(node);
            if (chain == null) {
                return target.append(node.op(), inputs);
            }
            operands.put(node, inputs);
            if (node != chain.get(chain.size() - 1)) {
                return inputs.subList(0, 1); // which nobody reads: the chain stands where its last node was
            }
            return fused(chain, operands, target);
        }
    }

    /** The chain of every node that is part of one; the first product in the graph's order takes a sum of two. */
    private static Map<Node, List<Node>> chains(Graph graph) {
        Readers readers = new Readers(graph);
        Map<Node, List<Node>> chains = new HashMap<>();
        for (Node node : graph.nodes()) {
            if (!isProduct(node.op())) {
                continue;
            }
            List<Node> chain = new ArrayList<>(List.of(node));
            for (Node next = next(node, readers, chains); next != null; next = next(next, readers, chains)) {
                chain.add(next);
            }
            if (chain.size() > 1) {
                for (Node n : chain) {
                    chains.put(n, chain);
                }
            }
        }
        return chains;
    }

    /** Whether an op multiplies its operands, as what a chain begins with. */
    public static boolean isProduct(Op op) {
        return op instanceof Convolution || op instanceof ConvolutionTranspose || op instanceof MatMul;
    }

    private static @Nullable Node next(Node node, Readers readers, Map<Node, List<Node>> chains) {
        Node reader = readers.onlyReader(node);
        boolean free = reader != null && !chains.containsKey(reader) && follows(reader, node.output(0));
        return free ? reader : null;
    }

    private static boolean follows(Node node, Value v) {
        Op op = node.op();
        return (op instanceof Bias && node.input(0).equals(v))
                || op instanceof Activation
                || (op instanceof WeightedSum sum && sum.scales().equals(List.of(1f, 1f)));
    }

    private static List<Value> fused(List<Node> chain, Map<Node, List<Value>> operands, Graph target) {
        Node before = chain.get(0);
        List<Value> inputs = new ArrayList<>(operandsOf(before, operands));
        Fused op = Fused.of(before.op(), inputs.size());
        for (Node node : chain.subList(1, chain.size())) {
            int at = node.inputs().indexOf(before.output(0));
            List<Value> all = new ArrayList<>(operandsOf(node, operands));
            op = op.then(node.op(), all.size(), at);
            all.remove(at);
            inputs.addAll(all);
            before = node;
        }
        Fused whole = op;
        return target.within(chain.get(0).path(), new Supplier<List<Value>>() {
            @Override
            public List<Value> get() {
                return target.append(whole, inputs);
            }
        });
    }

    private static List<Value> operandsOf(Node node, Map<Node, List<Value>> operands) {
        return Objects.requireNonNull(operands.get(node));
    }
}
