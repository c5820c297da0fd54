package dev.hadal.compress;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Readers;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.model.Model;
import dev.hadal.model.Pass;
import dev.hadal.op.FakeQuantize;
import dev.hadal.op.LearnedStep;
import dev.hadal.op.Quantization;
import dev.hadal.op.Quantize;
import dev.hadal.op.Quantized;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Makes a network in 8 bits of one whose values have been put on grids ({@link Calibration#fakeQuantized}), and that may
 * have been trained since: weights become s8, what is computed between two grids becomes one quantized op, and the grids
 * become its quantizations. Both networks predict the same, but for the rounding of sums.
 */
public record ToInt8() implements Pass {

    @Override
    public Model apply(Model model) {
        return new Conversion(model).run();
    }

    /** One model's. */
    private static final class Conversion {
        private final Model model;
        private final Graph graph;
        private final Map<Node, Unit> units;
        private final Readers readers;
        private final Map<String, Tensor> values = new LinkedHashMap<>();
        /** Each value of the graph in the new one. */
        private final Map<Value, Value> mapped = new HashMap<>();

        Conversion(Model model) {
            this.model = model;
            this.graph = model.graph();
            this.units = Unit.of(graph);
            this.readers = new Readers(graph);
        }

        Model run() {
            Graph int8 = graph.rewrite((node, inputs, target) -> {
                List<Value> results = replace(node, target);
                for (int i = 0; i < results.size(); i++) {
                    mapped.put(node.output(i), results.get(i));
                }
                return results;
            });
            for (Role role : List.of(Role.WEIGHT, Role.STATE)) {
                for (Value leaf : int8.leaves(role)) {
                    String name = Graph.leafOf(leaf).name();
                    values.computeIfAbsent(
                            name, n -> Objects.requireNonNull(model.values().get(n)));
                }
            }
            return new Model(int8, values).withMetadata(model.metadata());
        }

        private List<Value> replace(Node node, Graph target) {
            if (node.op() instanceof Leaf) {
                return isOnlyQuantized(node) ? node.outputs() : target.append(node.op(), List.of());
            } else if (isGrid(node)) {
                return List.of(onGrid(node, target));
            }
            Unit unit = Objects.requireNonNull(units.get(node));
            List<Quantization> operands =
                    unit.operands().stream().map(o -> grid(o.value().node())).toList();
            boolean quantized = operands.stream().anyMatch(Quantization::quantizes);
            if (!quantized) {
                return target.append(
                        node.op(), node.inputs().stream().map(this::mapped).toList());
            } else if (node != unit.last()) {
                return node.outputs(); // which nobody reads: the unit stands where its last node was
            }
            List<Quantization> results =
                    node.outputs().stream().map(this::wanted).toList();
            return target.within(
                    unit.root().path(),
                    () -> target.append(
                            new Quantized(unit.op(), operands, results),
                            unit.operands().stream().map(o -> mapped(o.value())).toList()));
        }

        private Value mapped(Value v) {
            return Objects.requireNonNull(mapped.get(v), v::toString);
        }

        // ---- grids ----

        private static boolean isGrid(Node node) {
            Op op = node.op();
            return op instanceof FakeQuantize
                    || (op instanceof FakeQuantize.Dynamic && isWeight(node.input(0)))
                    || op instanceof LearnedStep;
        }

        private static boolean isWeight(Value v) {
            return v.node().op() instanceof Leaf leaf && leaf.role() == Role.WEIGHT;
        }

        /** A parameter that is read in 8 bits, or the step of a grid: there is no need of it in f32. */
        private boolean isOnlyQuantized(Node leaf) {
            boolean parameter = Graph.leafOf(leaf.output(0)).role() == Role.WEIGHT;
            List<Node> all = readers.of(leaf.output(0));
            return parameter
                    && !readers.isLeft(leaf.output(0))
                    && !all.isEmpty()
                    && all.stream().allMatch(Conversion::isGrid);
        }

        /** The grid that a node puts its operand on; {@link Quantization#NONE} if it does no such thing. */
        private Quantization grid(Node node) {
            if (node.op() instanceof FakeQuantize f) {
                return f.grid();
            } else if (node.op() instanceof FakeQuantize.Dynamic w && isWeight(node.input(0))) {
                Value weight = node.input(0);
                return Grids.ofWeight(value(weight).floats(), weight.shape(), w.axis());
            } else if (node.op() instanceof LearnedStep l) {
                List<Float> scales = new ArrayList<>();
                for (float s : value(node.input(1)).floats()) {
                    scales.add(s);
                }
                return l.grid(scales);
            }
            return Quantization.NONE;
        }

        private Tensor value(Value leaf) {
            return Objects.requireNonNull(model.values().get(Graph.leafOf(leaf).name()));
        }

        /** What is to become of a result: the grid that all its readers put it on, if that is one. */
        private Quantization wanted(Value v) {
            List<Node> all = readers.of(v);
            Quantization first = all.isEmpty() || readers.isLeft(v) ? Quantization.NONE : grid(all.get(0));
            return all.stream().allMatch(n -> grid(n).equals(first)) ? first : Quantization.NONE;
        }

        private Value onGrid(Node node, Graph target) {
            Quantization grid = grid(node);
            Leaf leaf = node.input(0).node().op() instanceof Leaf l && l.role() == Role.WEIGHT ? l : null;
            Value q = leaf == null ? quantized(node.input(0), grid) : weight(leaf, node.input(0), grid, target);
            if (readers.isLeft(node.output(0))) {
                throw new IllegalArgumentException("an output of the network is read from a grid: " + node);
            }
            return q;
        }

        private Value quantized(Value v, Quantization grid) {
            Value x = mapped(v);
            return x.type().dtype() == grid.dtype() ? x : new Quantize(grid).of(x);
        }

        private Value weight(Leaf leaf, Value w, Quantization grid, Graph target) {
            boolean alone = isOnlyQuantized(w.node()) && readers.of(w).stream().allMatch(n -> grid(n).equals(grid));
            String name = alone ? leaf.name() : leaf.name() + "/" + grid.axis() + "/s8";
            values.put(name, grid.quantize(value(w)));
            return target.leaf(Role.WEIGHT, name, new Type(grid.dtype(), w.shape()));
        }
    }
}
