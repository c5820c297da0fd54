package dev.hadal.model;

import static dev.hadal.nn.Layers.batchNorm;
import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.dropout;
import static dev.hadal.nn.Layers.flatten;
import static dev.hadal.nn.Layers.gelu;
import static dev.hadal.nn.Layers.globalAveragePool;
import static dev.hadal.nn.Layers.layerNorm;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.repeat;
import static dev.hadal.nn.Layers.residual;
import static dev.hadal.nn.Layers.sequential;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Node;
import dev.hadal.graph.Value;
import dev.hadal.nn.Layer;
import dev.hadal.op.Activation;
import dev.hadal.tensor.Shape;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;

class RecomputeTest {
    private static final String SEED = "seed";
    private static final Layer PERCEPTRON =
            sequential(linear(64), repeat(100, i -> residual(layerNorm(), linear(64), gelu(), linear(64))), linear(10));

    private static Layer convolutional(int blocks) {
        return sequential(
                conv2d(8, 3).padded(),
                repeat(
                        blocks,
                        i -> sequential(
                                residual(
                                        conv2d(8, 3).padded(),
                                        batchNorm(),
                                        relu(),
                                        conv2d(8, 3).padded(),
                                        batchNorm()),
                                relu())),
                globalAveragePool(),
                linear(10));
    }

    /** Forward and backward, from the sum of squares of what comes out. */
    private static Graph gradients(Layer layer, Shape input, int batch) {
        Graph graph = layer.model(input, 0)
                .apply(new BatchSize(batch))
                .apply(new Training())
                .graph();
        Value y = graph.output(Model.OUTPUT);
        Value seed = graph.leaf(Role.SCALAR, SEED, y.type());
        Map<Value, Value> gradients = graph.differentiate(y, seed, graph.leaves(Role.WEIGHT));
        gradients.forEach((w, dw) -> graph.output("gradient/" + Graph.leafOf(w).name(), dw));
        return graph.rewrite(Graph.Rule.SAME);
    }

    private static Recompute of(Graph graph) {
        return new Recompute(graph, graph.leaf(SEED));
    }

    private static boolean again(Node node) {
        return node.path().endsWith(Tape.AGAIN);
    }

    private static long count(Graph graph, Predicate<Node> which) {
        return graph.nodes().stream().filter(which).count();
    }

    private static long forwardProducts(Graph graph) {
        int seed = graph.leaf(SEED).node().id();
        return count(graph, n -> n.id() < seed && MultiplyAdds.of(n) > 0);
    }

    private static long productsAgain(Graph graph) {
        return count(graph, n -> again(n) && MultiplyAdds.of(n) > 0);
    }

    @Test
    void withAllTheMemoryNothingIsComputedAgain() {
        Graph graph = gradients(PERCEPTRON, Shape.of(64), 16);
        Recompute recompute = of(graph);
        assertEquals(graph.toString(), recompute.within(recompute.bytes()).toString());
    }

    @Test
    void chainsOfTwoHundredLayersTakeAFifthOfTheMemory() {
        for (Graph graph :
                List.of(gradients(PERCEPTRON, Shape.of(64), 16), gradients(convolutional(100), Shape.of(1, 8, 8), 4))) {
            Recompute recompute = of(graph);
            assertTrue(
                    recompute.leastBytes() < 0.2 * recompute.bytes(),
                    recompute.leastBytes() + " of " + recompute.bytes());
            for (double share : new double[] {0.2, 0.35, 0.6, 0.9}) {
                long bytes = (long) (share * recompute.bytes());
                long taken = of(recompute.within(bytes)).bytes();
                assertTrue(taken <= bytes, taken + " of " + bytes);
                assertTrue(taken > 0.9 * bytes, "only " + taken + " of " + bytes);
            }
        }
    }

    @Test
    void nothingIsComputedMoreThanTwice() {
        Graph graph = gradients(convolutional(40), Shape.of(1, 8, 8), 4);
        Graph least = of(graph).within(0);
        assertTrue(productsAgain(least) > forwardProducts(graph) / 2);
        assertTrue(productsAgain(least) <= forwardProducts(graph));
        List<String> products = least.nodes().stream()
                .filter(n -> again(n) && MultiplyAdds.of(n) > 0)
                .map(Node::path)
                .toList();
        assertEquals(products.stream().distinct().toList(), products);
        assertEquals(graph.nodes().size(), count(least, n -> !again(n)));
    }

    /** Where memory suffices for what costs the most, that is kept: here norms and activations alone are computed again. */
    @Test
    void cheapOpsAreForgottenBeforeProducts() {
        Graph graph = gradients(convolutional(20), Shape.of(1, 8, 8), 4);
        Recompute recompute = of(graph);
        Graph ample = recompute.within((long) (0.8 * recompute.bytes()));
        assertTrue(count(ample, n -> again(n) && n.op() instanceof Activation) > 0);
        assertTrue(productsAgain(ample) < 0.1 * forwardProducts(graph), productsAgain(ample) + " products");
    }

    @Test
    void moreMemoryMeansLessWork() {
        Graph graph = gradients(convolutional(30), Shape.of(1, 8, 8), 4);
        Recompute recompute = of(graph);
        long last = Long.MAX_VALUE;
        for (double share : new double[] {0.25, 0.35, 0.5, 0.7, 0.9}) {
            long products = productsAgain(recompute.within((long) (share * recompute.bytes())));
            assertTrue(products <= last, products + " after " + last);
            last = products;
        }
    }

    @Test
    void statisticsAreCommittedOnce() {
        Graph graph = gradients(convolutional(10), Shape.of(1, 8, 8), 4);
        Graph least = of(graph).within(0);
        assertEquals(graph.commits().size(), least.commits().size());
        least.commits()
                .values()
                .forEach(v -> assertFalse(again(v.node()), v.node().toString()));
        assertEquals(graph.outputs().keySet(), least.outputs().keySet());
    }

    @Test
    void aValueThatAnotherReadAsWellStaysApart() {
        Layer layer = sequential(flatten(), repeat(12, i -> sequential(linear(16), gelu(), dropout(0.5))));
        Graph graph = gradients(layer, Shape.of(4, 4), 8);
        Graph least = of(graph).within(0);
        int seed = least.leaf(SEED).node().id();
        int apart = 0;
        for (Node node : least.nodes()) {
            if (node.op() instanceof Activation && (node.id() < seed || again(node))) {
                assertTrue(least.isApart(node.input(0)), node.toString()); // which the backward pass reads
                assertFalse(least.isApart(node.output(0)), node.toString()); // which dropout alone reads
                apart++;
            }
        }
        assertTrue(apart > 12);
    }
}
