package dev.hadal.model;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Node;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.BatchNorm;
import dev.hadal.op.Dropout;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/**
 * Turns the ops that behave otherwise in training into their training forms: batch norm then uses the batch's own
 * statistics, and commits the running ones at the end of the run. A batch norm whose weights are not trained goes on
 * predicting: it uses the running statistics, and leaves them as they are. Dropout drops.
 *
 * @param trained which weights are trained, by name
 */
public record Training(Predicate<String> trained) implements Pass {
    /** The scalar that random ops read: i32 [4], the seed's low and high half, the number of the run, and 0. */
    public static final String RANDOM = "random";

    /** All weights are trained. */
    public Training() {
        this(name -> true);
    }

    @Override
    public Model apply(Model model) {
        Map<Value, Value> running = new LinkedHashMap<>();
        Graph graph = model.graph().rewrite((node, inputs, target) -> {
            if (node.op() instanceof BatchNorm bn && !(frozen(node.input(1)) && frozen(node.input(2)))) {
                return List.of(batchNorm(bn, node, inputs, running));
            }
            if (node.op() instanceof Dropout dropout) {
                Value random = target.leaf(Role.SCALAR, RANDOM, Type.i32(4));
                return new Dropout.Training(dropout.rate(), node.path()).call(inputs.get(0), random);
            }
            return target.append(node.op(), inputs);
        });
        running.forEach(graph::commit);
        return model.withGraph(graph);
    }

    private boolean frozen(Value weight) {
        return weight.node().op() instanceof Leaf leaf && !trained.test(leaf.name());
    }

    /**
     * running ← (1 − momentum)·running + momentum·batch, where the batch's variance counts unbiased, m/(m − 1)·σ², as
     * PyTorch has it. A norm that is used more than once takes a step at each use.
     *
     * @param running what the statistics have become by now
     */
    private static Value batchNorm(BatchNorm bn, Node node, List<Value> in, Map<Value, Value> running) {
        Value x = in.get(0);
        List<Value> y = new BatchNorm.Training(bn.epsilon()).call(x, in.get(1), in.get(2));
        float m = (float) x.shape().size() / x.shape().get(1);
        if (m < 2) {
            throw new IllegalArgumentException("layer " + node.path() + ": batch norm over " + x.type()
                    + " has a single value per channel, whose variance is nothing to train with; use a larger batch");
        }
        float unbiased = bn.momentum() * m / (m - 1);
        running.compute(
                in.get(3), (leaf, now) -> WeightedSum.average(now == null ? leaf : now, y.get(1), bn.momentum()));
        running.compute(
                in.get(4),
                (leaf, now) ->
                        new WeightedSum(List.of(1 - bn.momentum(), unbiased)).of(now == null ? leaf : now, y.get(2)));
        return y.get(0);
    }
}
