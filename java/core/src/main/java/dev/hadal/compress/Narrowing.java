package dev.hadal.compress;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.model.BatchSize;
import dev.hadal.model.Model;
import dev.hadal.model.Narrowed;
import dev.hadal.op.Constant;
import dev.hadal.op.Convolution;
import dev.hadal.op.Expand;
import dev.hadal.op.GroupNorm;
import dev.hadal.op.Reshape;
import dev.hadal.op.Split;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;

/** Takes channels out of a network: its weights lose their places, and ops that name sizes name smaller ones. */
final class Narrowing {
    private final Coupling coupling;
    private final Set<Integer> dropped;

    private Narrowing(Coupling coupling, Set<Integer> dropped) {
        this.coupling = coupling;
        this.dropped = dropped;
    }

    /**
     * The network without these channels.
     *
     * @param batched its graph for batches of some size, which the channels are those of
     */
    static Narrowed of(Model model, Graph batched, Coupling coupling, Set<Integer> dropped) {
        Narrowing narrowing = new Narrowing(coupling, dropped);
        Map<String, List<List<Integer>>> kept = new LinkedHashMap<>();
        for (Leaf.Role role : List.of(Leaf.Role.WEIGHT, Leaf.Role.STATE)) {
            for (Value leaf : batched.leaves(role)) {
                kept.put(Graph.leafOf(leaf).name(), narrowing.kept(leaf));
            }
        }
        Graph narrow = batched.rewrite((node, inputs, target) -> target.append(narrowing.op(node), inputs));
        Model smaller = new Model(narrow, Narrowed.slices(model.values(), kept))
                .withMetadata(model.metadata())
                .apply(new BatchSize(1));
        return new Narrowed(smaller, kept);
    }

    private List<List<Integer>> kept(Value v) {
        return IntStream.range(0, v.shape().rank())
                .mapToObj(axis -> kept(v, axis))
                .toList();
    }

    private List<Integer> kept(Value v, int axis) {
        int[] channels = coupling.channels(v, axis);
        List<Integer> kept = IntStream.range(0, channels.length)
                .filter(i -> !dropped.contains(channels[i]))
                .boxed()
                .toList();
        if (kept.isEmpty() && channels.length > 0) {
            throw new IllegalStateException("no channel would be left along axis " + axis + " of " + v.node());
        }
        return kept;
    }

    private Shape narrow(Value v) {
        return new Shape(kept(v).stream().map(List::size).toList());
    }

    /** Groups of a convolution stay, and lose the same each, unless each is a channel. */
    private Op op(Node node) {
        Op op = node.op();
        Value y = node.output(0);
        if (op instanceof Leaf leaf) {
            return new Leaf(leaf.role(), leaf.name(), new Type(leaf.type().dtype(), narrow(y)));
        } else if (op instanceof Convolution c) {
            boolean alone = node.input(1).shape().get(1) == 1;
            return new Convolution(c.window(), alone ? narrow(node.input(0)).get(1) : c.groups());
        } else if (op instanceof GroupNorm g) {
            return new GroupNorm(narrow(node.output(1)).get(1), g.epsilon());
        } else if (op instanceof Split s) {
            int axis = Math.floorMod(s.axis(), y.shape().rank());
            return new Split(
                    s.axis(),
                    node.outputs().stream().map(v -> narrow(v).get(axis)).toList());
        } else if (op instanceof Reshape r) {
            return new Reshape(renamed(r.dims(), y));
        } else if (op instanceof Expand e) {
            return new Expand(renamed(e.dims(), y));
        } else if (op instanceof Constant c) {
            return new Constant(c.dtype(), narrow(y).dims(), c.value());
        }
        return op;
    }

    /** With the smaller sizes; what stands for a size, −1 or 0, goes on doing so. */
    private List<Integer> renamed(List<Integer> dims, Value y) {
        List<Integer> smaller = new ArrayList<>();
        for (int axis = 0; axis < dims.size(); axis++) {
            smaller.add(dims.get(axis) > 0 ? narrow(y).get(axis) : dims.get(axis));
        }
        return smaller;
    }
}
