package dev.hadal.op;

import dev.hadal.backend.Backends;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Activation.Function;
import dev.hadal.run.Plan;
import dev.hadal.run.Session;
import dev.hadal.run.Store;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Ops in company: values stay in the layouts in which one kernel leaves them for the next, forth and back. */
@Covers({})
abstract class NetworkSpec extends Spec {

    /** A whole training step: loss, gradients, their norm, and new weights. */
    private record Step(Graph graph, Value loss, Map<Value, Value> gradients, Map<String, Tensor> leaves) {}

    /** Declares weights, and draws their values as it goes. */
    private static final class Builder {
        final Graph graph = new Graph();
        final Map<String, Tensor> leaves = new LinkedHashMap<>();
        final List<Value> weights = new ArrayList<>();
        final Draw draw;

        Builder(Draw draw) {
            this.draw = draw;
        }

        Value input(Shape shape) {
            return leaf(Role.INPUT, "x", draw.normal(shape));
        }

        Value leaf(Role role, String name, Tensor tensor) {
            leaves.put(name, tensor);
            return graph.leaf(role, name, new Type(tensor.dtype(), tensor.shape()));
        }

        Value weight(double mean, double deviation, int... dims) {
            Value w = leaf(Role.WEIGHT, "w" + weights.size(), draw.normal(mean, deviation, Shape.of(dims)));
            weights.add(w);
            return w;
        }

        Value conv(Value x, int out, int kernel, int stride) {
            int channels = x.shape().get(1);
            Value w = weight(0, Math.sqrt(2.0 / (channels * kernel * kernel)), out, channels, kernel, kernel);
            return new Convolution(Window.of(stride, kernel / 2, 1), 1).of(x, w);
        }

        Value norm(Value x) {
            int channels = x.shape().get(1);
            return new BatchNorm.Training(1e-5f).of(x, weight(1, 0.2, channels), weight(0, 0.2, channels));
        }

        Value linear(Value x, int out) {
            Value w =
                    weight(0, Math.sqrt(1.0 / x.shape().get(1)), out, x.shape().get(1));
            return new Bias().of(new MatMul(false, true).of(x, w), weight(0, 0.1, out));
        }

        Step step(Value logits) {
            int n = logits.shape().get(0);
            Value labels =
                    leaf(Role.INPUT, "labels", draw.labels(n, logits.shape().get(1)));
            Value loss = new CrossEntropy(0.1f).of(logits, labels);
            Value one = leaf(Role.SCALAR, "dloss", Tensor.of(Shape.SCALAR, 1f));
            return new Step(graph, loss, graph.differentiate(loss, one, weights), leaves);
        }
    }

    private static Step perceptron(Draw draw) {
        Builder b = new Builder(draw);
        Value x = b.input(Shape.of(17, 33));
        x = new Activation(Function.TANH).of(b.linear(x, 31));
        x = new Activation(Function.SIGMOID).of(b.linear(x, 16));
        return b.step(b.linear(x, 10));
    }

    /** A stem, a residual block, one that halves the image and widens, and a head. */
    private static Step residual(Draw draw) {
        Activation relu = new Activation(Function.RELU);
        Builder b = new Builder(draw);
        Value x = relu.of(b.norm(b.conv(b.input(Shape.of(4, 3, 12, 12)), 16, 3, 1)));
        Value y = b.norm(b.conv(relu.of(b.norm(b.conv(x, 16, 3, 1))), 16, 3, 1));
        x = relu.of(WeightedSum.sum(List.of(x, y)));
        y = b.norm(b.conv(relu.of(b.norm(b.conv(x, 17, 3, 2))), 17, 3, 1));
        x = relu.of(WeightedSum.sum(List.of(b.norm(b.conv(x, 17, 1, 2)), y)));
        Value pooled = new Reshape(List.of(0, -1)).of(new GlobalAveragePool().of(x));
        return b.step(b.linear(pooled, 10));
    }

    /**
     * Errors add up through twenty layers and back, each a few √K·u: relative to the largest gradient of each
     * weight, they stay within 2·10⁻⁵. Worst observed: 0.3 of it.
     */
    private static final double TOLERANCE = 2e-5;

    private void compare(Step step) {
        Map<Value, double[]> truth = Bench.formula(step.graph(), step.leaves());
        for (boolean free : new boolean[] {false, true}) {
            Map<Value, Tensor> values = bench().evaluate(step.graph(), step.leaves(), free);
            close("the loss", step.loss(), values, truth);
            step.gradients().forEach((w, dw) -> close("the gradient of " + w.node(), dw, values, truth));
        }
    }

    private void close(String what, Value v, Map<Value, Tensor> values, Map<Value, double[]> truth) {
        double[] expected = Objects.requireNonNull(truth.get(v));
        double scale = Arrays.stream(expected).map(Math::abs).max().orElse(0);
        double share = Truth.bounded(what, Objects.requireNonNull(values.get(v)), expected, i -> TOLERANCE * scale);
        bench().tally().error(v.node().op(), "net", share);
    }

    @TestFactory
    Stream<DynamicTest> trainingStep() {
        return Stream.concat(
                each("training step", List.of("perceptron"), (net, draw) -> compare(perceptron(draw))),
                each("training step", List.of("residual network"), (net, draw) -> compare(residual(draw))));
    }

    // ---- plans ----

    /**
     * A network of products, biases, residuals and activations in random order, whose plan may fuse some: weights are
     * shared, values are read twice or by the host.
     */
    private static Step tangle(Draw draw) {
        Builder b = new Builder(draw);
        Value x = b.input(Shape.of(draw.between(1, 3), draw.between(1, 17), draw.between(5, 9), draw.between(5, 9)));
        List<Value> seen = new ArrayList<>(List.of(x));
        Map<Shape, Value> filters = new LinkedHashMap<>();
        for (int i = 0; i < 14; i++) {
            int channels = x.shape().get(1);
            switch (draw.between(0, 5)) {
                case 0, 1 -> {
                    int out = draw.coin() ? channels : draw.between(1, 33);
                    Shape w = Shape.of(out, channels, 3, 3);
                    Value filter = filters.computeIfAbsent(
                            w, s -> b.weight(0, Math.sqrt(1.0 / s.sizeFrom(1)), out, channels, 3, 3));
                    x = new Convolution(Window.of(1, 1, 1), 1).of(x, filter);
                }
                case 2, 3 -> x = new Bias().of(x, b.weight(0, 0.3, channels));
                case 4 -> x = new Activation(draw.coin() ? Function.RELU : Function.TANH).of(x);
                default -> {
                    Value other = seen.get(draw.between(0, seen.size() - 1));
                    if (other.type().equals(x.type())) {
                        x = WeightedSum.sum(draw.coin() ? List.of(x, other) : List.of(other, x));
                    }
                }
            }
            seen.add(x);
            if (draw.between(0, 5) == 0 && !b.graph.outputs().containsValue(x)) {
                b.graph.output("shown" + i, x);
            }
        }
        Value pooled = new Reshape(List.of(0, -1)).of(new GlobalAveragePool().of(x));
        Value hidden = new Activation(Function.LEAKY_RELU).of(b.linear(pooled, 19));
        return b.step(b.linear(hidden, 7));
    }

    /** The same through a plan, which fuses, works in place and shares memory. */
    private void comparePlanned(Step step) {
        Graph graph = step.graph();
        graph.output("loss", step.loss());
        step.gradients().forEach((w, dw) -> graph.output("d" + Graph.leafOf(w).name(), dw));
        Graph alive = graph.rewrite(Graph.Rule.SAME);
        Map<Value, double[]> truth = Bench.formula(alive, step.leaves());
        Backends backends = Backends.of(bench().subject().backend()).withThreads(1);
        try (Plan plan = Plan.compile(alive, backends, Plan.Options.DEFAULT);
                Store store = Store.of(plan, step.leaves());
                Session session = plan.session(store)) {
            step.leaves().forEach((name, value) -> {
                if (session.has(name) && !plan.stored().containsKey(name)) {
                    session.write(name, value);
                }
            });
            session.run();
            alive.outputs().forEach((name, v) -> close(name + " of\n" + plan, v, Map.of(v, session.read(name)), truth));
        }
    }

    @TestFactory
    Stream<DynamicTest> planned() {
        return Stream.concat(
                each("planned", IntStream.range(0, 24).boxed().toList(), (i, draw) -> comparePlanned(tangle(draw))),
                each("planned", List.of("residual network"), (net, draw) -> comparePlanned(residual(draw))));
    }
}
