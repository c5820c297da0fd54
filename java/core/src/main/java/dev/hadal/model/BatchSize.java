package dev.hadal.model;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Type;
import java.util.List;

/** Gives every input another outermost dimension; all other types follow. */
public record BatchSize(int samples) implements Pass {

    public BatchSize {
        if (samples < 1) {
            throw new IllegalArgumentException("a batch holds at least one sample, not " + samples);
        }
    }

    @Override
    public Model apply(Model model) {
        Graph graph = model.graph().rewrite((node, inputs, target) -> {
            if (node.op() instanceof Leaf leaf && leaf.role() == Role.INPUT) {
                Type one = leaf.type();
                return List.of(target.leaf(
                        Role.INPUT,
                        leaf.name(),
                        new Type(one.dtype(), one.shape().with(0, samples))));
            }
            return target.append(node.op(), inputs);
        });
        return model.withGraph(graph);
    }
}
