package dev.hadal.compress;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Node;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.model.Model;
import dev.hadal.op.Bias;
import dev.hadal.op.Convolution;
import dev.hadal.op.FakeQuantize;
import dev.hadal.op.LearnedStep;
import dev.hadal.op.MatMul;
import dev.hadal.op.Quantization;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;

/**
 * A network in f32 whose values lie on the grids of 8 bits, wherever the network in 8 bits has such values: what training
 * sees, and what {@link ToInt8} turns into 8 bits.
 *
 * @param region which part is quantized
 * @param grids of the original's values
 * @param values for each of these, its form on the grid
 */
record FakeQuantized(Model model, Region region, Map<Value, Quantization> grids, Map<Value, Value> values) {

    static FakeQuantized of(Calibration calibration, Int8 settings) {
        return new Insertion(calibration, settings).run();
    }

    /** One model's. */
    private static final class Insertion {
        private final Calibration calibration;
        private final Int8 settings;
        private final Graph graph;
        private final Region region;
        private final Map<String, Tensor> values;
        private final Map<Value, Quantization> grids = new LinkedHashMap<>();
        /** By original: values on their grid, and weights on theirs for each axis. */
        private final Map<Value, Value> onGrid = new HashMap<>();

        private final Map<Value, Map<Integer, Value>> weights = new HashMap<>();
        private final Map<Value, Set<Integer>> axes = new HashMap<>();

        Insertion(Calibration calibration, Int8 settings) {
            this.calibration = calibration;
            this.settings = settings;
            this.graph = calibration.model().graph();
            this.region = new Region(graph, settings.layers());
            this.values = new LinkedHashMap<>(calibration.model().values());
        }

        FakeQuantized run() {
            Grids chosen = new Grids(
                    region,
                    v -> settings.ranges().range(calibration.observation(v).histogram()));
            region.values().forEach(v -> grids.put(v, chosen.of(v)));
            for (Unit unit : region.units()) {
                Node root = unit.root();
                if (region.reads(unit) && Region.isWeight(new Unit.Operand(root, 1))) {
                    axes.computeIfAbsent(root.input(1), v -> new TreeSet<>()).add(Region.axis(root));
                    if (settings.corrects()) {
                        correct(unit);
                    }
                }
            }
            Graph fake = graph.rewrite(this::replace);
            Model model =
                    new Model(fake, values).withMetadata(calibration.model().metadata());
            return new FakeQuantized(model, region, grids, onGrid);
        }

        private List<Value> replace(Node node, List<Value> inputs, Graph target) {
            List<Value> operands = new ArrayList<>(inputs);
            if (!(node.op() instanceof Leaf)) {
                Unit unit = region.unit(node);
                for (Unit.Operand o : region.reads(unit) ? unit.operands() : List.<Unit.Operand>of()) {
                    if (o.node() == node && Region.isWeight(o)) {
                        operands.set(
                                o.index(),
                                Objects.requireNonNull(weights.get(o.value())).get(Region.axis(node)));
                    } else if (o.node() == node && Region.isData(o)) {
                        operands.set(o.index(), Objects.requireNonNull(onGrid.get(o.value())));
                    }
                }
            }
            List<Value> results = target.append(node.op(), operands);
            for (Value v :
                    node.outputs()) { // at once, so that a sum's other term is there before the product it is added to
                Value result = results.get(v.index());
                Quantization grid = grids.get(v);
                if (grid != null) {
                    onGrid.put(v, quantized(result, grid, name(v)));
                }
                for (int axis : axes.getOrDefault(v, Set.of())) {
                    weights.computeIfAbsent(v, w -> new HashMap<>()).put(axis, quantizedWeight(result, axis));
                }
            }
            return results;
        }

        private static String name(Value v) {
            Node node = v.node();
            String layer = node.op() instanceof Leaf leaf ? leaf.name() : node.path();
            return (layer.isEmpty() ? node.op().name() : layer) + (v.index() == 0 ? "" : "." + v.index());
        }

        private Value quantized(Value v, Quantization grid, String name) {
            return settings.learns()
                    ? new LearnedStep(grid.dtype(), 0, grid.zeroPoint()).of(v, step(v.graph(), name, grid))
                    : new FakeQuantize(grid).of(v);
        }

        private Value quantizedWeight(Value w, int axis) {
            String name = Graph.leafOf(w).name();
            Quantization grid =
                    Grids.ofWeight(Objects.requireNonNull(values.get(name)).floats(), w.shape(), axis);
            return settings.learns()
                    ? new LearnedStep(grid.dtype(), axis, 0).of(w, step(w.graph(), name, grid))
                    : new FakeQuantize.Dynamic(axis).of(w);
        }

        /** A weight for the step, under a name of its own. */
        private Value step(Graph target, String name, Quantization grid) {
            float[] scales = new float[grid.scales().size()];
            for (int i = 0; i < scales.length; i++) {
                scales[i] = grid.scale(i);
            }
            String own = name + ".step";
            for (int i = 2; values.containsKey(own); i++) {
                own = name + "." + i + ".step";
            }
            values.put(own, Tensor.of(Shape.of(scales.length), scales));
            return target.leaf(Role.WEIGHT, own, Type.f32(scales.length));
        }

        /**
         * Bias correction (Nagel et al. 2019, section 4.2): with δ = Q(w) − w, the error of channel o has the mean E[δ∗x]ₒ,
         * which is subtracted from its bias. As in the paper, a place at the border counts as one in the middle.
         *
         * <pre>
         *   bₒ ← bₒ − Σᵢ E[xᵢ]·Σ over the taps of δₒᵢ
         * </pre>
         */
        private void correct(Unit unit) {
            Node root = unit.root();
            boolean biased = unit.nodes().size() > 1
                    && unit.nodes().get(1).op() instanceof Bias
                    && unit.nodes().get(1).input(1).node().op() instanceof Leaf
                    && region.readers(unit.nodes().get(1).input(1)).size() == 1;
            boolean flat = root.op() instanceof MatMul m
                    && !m.transposeA()
                    && root.input(0).shape().rank() == 2
                    && root.input(1).shape().rank() == 2;
            if (!biased || !(flat || root.op() instanceof Convolution)) {
                return;
            }
            Shape shape = root.input(1).shape();
            int axis = Region.axis(root);
            Tensor w = Objects.requireNonNull(
                    values.get(Graph.leafOf(root.input(1)).name()));
            Tensor rounded = rounded(w, axis);
            double[] mean = calibration.observation(root.input(0)).means(flat);
            double[] shift = new double[shape.get(axis)];
            for (int i = 0; i < shape.size(); i++) {
                int out = i / shape.sizeFrom(axis + 1) % shape.get(axis);
                double delta = (double) rounded.floats()[i] - w.floats()[i];
                shift[out] += mean[input(root, shape, i, out)] * delta;
            }
            String bias = Graph.leafOf(unit.nodes().get(1).input(1)).name();
            float[] corrected =
                    Objects.requireNonNull(values.get(bias)).floats().clone();
            for (int o = 0; o < shift.length; o++) {
                corrected[o] = (float) (corrected[o] - shift[o]);
            }
            values.put(bias, Tensor.of(Shape.of(corrected.length), corrected));
        }

        private static Tensor rounded(Tensor w, int axis) {
            Quantization grid = Grids.ofWeight(w.floats(), w.shape(), axis);
            return grid.dequantize(grid.quantize(w));
        }

        /** Which channel of the operand an element of the weight takes. */
        private static int input(Node root, Shape w, int element, int out) {
            if (root.op() instanceof Convolution c) {
                int group = out / (w.get(0) / c.groups());
                return group * w.get(1) + element / w.sizeFrom(2) % w.get(1);
            }
            return ((MatMul) root.op()).transposeB() ? element % w.get(1) : element / w.get(1);
        }
    }
}
