package dev.hadal.model;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Node;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Cast;
import dev.hadal.op.Dropout;
import dev.hadal.op.Reshape;
import dev.hadal.op.Transpose;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Leaves out what changes nothing in prediction: dropout, sums of one value, reshapes and transposes that lead to where
 * they come from; and makes one of two reshapes, or two transposes, in a row. For models that only predict: dropout that
 * is gone cannot come back in training.
 */
public record DropIdentities() implements Pass, Graph.Rule {

    @Override
    public Model apply(Model model) {
        return DropUnused.of(model, model.graph().rewrite(this), model.values());
    }

    /** What stands for one node. */
    @Override
    public List<Value> apply(Node node, List<Value> in, Graph target) {
        if (node.op() instanceof Dropout
                || (node.op() instanceof WeightedSum sum && sum.scales().equals(List.of(1f)))) {
            return in;
        } else if (node.op() instanceof Cast cast && in.get(0).type().dtype() == cast.dtype()) {
            return in;
        } else if (node.op() instanceof Transpose transpose) {
            return List.of(transposed(transpose, in.get(0)));
        } else if (node.op() instanceof Reshape reshape) {
            return List.of(reshaped(reshape, in.get(0)));
        }
        return target.append(node.op(), in);
    }

    /** With y's axis i as x's axis p(i), and z's axis i as y's axis q(i), z's axis i is x's axis p(q(i)). */
    private static Value transposed(Transpose q, Value y) {
        Value x = y;
        Transpose both = q;
        if (y.node().op() instanceof Transpose p) {
            x = y.node().input(0);
            both = new Transpose(
                    q.permutation().stream().map(p.permutation()::get).toList());
        }
        List<Integer> axes = both.permutation();
        return IntStream.range(0, axes.size()).allMatch(i -> axes.get(i) == i) ? x : both.of(x);
    }

    private static Value reshaped(Reshape last, Value y) {
        Value x = y;
        Reshape both = last;
        if (y.node().op() instanceof Reshape first) {
            Reshape joined = joined(first, last);
            x = joined == null ? y : y.node().input(0);
            both = joined == null ? last : joined;
        }
        boolean anyBatch = !both.dims().isEmpty() && both.dims().get(0) < 1;
        return anyBatch && both.infer(List.of(x.type())).equals(List.of(x.type())) ? x : both.of(x);
    }

    /**
     * Both reshapes in one: a dimension that the last one keeps (0) is what the first one made of it. Null if that is
     * whatever is left (−1) and the last one has such a dimension, too, so that only the batch tells.
     */
    private static @Nullable Reshape joined(Reshape first, Reshape last) {
        List<Integer> dims = new ArrayList<>();
        for (int i = 0; i < last.dims().size(); i++) {
            int kept = i < first.dims().size() ? first.dims().get(i) : 0;
            dims.add(last.dims().get(i) == 0 ? kept : last.dims().get(i));
        }
        boolean twoRests = dims.stream().filter(d -> d == -1).count() > 1;
        return twoRests ? null : new Reshape(dims);
    }
}
