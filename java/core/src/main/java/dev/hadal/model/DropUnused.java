package dev.hadal.model;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Node;
import dev.hadal.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;

/** Leaves out whatever leads to no output and no commit, and the values of weights that nothing reads; inputs stay. */
public record DropUnused() implements Pass {

    @Override
    public Model apply(Model model) {
        return of(model, model.graph(), model.values());
    }

    /** The model with another graph, and of these values those that it needs. */
    static Model of(Model model, Graph graph, Map<String, Tensor> values) {
        Graph alive = graph.rewrite(Graph.Rule.SAME);
        Map<String, Tensor> needed = new LinkedHashMap<>();
        for (Node node : alive.nodes()) {
            Tensor value = node.op() instanceof Leaf leaf ? values.get(leaf.name()) : null;
            if (value != null) {
                needed.put(node.op().name(), value);
            }
        }
        Map<String, Tensor> all = new LinkedHashMap<>(model.values());
        all.putAll(values);
        return model.withValues(all).withGraph(alive).withValues(needed);
    }
}
