package dev.hadal.compress;

import dev.hadal.graph.Fused;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Node;
import dev.hadal.graph.Readers;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.model.Model;
import dev.hadal.model.Pass;
import dev.hadal.op.FakeQuantize;
import dev.hadal.op.MatMul;
import dev.hadal.op.Quantization;
import dev.hadal.op.Quantized;
import dev.hadal.optim.Selection;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Tensor;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * Dynamic quantization, for networks of linear layers such as transformers: weights become s8 with a scale for each result,
 * and each row of what they are multiplied with is put on the s8 grid that just holds it, when it comes. So no calibration is
 * needed, the rows of a batch do not depend on each other, and everything between products stays f32.
 *
 * @param layers that are quantized, by path
 */
public record DynamicQuantization(Selection layers) implements Pass {

    /** Of all linear layers. */
    public DynamicQuantization() {
        this(Selection.ALL);
    }

    /** Keeps the layers whose path matches a pattern, too. */
    public DynamicQuantization keep(String pattern) {
        return new DynamicQuantization(layers.with(pattern, false));
    }

    @Override
    public Model apply(Model model) {
        Map<String, Tensor> values = new LinkedHashMap<>(model.values());
        Readers readers = new Readers(model.graph());
        Set<String> replaced = new HashSet<>();
        Graph graph = model.graph().rewrite((node, inputs, target) -> {
            if (node.op() instanceof Leaf leaf && leaf.role() == Role.WEIGHT && isReplaced(node, readers)) {
                replaced.add(leaf.name());
                return node.outputs(); // which nobody reads: products read its integers
            } else if (!isProduct(node)) {
                return target.append(node.op(), inputs);
            }
            Leaf w = Graph.leafOf(node.input(1));
            Tensor weight = Objects.requireNonNull(model.values().get(w.name()));
            Quantization grid = Grids.ofWeight(weight.floats(), weight.shape(), Region.axis(node));
            String name = isReplaced(node.input(1).node(), readers) ? w.name() : w.name() + "/" + grid.axis() + "/s8";
            values.put(name, grid.quantize(weight));
            Value integers = target.leaf(Role.WEIGHT, name, new Type(DType.S8, weight.shape()));
            Fused product = Fused.of(new FakeQuantize.Dynamic(0), 1).then(node.op(), 2, 0);
            Quantized op = new Quantized(product, List.of(Quantization.NONE, grid), List.of(Quantization.NONE));
            return target.append(op, List.of(inputs.get(0), integers));
        });
        graph.leaves(Role.WEIGHT).forEach(v -> replaced.remove(Graph.leafOf(v).name()));
        replaced.forEach(values::remove);
        return new Model(graph, values).withMetadata(model.metadata());
    }

    /** A product of a matrix of rows with a weight. */
    private boolean isProduct(Node node) {
        return node.op() instanceof MatMul m
                && !m.transposeA()
                && node.input(0).shape().rank() == 2
                && node.input(1).shape().rank() == 2
                && !node.input(0).equals(node.input(1))
                && Region.isWeight(new Unit.Operand(node, 1))
                && layers.test(node.path());
    }

    /** Whether everything that reads a weight reads it in 8 bits, along one axis. */
    private boolean isReplaced(Node leaf, Readers readers) {
        List<Node> all = readers.of(leaf.output(0));
        return !all.isEmpty()
                && all.stream().allMatch(this::isProduct)
                && all.stream().map(Region::axis).distinct().count() == 1;
    }
}
