package dev.hadal.model;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Node;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
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
        return model.withGraph(model.graph().rewrite(new Resizing(samples)));
    }

    private record Resizing(int samples) implements Graph.Rule {
        @Override
        public List<Value> apply(Node node, List<Value> inputs, Graph target) {
            if (node.op() instanceof Leaf leaf && leaf.role() == Role.INPUT) {
                Type one = leaf.type();
                Type many = new Type(one.dtype(), one.shape().with(0, samples));
                return List.of(target.leaf(Role.INPUT, leaf.name(), many));
            }
            return target.append(node.op(), inputs);
        }
    }
}
