package dev.hadal.model;

import dev.hadal.graph.Fused;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Node;
import dev.hadal.op.BatchNorm;
import java.util.List;
import java.util.StringJoiner;

/**
 * All that makes a model faster which only predicts from now on: what changes nothing or leads nowhere is left out, what
 * depends on weights alone is computed once, batch norms are folded into products, and products take what follows them.
 * Its answers are those of the model, but for rounding.
 *
 * @param arithmetic how to compute what depends on weights alone: {@code Kernels::compute}
 */
public record Inference(FoldConstants.Arithmetic arithmetic) implements Pass {

    /** The passes, in their order. */
    public List<Pass> passes() {
        return List.of(
                new DropUnused(), new DropIdentities(), new FoldConstants(arithmetic), new FoldBatchNorm(), new Fuse());
    }

    @Override
    public Model apply(Model model) {
        Model now = model;
        for (Pass pass : passes()) {
            now = now.apply(pass);
        }
        return now;
    }

    /** What the passes do to that model, in one line: {@code batch norms folded: 21, chains fused: 22, …}. */
    public String report(Model model) {
        StringJoiner line = new StringJoiner(", ");
        Model before = model;
        for (Pass pass : passes()) {
            Model after = before.apply(pass);
            line.add(words(pass) + ": " + Math.abs(counted(pass, before) - counted(pass, after)));
            before = after;
        }
        return line.toString();
    }

    private static String words(Pass pass) {
        return pass instanceof DropUnused
                ? "unused nodes left out"
                : pass instanceof DropIdentities
                        ? "identities left out"
                        : pass instanceof FoldConstants
                                ? "constants folded"
                                : pass instanceof FoldBatchNorm ? "batch norms folded" : "chains fused";
    }

    /** What there are fewer or more of when the pass has done its work. */
    private static long counted(Pass pass, Model model) {
        return model.graph().nodes().stream()
                .map(Node::op)
                .filter(op -> pass instanceof Fuse
                        ? op instanceof Fused
                        : pass instanceof FoldBatchNorm
                                ? op instanceof BatchNorm
                                : pass instanceof DropUnused || !(op instanceof Leaf))
                .count();
    }
}
