package dev.hadal.compress;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Readers;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.model.Fuse;
import dev.hadal.op.Activation;
import dev.hadal.op.BatchNorm;
import dev.hadal.op.Bias;
import dev.hadal.op.Clamp;
import dev.hadal.op.Concat;
import dev.hadal.op.Convolution;
import dev.hadal.op.GlobalAveragePool;
import dev.hadal.op.MatMul;
import dev.hadal.op.Pooling;
import dev.hadal.op.Reshape;
import dev.hadal.op.Slice;
import dev.hadal.op.Split;
import dev.hadal.op.Transpose;
import dev.hadal.optim.Selection;
import dev.hadal.tensor.DType;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * The part of a network that is computed on 8-bit values. Products always are, unless they are to be kept; what leads from
 * one to the next – sums, pools, activations, moves – is where every reader takes 8 bits; softmax, norms and what a run
 * shows stay f32.
 */
final class Region {

    /** How a unit takes part. */
    private enum Kind {
        /** Reads 8 bits, always: that is what pays. */
        PRODUCT,
        /** Reads 8 bits if it gives 8 bits. */
        FOLLOWER,
        NONE
    }

    private final Graph graph;
    private final Map<Node, Unit> units;
    private final Readers readers;
    private final Selection layers;
    private final Set<Unit> narrow = new HashSet<>();

    /**
     * @param layers that may be quantized, by path
     */
    Region(Graph graph, Selection layers) {
        this.graph = graph;
        this.units = Unit.of(graph);
        this.readers = new Readers(graph);
        this.layers = layers;
        List<Node> nodes = graph.nodes();
        for (int i = nodes.size() - 1; i >= 0; i--) {
            Unit unit = units.get(nodes.get(i));
            if (unit != null && unit.last() == nodes.get(i) && kind(unit) != Kind.NONE) {
                boolean all = data(unit.last()).stream().allMatch(v -> !readers.isLeft(v) && isWelcome(v));
                if (all) {
                    narrow.add(unit);
                }
            }
        }
    }

    /** The units in the graph's order. */
    List<Unit> units() {
        Set<Unit> all = new LinkedHashSet<>();
        graph.nodes().stream().filter(units::containsKey).forEach(n -> all.add(unit(n)));
        return List.copyOf(all);
    }

    Unit unit(Node node) {
        return Objects.requireNonNull(units.get(node), node::toString);
    }

    List<Node> readers(Value v) {
        return readers.of(v);
    }

    /** Whether a unit reads 8-bit values. */
    boolean reads(Unit unit) {
        return kind(unit) == Kind.PRODUCT || (kind(unit) == Kind.FOLLOWER && narrow.contains(unit));
    }

    /** The values that are read in 8 bits. */
    Set<Value> values() {
        Set<Value> all = new LinkedHashSet<>();
        for (Unit unit : units()) {
            if (reads(unit)) {
                unit.operands().stream().filter(Region::isData).forEach(o -> all.add(o.value()));
            }
        }
        return all;
    }

    /** Everything that would be read in 8 bits if no layer were kept, in this graph or with fewer layers kept. */
    static Set<Value> candidates(Graph graph) {
        Set<Value> all = new LinkedHashSet<>();
        for (Unit unit : Set.copyOf(Unit.of(graph).values())) {
            if (kindOf(unit) != Kind.NONE) {
                unit.operands().stream().filter(Region::isData).forEach(o -> all.add(o.value()));
                all.addAll(data(unit.last()));
            }
        }
        return all;
    }

    /** Whether no reader needs f32, and some reader is better off with 8 bits. */
    private boolean isWelcome(Value v) {
        boolean wanted = false;
        for (Node node : readers(v)) {
            Unit unit = unit(node);
            boolean taken =
                    unit.operands().stream().filter(o -> o.value().equals(v)).allMatch(Region::isData);
            if (!taken || !reads(unit)) {
                return false;
            }
            wanted = true;
        }
        return wanted;
    }

    // ---- which ops take part ----

    private Kind kind(Unit unit) {
        return unit.nodes().stream().allMatch(n -> layers.test(n.path())) ? kindOf(unit) : Kind.NONE;
    }

    private static Kind kindOf(Unit unit) {
        Node root = unit.root();
        if (Fuse.isProduct(root.op())) {
            boolean weighted = isWeight(new Unit.Operand(root, 1));
            boolean data = isData(new Unit.Operand(root, 0))
                    && (weighted || (root.op() instanceof MatMul && isData(new Unit.Operand(root, 1))));
            return data ? Kind.PRODUCT : Kind.NONE;
        }
        boolean floats = unit.operands().stream()
                .filter(o -> o.index() == 0 || !hasParameters(o.node().op()))
                .allMatch(Region::isData);
        return follows(root.op()) && floats ? Kind.FOLLOWER : Kind.NONE;
    }

    private static boolean follows(Op op) {
        return op instanceof WeightedSum
                || op instanceof Concat
                || op instanceof Pooling
                || op instanceof GlobalAveragePool
                || op instanceof Activation
                || op instanceof Clamp
                || op instanceof Bias
                || op instanceof BatchNorm
                || keepsItsGrid(op);
    }

    /** Whether an op gives values of its operand, and no others. */
    static boolean keepsItsGrid(Op op) {
        return op instanceof Reshape
                || op instanceof Transpose
                || op instanceof Slice
                || op instanceof Split
                || (op instanceof Pooling p && p.function() == Pooling.Function.MAX);
    }

    private static boolean hasParameters(Op op) {
        return Fuse.isProduct(op) || op instanceof Bias || op instanceof BatchNorm;
    }

    /** Whether an operand is a value to be put on a grid as it comes, not a parameter. */
    static boolean isData(Unit.Operand operand) {
        Op op = operand.node().op();
        boolean place = operand.index() == 0 || !hasParameters(op) || (op instanceof MatMul && operand.index() == 1);
        Value v = operand.value();
        boolean parameter = v.node().op() instanceof Leaf leaf && leaf.role() != Role.INPUT;
        return place && !parameter && v.type().dtype() == DType.F32 && v.shape().rank() >= 1;
    }

    /** Whether an operand is the weight of a product. */
    static boolean isWeight(Unit.Operand operand) {
        return Fuse.isProduct(operand.node().op())
                && operand.index() == 1
                && operand.value().node().op() instanceof Leaf leaf
                && leaf.role() == Role.WEIGHT
                && leaf.type().dtype() == DType.F32;
    }

    /** The axis of a weight along which the results lie, each with a scale of its own. */
    static int axis(Node product) {
        if (product.op() instanceof MatMul m) {
            int rank = product.input(1).shape().rank();
            return m.transposeB() ? rank - 2 : rank - 1;
        }
        return product.op() instanceof Convolution ? 0 : 1;
    }

    /** The results that are what a node makes of its data: not where a maximum was found. */
    private static List<Value> data(Node node) {
        List<Value> data = new ArrayList<>();
        for (Value v : node.outputs()) {
            if (v.type().dtype() == DType.F32) {
                data.add(v);
            }
        }
        return data;
    }
}
