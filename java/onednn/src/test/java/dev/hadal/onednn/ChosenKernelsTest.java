package dev.hadal.onednn;

import static dev.hadal.nn.Layers.batchNorm;
import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.flatten;
import static dev.hadal.nn.Layers.globalAveragePool;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.maxPool2d;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.residual;
import static dev.hadal.nn.Layers.sequential;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.hadal.backend.Backends;
import dev.hadal.backend.jvm.JvmBackend;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.model.BatchSize;
import dev.hadal.model.MixedPrecision;
import dev.hadal.model.Model;
import dev.hadal.model.PoolFirst;
import dev.hadal.model.Training;
import dev.hadal.nn.Layer;
import dev.hadal.nn.Loss;
import dev.hadal.onednn.natives.HadalNative;
import dev.hadal.op.Convolution;
import dev.hadal.op.Window;
import dev.hadal.run.Plan;
import dev.hadal.run.Session;
import dev.hadal.run.Store;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a residual network runs on: fast kernels, and layouts that last from one to the next. */
@Tag("native")
class ChosenKernelsTest {
    private static final int CONVOLUTIONS = 6;
    private static final Backends ONEDNN = Backends.of("onednn").withThreads(1);

    /** A stem, a residual block, one that halves the image and widens, and a head. */
    private static Layer network(int width) {
        return sequential(
                conv2d(width, 3).padded(),
                batchNorm(),
                relu(),
                residual(
                        conv2d(width, 3).padded(),
                        batchNorm(),
                        relu(),
                        conv2d(width, 3).padded(),
                        batchNorm()),
                relu(),
                residual(
                                conv2d(2 * width, 3).padded().stride(2),
                                batchNorm(),
                                relu(),
                                conv2d(2 * width, 3).padded(),
                                batchNorm())
                        .shortcut(conv2d(2 * width, 1).stride(2), batchNorm()),
                relu(),
                globalAveragePool(),
                linear(10));
    }

    private static List<String> training(int width) {
        return training(network(width), Shape.of(1, 14, 14), 64);
    }

    private static List<String> convolutional() {
        Layer network = sequential(
                conv2d(32, 3).biased(),
                relu(),
                conv2d(64, 3).biased(),
                relu(),
                maxPool2d(2),
                flatten(),
                linear(128),
                relu(),
                linear(10));
        return training(network, Shape.of(1, 28, 28), 64);
    }

    private static List<String> perceptron() {
        return training(sequential(linear(1024), relu(), linear(1024), relu(), linear(10)), Shape.of(784), 128);
    }

    /** The plan of a training step, with gradients that lie as their weights do. */
    private static List<String> training(Layer network, Shape sample, int batch) {
        return training(network, sample, batch, graph -> graph);
    }

    private static List<String> training(Layer network, Shape sample, int batch, UnaryOperator<Graph> pass) {
        Graph graph = network.model(sample, 1)
                .apply(new BatchSize(batch))
                .apply(new Training())
                .apply(new PoolFirst())
                .graph();
        Loss loss = Loss.crossEntropy();
        Value y = graph.output(Model.OUTPUT);
        Value l = loss.apply(y, graph.leaf(Role.INPUT, "labels", loss.target(y.type())));
        Value dl = graph.leaf(Role.SCALAR, "dl", Type.f32(Shape.SCALAR));
        Map<String, String> like = new HashMap<>();
        Map<String, String> alike = new HashMap<>();
        graph.differentiate(l, dl, graph.leaves(Role.WEIGHT)).forEach((w, dw) -> {
            String name = Graph.leafOf(w).name();
            graph.output("d" + name, dw);
            like.put("d" + name, name);
            alike.put(name, MixedPrecision.shadow(name));
            alike.put(MixedPrecision.shadow(name), name);
        });
        Graph alive = pass.apply(graph.rewrite(Graph.Rule.SAME));
        try (Plan plan = Plan.compile(alive, ONEDNN, new Plan.Options(null, like, alike, false))) {
            return plan.toString().lines().toList();
        }
    }

    /** The lines that hold any of the words. */
    private static List<String> with(List<String> plan, String... any) {
        return plan.stream()
                .filter(line -> Stream.of(any).anyMatch(line::contains))
                .toList();
    }

    @ParameterizedTest
    @ValueSource(ints = {8, 16, 32, 64})
    void nothingRunsInPlainLoops(int width) {
        assertEquals(List.of(), with(training(width), "ref:", "gemm"));
    }

    /** All convolutions but the first send a gradient on, and want their weights the other way round for it. */
    @ParameterizedTest
    @ValueSource(ints = {8, 16})
    void onlyWeightsAreReordered(int width) {
        List<String> plan = training(width);
        List<String> reorders = with(plan, " reorder ");
        assertEquals(CONVOLUTIONS - 1, reorders.size(), String.join("\n", reorders));
        assertEquals(reorders, with(reorders, "for convolution_backward_data"));
    }

    /** Wide layers gain more by brgemm kernels than a gradient's reorder costs. */
    @Test
    void imagesAreNeverReordered() {
        assertEquals(List.of(), with(with(training(64), " reorder "), "nhwc"));
    }

    // ---- fused steps ----

    /**
     * A product adds its bias, and applies its ReLU, but for one that comes behind a pool; a ReLU's gradient is added up to
     * that of the bias, before the pool's gradient is spread.
     */
    @Test
    void nothingIsLeftToDoAfterAProduct() {
        assumeTrue(Library.get().hasHadal());
        for (List<String> plan : List.of(convolutional(), perceptron())) {
            assertEquals(List.of(), with(plan, "onednn bias ", "onednn activation_backward "));
            assertEquals(1, with(plan, "onednn bias_backward ").size(), String.join("\n", plan));
        }
        assertEquals(List.of(), with(perceptron(), "onednn activation "));
        assertEquals(1, with(convolutional(), "onednn activation ").size());
        assertEquals(
                1, with(convolutional(), "onednn convolution+bias+activation ").size());
        assertEquals(1, with(convolutional(), "onednn convolution+bias ").size());
        assertEquals(1, with(convolutional(), "onednn matmul+bias+activation ").size());
        assertEquals(
                3,
                with(convolutional(), "onednn activation_backward+bias_backward ")
                        .size());
        assertEquals(2, with(perceptron(), "onednn matmul+bias+activation ").size());
        assertEquals(1, with(perceptron(), "onednn matmul+bias ").size());
        assertEquals(
                2,
                with(perceptron(), "onednn activation_backward+bias_backward ").size());
    }

    /** Three biases and two activations forward, and two sums of a bias backward, are no steps of their own. */
    @Test
    void aFusedPlanHasFewerSteps() {
        assumeTrue(Library.get().hasHadal());
        assertEquals(13, with(perceptron(), " -> onednn ").size());
        assertEquals(20, nodes(perceptron()));
    }

    private static long nodes(List<String> plan) {
        return plan.stream()
                .mapToLong(line -> line.split("%\\d+ = ", -1).length - 1)
                .sum();
    }

    /** Flattened images and their gradients stay as they lie; a gradient takes weights the other way round. */
    @Test
    void onlyWhatMustBeIsReordered() {
        List<String> why = with(convolutional(), " reorder ").stream()
                .map(line -> line.strip().replaceAll("%[\\d.]+ ", "").replaceAll("   ->.*", ""))
                .map(line -> line.replaceAll("AB\\w+", "blocked"))
                .toList();
        assertEquals(List.of("reorder blocked -> blocked for convolution_backward_data 2"), why);
    }

    /** More images than a cache holds are for libhadal, whose gradient of the weights lies as they do. */
    @Test
    void theGradientOfManyImagesIsFetchedAhead() {
        assumeTrue(Library.get().hasHadal() && HadalNative.isa().equals("avx512"));
        List<String> own = with(convolutional(), "-> onednn convolution_backward_weights hadal:");
        assertEquals(1, own.size());
        assertTrue(own.get(0).contains("[64,32,3,3]") && own.get(0).contains("[ABcd16b16a]"), own.get(0));
        assertEquals(List.of(), with(training(32), "convolution_backward_weights hadal:"));
    }

    /** The same sums, however they are added up. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void theGradientOfManyImagesIsThatOfJava(int stride) {
        Convolution forward = new Convolution(Window.of(stride, 1, 1), 1);
        Type x = Type.f32(8, 48, 60, 52);
        Type w = Type.f32(80, 48, 3, 3);
        Type dy = forward.infer(List.of(x, w)).get(0);
        Graph graph = new Graph();
        Value xs = graph.leaf(Role.INPUT, "x", x);
        Value dys = graph.leaf(Role.INPUT, "dy", dy);
        graph.output("dw", new Convolution.BackwardWeights(forward, w.shape()).of(xs, dys));
        float[] values = new float[Math.max(x.shape().size(), dy.shape().size())];
        Philox random = new Philox(9, 0);
        for (int i = 0; i < values.length; i++) {
            values[i] = random.normal(i);
        }
        float[] actual = gradient(graph, ONEDNN, values);
        float[] expected = gradient(graph, Backends.of(new JvmBackend()), values);
        float places = dy.shape().size() / 80f;
        for (int i = 0; i < expected.length; i++) {
            assertEquals(expected[i], actual[i], 1e-6 * places, "at " + i);
        }
    }

    private static float[] gradient(Graph graph, Backends backends, float[] values) {
        try (Plan plan = Plan.compile(graph, backends, Plan.Options.DEFAULT);
                Store store = new Store();
                Session session = plan.session(store)) {
            for (String name : List.of("x", "dy")) {
                session.write(
                        name, Arrays.copyOf(values, graph.leaf(name).shape().size()));
            }
            session.run();
            return session.read("dw").floats();
        }
    }

    // ---- bf16 ----

    /**
     * In f32 there are logits and their gradient, before and after the bias and the softmax, and the gradients of weights;
     * no activation, and no f32 copy of one within a kernel.
     */
    @Test
    void betweenTheProductsAllIsBf16() {
        assumeTrue(Library.get().hasHadal());
        List<String> convolutional = training(
                sequential(
                        conv2d(32, 3),
                        relu(),
                        conv2d(64, 3),
                        relu(),
                        maxPool2d(2),
                        flatten(),
                        linear(128),
                        relu(),
                        linear(10)),
                Shape.of(1, 28, 28),
                64,
                new MixedPrecision(true)::apply);
        assertEquals(
                List.of(
                        "[64,10]",
                        "[64,10]",
                        "[64,10]",
                        "[64,10]",
                        "[10,128]",
                        "[128,9216]",
                        "[64,32,3,3]",
                        "[32,1,3,3]"),
                wide(convolutional),
                String.join("\n", convolutional));
        List<String> residual = training(network(64), Shape.of(1, 14, 14), 64, new MixedPrecision(true)::apply);
        assertEquals(
                List.of(
                        "[64,10]",
                        "[64,10]",
                        "[64,10]",
                        "[64,10]",
                        "[10,128]",
                        "[128,64,1,1]",
                        "[128,128,3,3]",
                        "[128,64,3,3]",
                        "[64,64,3,3]",
                        "[64,64,3,3]",
                        "[64,1,3,3]"),
                wide(residual),
                String.join("\n", residual));
        assertEquals(List.of(), with(convolutional, "between bf16"));
        assertEquals(List.of(), with(residual, "between bf16"));
    }

    /** The shapes of f32 results. */
    private static List<String> wide(List<String> plan) {
        Pattern f32 = Pattern.compile("f32(\\[\\d+,[\\d,]+\\])");
        return plan.stream()
                .flatMap(line -> f32.matcher(line).results().map(found -> found.group(1)))
                .toList();
    }

    /** Nobody asks for the gradient of the images. */
    @Test
    void theInputHasNoGradient() {
        assertEquals(1, with(convolutional(), "= convolution_backward_data").size());
    }
}
