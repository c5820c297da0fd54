package dev.hadal.op;

import static dev.hadal.nn.Layers.groupNorm;
import static dev.hadal.nn.Layers.instanceNorm;
import static dev.hadal.nn.Layers.layerNorm;
import static dev.hadal.nn.Layers.logSoftmax;
import static dev.hadal.nn.Layers.rmsNorm;
import static dev.hadal.nn.Layers.softmax;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hadal.backend.jvm.Reference;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.model.BatchSize;
import dev.hadal.model.Model;
import dev.hadal.model.Safetensors;
import dev.hadal.nn.Layer;
import dev.hadal.nn.Loss;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The specification of losses, norms and softmax against PyTorch 1.13, by what scripts/fixtures/losses.py has written:
 * what comes out, and every gradient. Other backends are held against the specification.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class PyTorchTest {
    private Map<String, Tensor> fixtures = Map.of();

    @BeforeAll
    void read() throws Exception {
        Path file = Path.of(Objects.requireNonNull(PyTorchTest.class.getResource("losses.safetensors"))
                .toURI());
        fixtures = Safetensors.read(file).tensors();
    }

    private Tensor fixture(String name) {
        return Objects.requireNonNull(fixtures.get(name), name);
    }

    private static final float[] WEIGHTS = {0.5f, 1, 2, 0.25f, 1.5f};

    private static final Map<String, Loss> LOSSES = Map.of(
            "cross_entropy_plain", Loss.crossEntropy(),
            "cross_entropy_smoothed", Loss.crossEntropy(0.125),
            "cross_entropy_weighted", Loss.crossEntropy(0, WEIGHTS),
            "cross_entropy_weighted_smoothed", Loss.crossEntropy(0.125, WEIGHTS),
            "mse", Loss.mse(),
            "l1", Loss.l1(),
            "huber", Loss.huber(0.75),
            "binary_cross_entropy", Loss.binaryCrossEntropy(),
            "kl_divergence", Loss.klDivergence(),
            "cosine", Loss.cosine());

    private static final Map<String, Layer> LAYERS = Map.of(
            "layer_norm", layerNorm(),
            "layer_norm_2", layerNorm(2),
            "group_norm", groupNorm(3),
            "instance_norm", instanceNorm(),
            "rms_norm", rmsNorm(),
            "softmax-1", softmax(),
            "softmax1", softmax(1),
            "log_softmax-1", logSoftmax(),
            "log_softmax1", logSoftmax(1));

    static Stream<String> losses() {
        return LOSSES.keySet().stream()
                .flatMap(name -> name.startsWith("cross")
                        ? Stream.of(name, name + "_sequences", name + "_samples")
                        : Stream.of(name, name + "_samples"));
    }

    static Stream<String> layers() {
        return LAYERS.keySet().stream();
    }

    @ParameterizedTest
    @MethodSource("losses")
    void lossesAgree(String name) {
        Loss loss = Objects.requireNonNull(LOSSES.get(name.replaceAll("_(sequences|samples)$", "")));
        Graph graph = new Graph();
        Map<String, double[]> leaves = new HashMap<>();
        Value x = leaf(graph, leaves, name, "x");
        Value target = leaf(graph, leaves, name, "target");
        assertEquals(loss.target(x.type()), target.type());
        @Nullable Value weights = name.endsWith("_samples") ? leaf(graph, leaves, name, "weights") : null;
        Value y = loss.apply(x, target, weights);
        Value one = graph.leaf(Role.INPUT, "dy", y.type());
        leaves.put("dy", new double[] {1});
        check(graph, leaves, name, y, one, Map.of("x", x));
    }

    @ParameterizedTest
    @MethodSource("layers")
    void layersAgree(String name) {
        Tensor input = fixture(name + "/x");
        Shape sample = new Shape(input.shape().dims().subList(1, input.shape().rank()));
        Model model = Objects.requireNonNull(LAYERS.get(name)).model(sample, 1);
        Graph graph = new BatchSize(input.shape().get(0)).apply(model).graph();
        Map<String, double[]> leaves = new HashMap<>();
        Map<String, Value> wanted = new HashMap<>();
        for (String part : List.of("weight", "bias")) {
            if (fixtures.containsKey(name + "/" + part)) {
                wanted.put(part, graph.leaf(part));
                leaves.put(part, Truth.wide(fixture(name + "/" + part)));
            }
        }
        wanted.put("x", graph.leaf(Model.INPUT));
        leaves.put(Model.INPUT, Truth.wide(input));
        Value y = Objects.requireNonNull(graph.outputs().get(Model.OUTPUT));
        Value dy = leaf(graph, leaves, name, "dy");
        check(graph, leaves, name, y, dy, wanted);
    }

    /** A leaf that holds a fixture. */
    private Value leaf(Graph graph, Map<String, double[]> leaves, String name, String part) {
        Tensor value = fixture(name + "/" + part);
        leaves.put(part, Truth.wide(value));
        return graph.leaf(Role.INPUT, part, new Type(value.dtype(), value.shape()));
    }

    private void check(
            Graph graph, Map<String, double[]> leaves, String name, Value y, Value dy, Map<String, Value> wanted) {
        Map<Value, Value> gradients = graph.differentiate(y, dy, wanted.values());
        Map<Value, double[]> values = Reference.evaluate(graph, leaves);
        agree(name + "/y", values.get(y));
        wanted.forEach((part, v) -> agree(name + "/d_" + part, values.get(gradients.get(v))));
    }

    /** To the precision of the f32 in which the fixtures are kept. */
    private void agree(String name, double @Nullable [] actual) {
        float[] expected = fixture(name).floats();
        assertEquals(expected.length, Objects.requireNonNull(actual).length, name);
        for (int i = 0; i < expected.length; i++) {
            assertEquals(expected[i], actual[i], 1e-6 * Math.max(Math.abs(expected[i]), 0.1), name + " at " + i);
        }
    }

    @Test
    void everyFixtureIsRead() {
        List<String> cases = Stream.concat(losses(), layers()).sorted().toList();
        List<String> kept = fixtures.keySet().stream()
                .map(name -> name.substring(0, name.indexOf('/')))
                .distinct()
                .sorted()
                .toList();
        assertEquals(kept, cases);
    }
}
