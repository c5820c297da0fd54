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
        Folding folding = new Folding(model, arithmetic);
        return DropUnused.of(model, model.graph().rewrite(folding), folding.values);
    }

    /** One model's folding. */
    private static final class Folding implements Graph.Rule {
        private final Model model;
        private final Arithmetic arithmetic;
        private final Names names;
        private final Map<Value, Known> known = new HashMap<>();
        final Map<String, Tensor> values;

        Folding(Model model, Arithmetic arithmetic) {
            this.model = model;
            this.arithmetic = arithmetic;
            this.names = new Names(model);
            this.values = new LinkedHashMap<>(model.values());
        }

        @Override
        public List<Value> apply(Node node, List<Value> inputs, Graph target) {
            if (node.op() instanceof Leaf leaf) {
                Tensor value = model.values().get(leaf.name());
                if (value != null && !model.graph().commits().containsKey(node.output(0))) {
                    known.put(node.output(0), new Known(value, leaf.type().bytes()));
                }
                return target.append(leaf, inputs);
            }
            return isWorthIt(node) ? folded(node, target) : target.append(node.op(), inputs);
        }

        private boolean isWorthIt(Node node) {
            long source = 0;
            for (Value v : node.inputs()) {
                Known operand = known.get(v);
                if (operand == null) {
                    return false;
                }
                source += operand.source;
            }
            long bytes = 0;
            for (Type type : node.types()) {
                bytes += type.bytes();
            }
            return bytes <= Math.max(SMALL, source);
        }

        private List<Value> folded(Node node, Graph target) {
            List<Tensor> operands = new ArrayList<>();
            long source = 0;
            for (Value v : node.inputs()) {
                Known operand = Objects.requireNonNull(known.get(v));
                operands.add(operand.value);
                source += operand.source;
            }
            List<Tensor> results = arithmetic.run(node.op(), operands);
            List<Value> weights = new ArrayList<>();
            for (Value v : node.outputs()) {
                Tensor value = results.get(v.index());
                String name = names.fresh(Names.join(node.path(), node.op().name()));
                known.put(v, new Known(value, source));
                values.put(name, value);
                weights.add(target.leaf(Role.WEIGHT, name, v.type()));
            }
            return weights;
        }
    }
}
