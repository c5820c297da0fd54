package dev.hadal.model;

import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.flatten;
import static dev.hadal.nn.Layers.layerNorm;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.maxPool2d;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.sequential;
import static dev.hadal.nn.Layers.tanh;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Node;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.nn.Layer;
import dev.hadal.nn.Loss;
import dev.hadal.op.Cast;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What mixed precision makes of a graph. */
class MixedPrecisionTest {
    private static final Layer CNN = sequential(
            conv2d(32, 3), relu(), conv2d(64, 3), relu(), maxPool2d(2), flatten(), linear(128), relu(), linear(10));

    /** A training step. */
    private static Graph step(Layer network, Shape sample) {
        Graph graph = network.model(sample, 1)
                .apply(new BatchSize(4))
                .apply(new Training())
                .graph();
        Loss loss = Loss.crossEntropy();
        Value y = graph.output(Model.OUTPUT);
        Value l = loss.apply(y, graph.leaf(Role.INPUT, "target", loss.target(y.type())));
        graph.output("loss", l);
        Value dl = graph.leaf(Role.SCALAR, "dl", Type.f32(Shape.SCALAR));
        graph.differentiate(l, dl, graph.leaves(Role.WEIGHT))
                .forEach((w, dw) -> graph.output("d" + Graph.leafOf(w).name(), dw));
        return graph.rewrite(Graph.Rule.SAME);
    }

    private static Stream<Node> casts(Graph graph) {
        return graph.nodes().stream().filter(n -> n.op() instanceof Cast);
    }

    /** The names of the ops with an f32 result of more than one axis, in order. */
    private static List<String> wide(Graph graph) {
        return graph.nodes().stream()
                .filter(n -> n.types().stream()
                        .anyMatch(t -> t.dtype() == DType.F32 && t.shape().rank() > 1))
                .filter(n -> !n.inputs().isEmpty())
                .map(n -> n.op().name())
                .toList();
    }

    /** Between the first product and the last, all is bf16 but logits, the loss and the gradients of weights. */
    @Test
    void nothingOfAConvolutionalNetworkIsWide() {
        Graph graph = new MixedPrecision(true).apply(step(CNN, Shape.of(1, 28, 28)));
        assertEquals(
                List.of(
                        "matmul", // logits, before their bias and after it
                        "bias",
                        "cross_entropy",
                        "cross_entropy_backward",
                        "matmul", // the weights' gradients
                        "matmul",
                        "convolution_backward_weights",
                        "convolution_backward_weights"),
                wide(graph),
                graph.toString());
    }

    /** The image and the loss's gradient are cast, each once; weights are not, but come in bf16. */
    @Test
    void nothingIsCastTwice() {
        Graph mixed = new MixedPrecision(true).apply(step(CNN, Shape.of(1, 28, 28)));
        assertEquals(
                List.of("x", "cross_entropy_backward"),
                casts(mixed).map(n -> n.input(0).node().op().name()).toList(),
                mixed.toString());
        List<String> shadows = mixed.leaves(Role.WEIGHT).stream()
                .filter(v -> v.type().dtype() == DType.BF16)
                .map(v -> Graph.leafOf(v).name())
                .toList();
        assertEquals(List.of("bf16/0.weight", "bf16/2.weight", "bf16/6.weight", "bf16/8.weight"), shadows);
        Graph casting = new MixedPrecision(false).apply(step(CNN, Shape.of(1, 28, 28)));
        assertEquals(6, casts(casting).count(), casting.toString());
        assertEquals(6, casts(casting).map(n -> n.input(0)).distinct().count());
    }

    /** Norms, and functions whose slope is told from a difference, are computed of f32 and give f32. */
    @Test
    void whatNeedsF32KeepsIt() {
        Graph graph = new MixedPrecision(true)
                .apply(step(sequential(linear(8), layerNorm(), linear(8), tanh(), linear(3)), Shape.of(5)));
        for (Node node : graph.nodes()) {
            boolean keeps = List.of("layer_norm", "layer_norm_backward")
                            .contains(node.op().name())
                    || node.op().toString().startsWith("tanh");
            if (keeps) {
                Stream.concat(node.inputs().stream(), node.outputs().stream())
                        .forEach(v -> assertEquals(DType.F32, v.type().dtype(), node.toString()));
            }
        }
        assertTrue(graph.toString().contains("tanh"), graph.toString());
    }

    /** A graph without products stays as it is. */
    @Test
    void withoutProductsNothingChanges() {
        Graph graph = step(sequential(flatten(), relu(), layerNorm()), Shape.of(10));
        assertEquals(graph.toString(), new MixedPrecision(true).apply(graph).toString());
    }
}
