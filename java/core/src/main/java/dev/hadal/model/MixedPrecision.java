package dev.hadal.model;

import dev.hadal.graph.Fused;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Activation;
import dev.hadal.op.BatchNorm;
import dev.hadal.op.Bias;
import dev.hadal.op.Cast;
import dev.hadal.op.Concat;
import dev.hadal.op.Convolution;
import dev.hadal.op.ConvolutionTranspose;
import dev.hadal.op.Dropout;
import dev.hadal.op.GlobalAveragePool;
import dev.hadal.op.MatMul;
import dev.hadal.op.Mixed;
import dev.hadal.op.Pooling;
import dev.hadal.op.Reduce;
import dev.hadal.op.Reshape;
import dev.hadal.op.Slice;
import dev.hadal.op.SparseMatMul;
import dev.hadal.op.Split;
import dev.hadal.op.Transpose;
import dev.hadal.tensor.DType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * Mixed precision (Micikevicius et al. 2018) in bf16, whose range is that of f32, so that no loss needs scaling. Matrix
 * products and convolutions, and those of the gradient, read bf16 and add up in f32. What leads from one to the next –
 * biases, activations, pools, batch norm, sums, moves – passes bf16 on. Weights, their gradients, statistics, losses, other
 * norms and whatever a run shows stay f32. A graph is differentiated first.
 *
 * @param shadows whether the bf16 copy of a weight is a weight of its own, named by {@link #shadow}, which whoever keeps
 *     the weights keeps in step; else each run makes it anew
 */
public record MixedPrecision(boolean shadows) implements Pass {
    private static final String SHADOW = "bf16/";

    /** The name of the bf16 copy of a weight. */
    public static String shadow(String weight) {
        return SHADOW + weight;
    }

    /** The weight that a name is the bf16 copy's of; any other name as it is. */
    public static String weight(String name) {
        return name.startsWith(SHADOW) ? name.substring(SHADOW.length()) : name;
    }

    @Override
    public Model apply(Model model) {
        return model.withGraph(apply(model.graph()));
    }

    /** The same graph in mixed precision. */
    public Graph apply(Graph graph) {
        Set<Node> narrowed = narrowed(graph);
        Map<Value, Value> copies = new HashMap<>();
        return graph.rewrite((node, inputs, target) -> {
            Part part = part(node.op());
            boolean reads = part.kind == Kind.PRODUCT || narrowed.contains(node);
            List<Value> operands = new ArrayList<>(inputs);
            for (int i = 0; i < operands.size(); i++) {
                if (reads && part.wants(i) && operands.get(i).type().dtype() == DType.F32) {
                    operands.set(i, copies.computeIfAbsent(operands.get(i), this::copy));
                }
            }
            boolean mixed = operands.stream().anyMatch(v -> v.type().dtype() == DType.BF16);
            return target.append(mixed ? new Mixed(node.op(), results(node, narrowed)) : node.op(), operands);
        });
    }

    private Value copy(Value v) {
        return shadows && v.node().op() instanceof Leaf leaf && leaf.role() == Role.WEIGHT
                ? v.graph().leaf(Role.WEIGHT, shadow(leaf.name()), new Type(DType.BF16, v.shape()))
                : new Cast(DType.BF16).of(v);
    }

    private static List<DType> results(Node node, Set<Node> narrowed) {
        return node.outputs().stream()
                .map(v -> narrowed.contains(node) && isData(v)
                        ? DType.BF16
                        : v.type().dtype())
                .toList();
    }

    // ---- which nodes give bf16 ----

    /** Those that can and of whose results everything that reads them can take bf16; decided from the last to the first. */
    private static Set<Node> narrowed(Graph graph) {
        Map<Value, List<Use>> uses = new HashMap<>();
        for (Node node : graph.nodes()) {
            for (int i = 0; i < node.inputs().size(); i++) {
                uses.computeIfAbsent(node.input(i), v -> new ArrayList<>()).add(new Use(node, i));
            }
        }
        Set<Value> shown = new HashSet<>(graph.outputs().values());
        shown.addAll(graph.commits().values());
        Set<Node> narrowed = new HashSet<>();
        List<Node> nodes = graph.nodes();
        for (int i = nodes.size() - 1; i >= 0; i--) {
            Node node = nodes.get(i);
            boolean all = part(node.op()).rounds()
                    && node.outputs().stream()
                            .filter(MixedPrecision::isData)
                            .allMatch(v -> !shown.contains(v) && welcome(uses.getOrDefault(v, List.of()), narrowed));
            if (all) {
                narrowed.add(node);
            }
        }
        return narrowed;
    }

    /** Where a value is read. */
    private record Use(Node node, int operand) {}

    /** Whether no reader needs f32, and some reader is better off with bf16. */
    private static boolean welcome(List<Use> uses, Set<Node> narrowed) {
        boolean wanted = false;
        for (Use use : uses) {
            Part part = part(use.node.op());
            boolean reads = part.kind == Kind.PRODUCT || narrowed.contains(use.node);
            if (!part.takes(use.operand) || !(reads || part.kind == Kind.SUM)) {
                return false;
            }
            wanted |= reads;
        }
        return wanted;
    }

    // ---- which ops take part ----

    /** How an op takes part. */
    private enum Kind {
        /** Reads bf16, always: that is what pays. */
        PRODUCT,
        /** Reads bf16 if it gives bf16. */
        FOLLOWER,
        /** Reads what there is, and gives f32. */
        SUM,
        NONE
    }

    /**
     * How an op takes part, and with which operands.
     *
     * @param operands so many, from the first on; the others stay as they are
     * @param either which others it reads as they come, bf16 or f32
     */
    private record Part(Kind kind, int operands, Set<Integer> either) {
        static final Part NONE = new Part(Kind.NONE, 0);

        Part(Kind kind, int operands) {
            this(kind, operands, Set.of());
        }

        /** Whether it reads the operand in bf16 and nothing else. */
        boolean wants(int operand) {
            return operand < operands;
        }

        /** Whether the operand may be bf16. */
        boolean takes(int operand) {
            return wants(operand) || either.contains(operand);
        }

        boolean rounds() {
            return kind == Kind.PRODUCT || kind == Kind.FOLLOWER;
        }
    }

    private static Part part(Op op) {
        if (op instanceof Fused chain) {
            return part(chain);
        }
        if (op instanceof MatMul
                || op instanceof Convolution
                || op instanceof Convolution.BackwardData
                || op instanceof Convolution.BackwardWeights
                || op instanceof ConvolutionTranspose
                || op instanceof SparseMatMul) {
            return new Part(Kind.PRODUCT, 2);
        } else if (op instanceof WeightedSum || op instanceof Concat || op instanceof Split.Backward) {
            return new Part(Kind.FOLLOWER, Integer.MAX_VALUE);
        } else if (op instanceof BatchNorm.Backward || op instanceof Activation.Backward) {
            return follows(op) ? new Part(Kind.FOLLOWER, 2) : Part.NONE;
        } else if (op instanceof Bias.Backward || (op instanceof Reduce r && r.function() == Reduce.Function.SUM)) {
            return new Part(Kind.SUM, 1);
        }
        return follows(op) ? new Part(Kind.FOLLOWER, 1) : Part.NONE;
    }

    /** A product with all that is done to its results before they are rounded: sums read what there is. */
    private static Part part(Fused chain) {
        Part root = part(chain.root());
        if (root.kind != Kind.PRODUCT || chain.keep()) {
            return Part.NONE;
        }
        Set<Integer> either = new HashSet<>();
        int operand = chain.parts().get(0).operands();
        for (Fused.Part p : chain.epilogue()) {
            if (p.op() instanceof WeightedSum) {
                IntStream.range(operand, operand + p.operands() - 1).forEach(either::add);
            } else if (!(p.op() instanceof Bias || p.op() instanceof Activation)) {
                return Part.NONE;
            }
            operand += p.operands() - 1;
        }
        return new Part(root.kind, root.operands, either);
    }

    private static boolean follows(Op op) {
        if (op instanceof Activation a) {
            return keepsItsSlope(a.function());
        } else if (op instanceof Activation.Backward b) {
            return keepsItsSlope(b.function());
        }
        return op instanceof Bias
                || op instanceof BatchNorm
                || op instanceof BatchNorm.Training
                || op instanceof BatchNorm.Backward
                || op instanceof Pooling
                || op instanceof Pooling.MaxBackward
                || op instanceof Pooling.AverageBackward
                || op instanceof GlobalAveragePool
                || op instanceof GlobalAveragePool.Backward
                || op instanceof Dropout
                || op instanceof Dropout.Training
                || op instanceof Reshape
                || op instanceof Transpose
                || op instanceof Slice
                || op instanceof Slice.Backward
                || op instanceof Split;
    }

    /** Not where the slope is a difference that rounding would eat up, such as 1 − y². */
    private static boolean keepsItsSlope(Activation.Function f) {
        return switch (f) {
            case SIGMOID, TANH, ELU, SELU -> false;
            default -> true;
        };
    }

    /** Whether a result is what an op makes of its data; else it is a statistic, a parameter's gradient or an index. */
    private static boolean isData(Value v) {
        boolean alone = v.index() == 0 || v.node().op() instanceof Split;
        return alone && !(v.node().op() instanceof Convolution.BackwardWeights);
    }
}
