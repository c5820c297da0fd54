package dev.hadal.model;

import dev.hadal.graph.Fused;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Op;
import dev.hadal.op.BatchNorm;
import java.util.List;
import java.util.StringJoiner;
import java.util.function.Predicate;
import java.util.function.ToLongFunction;

/**
 * All that makes a model faster which only predicts from now on: what changes nothing or leads nowhere is left out, what
 * depends on weights alone is computed once, batch norms are folded into products, and products take what follows them.
 * Its answers are those of the model, but for rounding.
 *
 * @param arithmetic how to compute what depends on weights alone: {@code Kernels::compute}
 */
public record Inference(FoldConstants.Arithmetic arithmetic) implements Pass {

    /** One pass, what it does in words, and of what there are fewer or more when it has done it. */
    private record Step(String done, Pass pass, ToLongFunction<Model> counted) {
        static Step of(String done, Pass pass, Predicate<Op> which) {
            return new Step(done, pass, model -> model.graph().nodes().stream()
                    .filter(node -> which.test(node.op()))
                    .count());
        }

        long count(Model before, Model after) {
            return Math.abs(counted.applyAsLong(before) - counted.applyAsLong(after));
        }
    }

    private List<Step> steps() {
        Predicate<Op> computed = op -> !(op instanceof Leaf);
        return List.of(
                Step.of("unused nodes left out", new DropUnused(), op -> true),
                Step.of("identities left out", new DropIdentities(), computed),
                Step.of("constants folded", new FoldConstants(arithmetic), computed),
                Step.of("batch norms folded", new FoldBatchNorm(), BatchNorm.class::isInstance),
                Step.of("chains fused", new Fuse(), Fused.class::isInstance));
    }

    /** The passes, in their order. */
    public List<Pass> passes() {
        return steps().stream().map(Step::pass).toList();
    }

    @Override
    public Model apply(Model model) {
        Model now = model;
        for (Step step : steps()) {
            now = now.apply(step.pass);
        }
        return now;
    }

    /** What the passes do to that model, in one line: {@code batch norms folded: 21, chains fused: 22, …}. */
    public String report(Model model) {
        StringJoiner line = new StringJoiner(", ");
        Model before = model;
        for (Step step : steps()) {
            Model after = before.apply(step.pass);
            line.add(step.done + ": " + step.count(before, after));
            before = after;
        }
        return line.toString();
    }
}
