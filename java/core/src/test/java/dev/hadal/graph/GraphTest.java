package dev.hadal.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.graph.Leaf.Role;
import dev.hadal.op.Activation;
import dev.hadal.op.Activation.Function;
import dev.hadal.op.BatchNorm;
import dev.hadal.op.Bias;
import dev.hadal.op.Convolution;
import dev.hadal.op.CrossEntropy;
import dev.hadal.op.GlobalAveragePool;
import dev.hadal.op.MatMul;
import dev.hadal.op.Reshape;
import dev.hadal.op.Window;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class GraphTest {
    private static final Activation RELU = new Activation(Function.RELU);

    /** A small network with a running mean, an unused weight, and a node that leads nowhere. */
    private static Graph network() {
        Graph graph = new Graph();
        Value x = graph.leaf(Role.INPUT, "x", Type.f32(4, 1, 8, 8));
        Value labels = graph.leaf(Role.INPUT, "labels", Type.i32(4));
        List<Value> normal = graph.within("stem.conv", () -> {
            Value w = graph.leaf(Role.WEIGHT, "stem.conv.weight", Type.f32(3, 1, 3, 3));
            Value y = new Convolution(Window.of(2, 1, 1), 1).of(x, w);
            return graph.within(
                    "stem.norm",
                    () -> new BatchNorm.Training(1e-5f)
                            .call(
                                    y,
                                    graph.leaf(Role.WEIGHT, "stem.norm.scale", Type.f32(3)),
                                    graph.leaf(Role.WEIGHT, "stem.norm.bias", Type.f32(3))));
        });
        Value mean = graph.leaf(Role.STATE, "stem.norm.mean", Type.f32(3));
        graph.commit(mean, WeightedSum.average(mean, normal.get(1), 0.1f));
        Value pooled = new Reshape(List.of(0, -1)).of(new GlobalAveragePool().of(RELU.of(normal.get(0))));
        Value unused = graph.leaf(Role.WEIGHT, "unused", Type.f32(3));
        new Bias().of(pooled, unused);
        Value logits = graph.within(
                "head", () -> new MatMul(false, true).of(pooled, graph.leaf(Role.WEIGHT, "head", Type.f32(10, 3))));
        graph.output("logits", logits);
        graph.output("loss", new CrossEntropy(0.1f).of(logits, labels));
        return graph;
    }

    // ---- printing ----

    @Test
    void aPersonCanReadIt() {
        assertEquals("""
                %0 = input x() : f32[4,1,8,8]
                %1 = input labels() : i32[4]
                %2 = weight stem.conv.weight() : f32[3,1,3,3]   # stem.conv
                %3 = convolution[stride 2 pad 1](%0, %2) : f32[4,3,4,4]   # stem.conv
                %4 = weight stem.norm.scale() : f32[3]   # stem.norm
                %5 = weight stem.norm.bias() : f32[3]   # stem.norm
                %6 = batch_norm_training(%3, %4, %5) : f32[4,3,4,4], f32[3], f32[3]   # stem.norm
                %7 = state stem.norm.mean() : f32[3]
                %8 = weighted_sum[0.9, 0.1](%7, %6.1) : f32[3]
                %9 = relu(%6) : f32[4,3,4,4]
                %10 = global_average_pool(%9) : f32[4,3,1,1]
                %11 = reshape[0, -1](%10) : f32[4,3]
                %12 = weight unused() : f32[3]
                %13 = bias(%11, %12) : f32[4,3]
                %14 = weight head() : f32[10,3]   # head
                %15 = matmul[bᵀ](%11, %14) : f32[4,10]   # head
                %16 = cross_entropy[smoothing 0.1](%15, %1) : f32[], f32[4,10]
                output logits = %15
                output loss = %16
                commit stem.norm.mean = %8""", network().toString());
    }

    // ---- rewriting ----

    @Test
    void aRewriteDropsWhatLeadsNowhere() {
        Graph graph = network();
        Graph same = graph.rewrite(Graph.Rule.SAME);
        assertEquals(graph.nodes().size() - 2, same.nodes().size());
        assertEquals(
                List.of(),
                same.leaves(Role.WEIGHT).stream()
                        .filter(v -> Graph.leafOf(v).name().equals("unused"))
                        .toList());
        assertEquals(same.toString(), same.rewrite(Graph.Rule.SAME).toString(), "nothing is left to drop");
        assertTrue(same.nodes().stream().allMatch(n -> n.graph() == same));
        assertEquals(List.of("logits", "loss"), List.copyOf(same.outputs().keySet()));
        assertEquals(
                Map.of(same.leaf("stem.norm.mean"), node(same, "weighted_sum").output(0)), same.commits());
    }

    @Test
    void aRewriteKeepsPathsAndLeavesTheOriginalAlone() {
        Graph graph = network();
        String before = graph.toString();
        Graph same = graph.rewrite(Graph.Rule.SAME);
        assertEquals(before, graph.toString());
        assertEquals("stem.norm", node(same, "batch_norm_training").path());
    }

    @Test
    void aRuleReplacesNodes() {
        Graph tanh = network()
                .rewrite((node, inputs, target) -> node.op().equals(RELU)
                        ? new Activation(Function.TANH).call(inputs.get(0))
                        : target.append(node.op(), inputs));
        assertTrue(tanh.toString().contains("= tanh(%6)"), tanh::toString);
        assertTrue(!tanh.toString().contains("relu"), tanh::toString);
    }

    @Test
    void aRuleMayLeaveANodeOut() {
        Graph without = network()
                .rewrite((node, inputs, target) -> node.op().equals(RELU) ? inputs : target.append(node.op(), inputs));
        assertTrue(without.toString().contains("global_average_pool(%6)"), without::toString);
    }

    /** Inputs stay although nothing needs them: whoever feeds the graph need not know. */
    @Test
    void inputsStay() {
        Graph graph = new Graph();
        graph.leaf(Role.INPUT, "x", Type.f32(3));
        Value y = graph.leaf(Role.WEIGHT, "w", Type.f32(3));
        graph.leaf(Role.STATE, "s", Type.f32(3));
        graph.output("y", RELU.of(y));
        assertEquals("""
                %0 = input x() : f32[3]
                %1 = weight w() : f32[3]
                %2 = relu(%1) : f32[3]
                output y = %2""", graph.rewrite(Graph.Rule.SAME).toString());
    }

    // ---- leaves ----

    @Test
    void aLeafOfOneNameIsOneValue() {
        Graph graph = new Graph();
        Value w = graph.leaf(Role.WEIGHT, "w", Type.f32(3));
        assertSame(w.node(), graph.leaf(Role.WEIGHT, "w", Type.f32(3)).node());
        assertSame(
                w.node(),
                graph.append(new Leaf(Role.WEIGHT, "w", Type.f32(3)), List.of())
                        .get(0)
                        .node());
        assertSame(w.node(), graph.leaf("w").node());
        assertEquals(1, graph.nodes().size());
        assertNotSame(w.node(), graph.leaf(Role.WEIGHT, "v", Type.f32(3)).node());
    }

    @Test
    void aLeafCannotBeTwoThings() {
        Graph graph = new Graph();
        graph.leaf(Role.WEIGHT, "w", Type.f32(3));
        assertSays(
                TypeException.class,
                () -> graph.leaf(Role.WEIGHT, "w", Type.f32(4)),
                "'w' is already %0 = weight w() : f32[3], and cannot also be weight w : f32[4]");
        assertSays(
                TypeException.class,
                () -> graph.leaf(Role.STATE, "w", Type.f32(3)),
                "'w' is already %0 = weight w() : f32[3], and cannot also be state w : f32[3]");
        assertSays(TypeException.class, () -> graph.leaf(Role.WEIGHT, "w", Type.i32(3)), "weight w : i32[3]");
    }

    @Test
    void leavesComeByRoleInTheirOrder() {
        Graph graph = network();
        assertEquals(
                List.of("stem.conv.weight", "stem.norm.scale", "stem.norm.bias", "unused", "head"),
                graph.leaves(Role.WEIGHT).stream()
                        .map(v -> Graph.leafOf(v).name())
                        .toList());
        assertEquals(List.of(), graph.leaves(Role.SCALAR));
    }

    @Test
    void unknownNamesTellTheKnown() {
        Graph graph = network();
        assertSays(IllegalArgumentException.class, () -> graph.output("lost"), "no output 'lost', only [logits, loss]");
        assertSays(IllegalArgumentException.class, () -> graph.leaf("y"), "no leaf 'y', only [x, labels, stem.conv");
    }

    // ---- outputs and commits ----

    @Test
    void anOutputIsNamedOnce() {
        Graph graph = network();
        Value x = graph.leaf("x");
        assertSays(IllegalArgumentException.class, () -> graph.output("loss", x), "already has an output 'loss'");
    }

    @Test
    void aCommitFitsItsLeaf() {
        Graph graph = network();
        Value mean = graph.leaf("stem.norm.mean");
        Value next = RELU.of(mean);
        assertSays(IllegalArgumentException.class, () -> graph.commit(mean, next), "stem.norm.mean", "already takes");
        Value head = graph.leaf("head");
        assertSays(TypeException.class, () -> graph.commit(head, next), "weight head", "f32[10,3]", "f32[3]");
        assertSays(IllegalArgumentException.class, () -> graph.commit(next, mean), "only a leaf", "relu(%7)");
    }

    // ---- other people's values ----

    @Test
    void valuesOfAnotherGraphAreRefused() {
        Graph graph = network();
        Graph other = network();
        Value own = graph.leaf("x");
        Value foreign = other.leaf("x");
        String told = "%0 = input x() : f32[4,1,8,8] belongs to another graph";
        assertSays(
                IllegalArgumentException.class,
                () -> graph.append(new WeightedSum(List.of(1f, 1f)), List.of(own, foreign)),
                "weighted_sum: operand " + told);
        assertSays(IllegalArgumentException.class, () -> graph.output("y", foreign), told);
        assertSays(IllegalArgumentException.class, () -> graph.commit(own, foreign), told);
        assertSays(IllegalArgumentException.class, () -> graph.commit(foreign, own), told);
        assertSays(IllegalArgumentException.class, () -> graph.differentiate(foreign, own, List.of(own)), told);
        assertSays(IllegalArgumentException.class, () -> graph.differentiate(own, foreign, List.of(own)), told);
        assertSays(IllegalArgumentException.class, () -> graph.differentiate(own, own, List.of(foreign)), told);
    }

    // ---- paths ----

    @Test
    void pathsNest() {
        Graph graph = new Graph();
        Value x = graph.leaf(Role.INPUT, "x", Type.f32(3));
        Value y = graph.within("outer", () -> {
            Value inner = graph.within("outer.inner", () -> RELU.of(x));
            assertEquals("outer.inner", inner.node().path());
            return RELU.of(inner);
        });
        assertEquals("outer", y.node().path());
        assertEquals("", RELU.of(y).node().path());
    }

    @Test
    void aFailureLeavesThePath() {
        Graph graph = new Graph();
        Value x = graph.leaf(Role.INPUT, "x", Type.f32(3));
        assertThrows(TypeException.class, () -> graph.within("conv", () -> new Bias().of(x, x)));
        assertEquals("", RELU.of(x).node().path());
    }

    private static Node node(Graph graph, String op) {
        return graph.nodes().stream()
                .filter(n -> n.op().name().equals(op))
                .findFirst()
                .orElseThrow();
    }

    private static void assertSays(
            Class<? extends Exception> type, org.junit.jupiter.api.function.Executable failing, String... parts) {
        Exception e = assertThrows(type, failing);
        for (String part : parts) {
            assertTrue(e.toString().contains(part), () -> "'" + part + "' is not in: " + e);
        }
    }
}
