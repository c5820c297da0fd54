package dev.hadal.graph;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.jvm.Reference;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.op.Activation;
import dev.hadal.op.Activation.Function;
import dev.hadal.op.BatchNorm;
import dev.hadal.op.Bias;
import dev.hadal.op.Convolution;
import dev.hadal.op.CrossEntropy;
import dev.hadal.op.GlobalAveragePool;
import dev.hadal.op.MatMul;
import dev.hadal.op.Norm;
import dev.hadal.op.Reshape;
import dev.hadal.op.Window;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Reverse mode through graphs of several nodes. The gradients of single ops have their specs in {@code
 * dev.hadal.op}.
 */
class DifferentiationTest {
    private static final Activation RELU = new Activation(Function.RELU);
    private static final Activation TANH = new Activation(Function.TANH);

    private final Graph graph = new Graph();
    private final Map<String, double[]> leaves = new HashMap<>();
    private final Random random = new Random(5);

    private Value leaf(Role role, String name, int... dims) {
        leaves.put(name, random.doubles(Shape.of(dims).size(), -1, 1).toArray());
        return graph.leaf(role, name, Type.f32(dims));
    }

    private double[] value(@Nullable Value v) {
        return Objects.requireNonNull(Reference.evaluate(graph, leaves).get(Objects.requireNonNull(v)));
    }

    private List<String> appendedSince(int before) {
        return graph.nodes().stream().skip(before).map(Node::toString).toList();
    }

    // ---- sums ----

    @Test
    void theGradientsOfAResidualAddUp() {
        Value x = leaf(Role.INPUT, "x", 2, 3);
        Value y = WeightedSum.sum(List.of(x, TANH.of(x)));
        Value dy = leaf(Role.INPUT, "dy", 2, 3);
        Map<Value, Value> d = graph.differentiate(y, dy, List.of(x));
        assertEquals(
                List.of(
                        "%4 = tanh_backward(%1, %3) : f32[2,3]", // the branch
                        "%5 = sum(%3, %4) : f32[2,3]"), // the path around it, and the branch
                appendedSince(4));
        double[] expected = new double[6];
        for (int i = 0; i < 6; i++) {
            double t = Math.tanh(value(x)[i]);
            expected[i] = value(dy)[i] * (1 + 1 - t * t);
        }
        assertArrayEquals(expected, value(d.get(x)), 1e-15);
    }

    @Test
    void anOperandThatComesTwiceGetsBoth() {
        Value a = leaf(Role.INPUT, "a", 3, 3);
        Value y = new MatMul(false, false).of(a, a);
        Value dy = leaf(Role.INPUT, "dy", 3, 3);
        Map<Value, Value> d = graph.differentiate(y, dy, List.of(a));
        assertSlopes(y, dy, a, value(d.get(a)));
    }

    @Test
    void aSharedWeightGetsAllItsUses() {
        Value x = leaf(Role.INPUT, "x", 2, 3);
        Value w = leaf(Role.WEIGHT, "w", 3, 3);
        Value y = x;
        for (int i = 0; i < 3; i++) {
            y = TANH.of(new MatMul(false, true).of(y, w));
        }
        Value dy = leaf(Role.INPUT, "dy", 2, 3);
        Map<Value, Value> d = graph.differentiate(y, dy, List.of(w));
        assertSlopes(y, dy, w, value(d.get(w)));
        assertEquals(
                1,
                graph.nodes().stream()
                        .filter(n -> n.op() instanceof WeightedSum)
                        .count());
    }

    @Test
    void aWantedValueInTheMiddleGetsItsGradient() {
        Value x = leaf(Role.INPUT, "x", 4);
        Value middle = TANH.of(x);
        Value y = WeightedSum.sum(List.of(RELU.of(middle), middle));
        Value dy = leaf(Role.INPUT, "dy", 4);
        Map<Value, Value> d = graph.differentiate(y, dy, List.of(middle, y));
        assertEquals(Set.of(middle, y), d.keySet());
        assertEquals(dy, d.get(y));
        double[] expected = new double[4];
        for (int i = 0; i < 4; i++) {
            expected[i] = value(dy)[i] * (value(middle)[i] > 0 ? 2 : 1);
        }
        assertArrayEquals(expected, value(d.get(middle)));
    }

    // ---- several results ----

    /** (x, 2·x), with the gradient of both. */
    private record Fork() implements Op {
        @Override
        public String name() {
            return "fork";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            return List.of(in.get(0), in.get(0));
        }

        @Override
        public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
            List<Value> terms = new ArrayList<>();
            for (int i = 0; i < 2; i++) {
                Value g = dy.get(i);
                if (g != null) {
                    terms.add(i == 0 ? g : new WeightedSum(List.of(2f)).of(g));
                }
            }
            return List.of(WeightedSum.sum(terms));
        }
    }

    @Test
    void eachResultBringsItsGradient() {
        Value x = leaf(Role.INPUT, "x", 3);
        List<Value> both = new Fork().call(x);
        Value y = WeightedSum.sum(List.of(both.get(0), both.get(1), both.get(1)));
        Value dy = leaf(Role.INPUT, "dy", 3);
        graph.differentiate(y, dy, List.of(x));
        assertEquals(
                List.of(
                        "%4 = sum(%3, %3) : f32[3]", // of the second result, used twice
                        "%5 = weighted_sum[2.0](%4) : f32[3]", "%6 = sum(%3, %5) : f32[3]"),
                appendedSince(4));
    }

    @Test
    void aResultThatNothingUsesHasNoGradient() {
        Value x = leaf(Role.INPUT, "x", 3);
        Value second = new Fork().call(x).get(1);
        Value dy = leaf(Role.INPUT, "dy", 3);
        graph.differentiate(second, dy, List.of(x));
        assertEquals(List.of("%3 = weighted_sum[2.0](%2) : f32[3]"), appendedSince(3));
    }

    /** Statistics of a batch go into running ones, never into a loss: whoever tries is told, not ignored. */
    @Test
    void statisticsHaveNoGradient() {
        Value x = leaf(Role.INPUT, "x", 4, 3);
        Value scale = leaf(Role.WEIGHT, "scale", 3);
        List<Value> normal =
                graph.within("norm1", () -> new BatchNorm.Training(1e-5f).call(x, scale, leaf(Role.WEIGHT, "bias", 3)));
        Value dmean = leaf(Role.INPUT, "dmean", 3);
        Exception alone =
                assertThrows(IllegalStateException.class, () -> graph.differentiate(normal.get(1), dmean, List.of(x)));
        assertTrue(alone.toString().contains("result 1 of %3 = batch_norm_training"), alone::toString);
        assertTrue(alone.toString().contains("# norm1"), alone::toString);
        Value y = new Bias().of(normal.get(0), normal.get(1));
        Value dy = leaf(Role.INPUT, "dy", 4, 3);
        assertThrows(IllegalStateException.class, () -> graph.differentiate(y, dy, List.of(x)));
    }

    @Test
    void softmaxInsideALossHasNoGradientOfItsOwn() {
        Value x = leaf(Role.INPUT, "x", 4, 3);
        leaves.put("labels", new double[4]);
        Value labels = graph.leaf(Role.INPUT, "labels", Type.i32(4));
        Value p = new CrossEntropy(0).call(x, labels).get(1);
        Value dp = leaf(Role.INPUT, "dp", 4, 3);
        Exception e = assertThrows(IllegalStateException.class, () -> graph.differentiate(p, dp, List.of(x)));
        assertTrue(e.toString().contains("result 1 of %2 = cross_entropy"), e::toString);
    }

    // ---- only what is asked for ----

    @Test
    void whatDoesNotDependOnTheWantedGetsNoNodes() {
        Value x = leaf(Role.INPUT, "x", 2, 3);
        Value w = leaf(Role.WEIGHT, "w", 3, 3);
        Value v = leaf(Role.WEIGHT, "v", 3, 3);
        Value frozen = TANH.of(new MatMul(false, false).of(x, w)); // no gradient goes in here
        Value y = RELU.of(new MatMul(false, false).of(frozen, v));
        Value dy = leaf(Role.INPUT, "dy", 2, 3);
        int before = graph.nodes().size();
        Map<Value, Value> d = graph.differentiate(y, dy, List.of(v));
        assertEquals(Set.of(v), d.keySet());
        List<String> appended = appendedSince(before);
        assertFalse(appended.stream().anyMatch(n -> n.contains("tanh_backward")), appended::toString);
        graph.output("dv", Objects.requireNonNull(d.get(v)));
        Graph live = graph.rewrite(Graph.Rule.SAME);
        assertEquals(
                List.of("relu_backward", "matmul[aᵀ]"),
                live.nodes().stream()
                        .skip(live.nodes().size() - 2L)
                        .map(n -> n.op().toString())
                        .toList(),
                "and nothing of the frozen part's gradient after a rewrite");
    }

    @Test
    void whatTheResultDoesNotDependOnHasNoGradient() {
        Value x = leaf(Role.INPUT, "x", 3);
        Value aside = leaf(Role.WEIGHT, "aside", 3);
        Value y = TANH.of(x);
        RELU.of(aside);
        Value dy = leaf(Role.INPUT, "dy", 3);
        assertEquals(Set.of(x), graph.differentiate(y, dy, List.of(x, aside)).keySet());
        int before = graph.nodes().size();
        assertEquals(Map.of(), graph.differentiate(y, dy, List.of(aside)));
        assertEquals(before, graph.nodes().size());
    }

    /** An op without a gradient is fine beside the way, and an error on it. */
    @Test
    void anOpWithoutAGradientIsToldOnlyIfItMatters() {
        Value x = leaf(Role.INPUT, "x", 3);
        Value norm = graph.within("clip", () -> new Norm().of(x));
        Value y = TANH.of(x);
        Value dy = leaf(Role.INPUT, "dy", 3);
        assertEquals(Set.of(x), graph.differentiate(y, dy, List.of(x)).keySet());
        Value dnorm = leaf(Role.INPUT, "dnorm");
        Exception e = assertThrows(IllegalStateException.class, () -> graph.differentiate(norm, dnorm, List.of(x)));
        assertTrue(e.toString().contains("%1 = norm(%0)"), e::toString);
        assertTrue(e.toString().contains("# clip"), e::toString);
    }

    @Test
    void theGivenGradientMustFit() {
        Value y = TANH.of(leaf(Role.INPUT, "x", 3));
        Value dy = leaf(Role.INPUT, "dy", 4);
        Exception e = assertThrows(TypeException.class, () -> graph.differentiate(y, dy, List.of(y)));
        assertTrue(e.toString().contains("must be f32[3], not f32[4]"), e::toString);
    }

    @Test
    void gradientsBelongToTheLayersOfTheirForwardNodes() {
        Value x = leaf(Role.INPUT, "x", 2, 3);
        Value y = graph.within("first", () -> TANH.of(x));
        Value z = graph.within("second", () -> RELU.of(y));
        Value dz = leaf(Role.INPUT, "dz", 2, 3);
        graph.differentiate(z, dz, List.of(x));
        Map<String, String> paths =
                graph.nodes().stream().skip(4).collect(Collectors.toMap(n -> n.op().toString(), Node::path));
        assertEquals(Map.of("relu_backward", "second", "tanh_backward", "first"), paths);
    }

    // ---- a whole network ----

    /** Convolutions, norms, a residual and a head, smooth throughout: every weight against central differences. */
    @Test
    void aNetworkHasTheSlopesThatDifferencesHave() {
        Value x = leaf(Role.INPUT, "x", 3, 2, 6, 6);
        List<Value> weights = new ArrayList<>();
        Value y = normalized(convolved(x, 4, weights), weights);
        Value branch = normalized(convolved(y, 4, weights), weights);
        y = TANH.of(WeightedSum.sum(List.of(y, branch)));
        y = new Reshape(List.of(0, -1)).of(new GlobalAveragePool().of(y));
        Value head = leaf(Role.WEIGHT, "head", 5, 4);
        Value headBias = leaf(Role.WEIGHT, "head.bias", 5);
        weights.addAll(List.of(head, headBias));
        y = new Bias().of(new MatMul(false, true).of(y, head), headBias);
        leaves.put("labels", new double[] {0, 3, 4});
        Value loss = new CrossEntropy(0.1f).of(y, graph.leaf(Role.INPUT, "labels", Type.i32(3)));
        Value dloss = leaf(Role.SCALAR, "dloss");
        Map<Value, Value> d = graph.differentiate(loss, dloss, weights);
        assertEquals(Set.copyOf(weights), d.keySet());
        for (Value w : weights) {
            assertSlopes(loss, dloss, w, value(d.get(w)));
        }
    }

    private Value convolved(Value x, int out, List<Value> weights) {
        Value w = leaf(Role.WEIGHT, "conv" + weights.size(), out, x.shape().get(1), 3, 3);
        weights.add(w);
        return new Convolution(Window.of(1, 1, 1), 1).of(x, w);
    }

    private Value normalized(Value x, List<Value> weights) {
        int channels = x.shape().get(1);
        Value scale = leaf(Role.WEIGHT, "scale" + weights.size(), channels);
        Value bias = leaf(Role.WEIGHT, "bias" + weights.size(), channels);
        weights.addAll(List.of(scale, bias));
        return TANH.of(new BatchNorm.Training(1e-3f).of(x, scale, bias));
    }

    /** Central differences of ⟨dy, y⟩, in double precision: right to 10⁻⁶ of the largest slope. */
    private void assertSlopes(Value y, Value dy, Value x, double[] gradient) {
        double h = 1e-5;
        double[] values = Objects.requireNonNull(leaves.get(Graph.leafOf(x).name()));
        double scale = Arrays.stream(gradient).map(Math::abs).max().orElse(0);
        assertTrue(scale > 0, "a gradient of zeros proves nothing");
        for (int i = 0; i < values.length; i++) {
            double at = values[i];
            values[i] = at + h;
            double above = product(value(dy), value(y));
            values[i] = at - h;
            double below = product(value(dy), value(y));
            values[i] = at;
            assertEquals((above - below) / (2 * h), gradient[i], 1e-6 * scale, x + " at " + i);
        }
    }

    private static double product(double[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += a[i] * b[i];
        }
        return sum;
    }
}
