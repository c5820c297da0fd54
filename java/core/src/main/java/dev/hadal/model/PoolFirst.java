package dev.hadal.model;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Node;
import dev.hadal.graph.Readers;
import dev.hadal.graph.Value;
import dev.hadal.op.Activation;
import dev.hadal.op.Pooling;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A ReLU whose result only a max pool reads comes after the pool, where there are fewer values: max relu(xᵢ) =
 * relu(max xᵢ), NaN included. The gradient is the same, too, bit for bit: where the largest of a window is above 0, and for
 * ReLU6 below 6, it is found at the same place; else, wherever it is found, its gradient is 0. This pays in training, as
 * the ReLU's gradient is a pass of its own; forward, a ReLU goes with the convolution before it for nothing.
 */
public record PoolFirst() implements Pass {

    @Override
    public Model apply(Model model) {
        Graph graph = model.graph();
        Readers readers = new Readers(graph);
        Set<Node> late = graph.nodes().stream()
                .filter(node -> isRelu(node) && isMaxPool(readers.onlyReader(node)))
                .collect(Collectors.toSet());
        return model.withGraph(graph.rewrite((node, inputs, target) -> {
            if (late.contains(node)) {
                return inputs;
            }
            List<Value> results = new ArrayList<>(target.append(node.op(), inputs));
            if (isMaxPool(node) && late.contains(node.input(0).node())) {
                Node relu = node.input(0).node();
                results.set(0, target.within(relu.path(), () -> relu.op().of(results.get(0))));
            }
            return results;
        }));
    }

    private static boolean isRelu(Node node) {
        return node.op() instanceof Activation a
                && (a.function() == Activation.Function.RELU || a.function() == Activation.Function.RELU6);
    }

    private static boolean isMaxPool(@Nullable Node node) {
        return node != null && node.op() instanceof Pooling pool && pool.function() == Pooling.Function.MAX;
    }
}
