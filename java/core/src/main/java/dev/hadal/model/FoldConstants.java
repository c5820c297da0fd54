package dev.hadal.model;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Computes once what depends on weights and states alone: its results become weights, named by the layer and the op. What
 * is larger than all that it is computed from, and larger than {@value #SMALL} bytes, is left to each run. For models that
 * only predict, since what was computed of a weight does not follow it.
 *
 * @param arithmetic how to compute an op, which no model knows
 */
public record FoldConstants(Arithmetic arithmetic) implements Pass {
    private static final long SMALL = 1 << 20;

    /** Computes an op's results. */
    public interface Arithmetic {
        List<Tensor> run(Op op, List<Tensor> operands);
    }

    /** A value that is the same in every run, and the bytes of the weights and states behind it. */
    private record Known(Tensor value, long source) {}

    @Override
    public Model apply(Model model) {
        Map<Value, Known> known = new HashMap<>();
        Names names = new Names(model);
        Map<String, Tensor> values = new LinkedHashMap<>(model.values());
        Graph graph = model.graph().rewrite((node, inputs, target) -> {
            if (node.op() instanceof Leaf leaf) {
                if (isConstant(node, model)) {
                    Tensor value = Objects.requireNonNull(values.get(leaf.name()));
                    known.put(node.output(0), new Known(value, leaf.type().bytes()));
                }
                return target.append(leaf, inputs);
            }
            return node.inputs().stream().allMatch(known::containsKey) && isWorthKeeping(node, known)
                    ? folded(node, known, names, values, target)
                    : target.append(node.op(), inputs);
        });
        return DropUnused.of(model, graph, values);
    }

    private static boolean isConstant(Node leaf, Model model) {
        return model.values().containsKey(leaf.op().name())
                && !model.graph().commits().containsKey(leaf.output(0));
    }

    private static long source(Node node, Map<Value, Known> known) {
        return node.inputs().stream()
                .mapToLong(v -> Objects.requireNonNull(known.get(v)).source)
                .sum();
    }

    private static boolean isWorthKeeping(Node node, Map<Value, Known> known) {
        long bytes = node.types().stream().mapToLong(Type::bytes).sum();
        return bytes <= Math.max(SMALL, source(node, known));
    }

    private List<Value> folded(
            Node node, Map<Value, Known> known, Names names, Map<String, Tensor> values, Graph target) {
        List<Tensor> operands = node.inputs().stream()
                .map(v -> Objects.requireNonNull(known.get(v)).value)
                .toList();
        List<Tensor> results = arithmetic.run(node.op(), operands);
        List<Value> weights = new ArrayList<>();
        for (Value v : node.outputs()) {
            Tensor value = results.get(v.index());
            String name = names.fresh(Names.join(node.path(), node.op().name()));
            known.put(v, new Known(value, source(node, known)));
            values.put(name, value);
            weights.add(target.leaf(Role.WEIGHT, name, v.type()));
        }
        return weights;
    }
}
