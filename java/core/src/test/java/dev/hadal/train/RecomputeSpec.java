package dev.hadal.train;

import static dev.hadal.nn.Layers.averagePool2d;
import static dev.hadal.nn.Layers.batchNorm;
import static dev.hadal.nn.Layers.concat;
import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.dropout;
import static dev.hadal.nn.Layers.flatten;
import static dev.hadal.nn.Layers.gelu;
import static dev.hadal.nn.Layers.globalAveragePool;
import static dev.hadal.nn.Layers.groupNorm;
import static dev.hadal.nn.Layers.gru;
import static dev.hadal.nn.Layers.layerNorm;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.lstm;
import static dev.hadal.nn.Layers.maxPool2d;
import static dev.hadal.nn.Layers.mish;
import static dev.hadal.nn.Layers.positionalEmbedding;
import static dev.hadal.nn.Layers.prelu;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.repeat;
import static dev.hadal.nn.Layers.reshape;
import static dev.hadal.nn.Layers.residual;
import static dev.hadal.nn.Layers.sequential;
import static dev.hadal.nn.Layers.tanh;
import static dev.hadal.nn.Layers.transformerEncoderLayer;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.data.Batch;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.nn.Layer;
import dev.hadal.nn.Loss;
import dev.hadal.nn.Network;
import dev.hadal.op.Binary;
import dev.hadal.optim.Clip;
import dev.hadal.optim.Optimizer;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** What computes some of its values twice must train as if it had kept them: bit for bit, on every backend. */
public abstract class RecomputeSpec {
    private static final int SAMPLES = 12;
    private static final Shape IMAGE = Shape.of(2, 6, 6);
    private static final Layer PERCEPTRON = sequential(
            flatten(), linear(40), repeat(8, i -> residual(layerNorm(), linear(40), gelu(), linear(40))), linear(3));
    private static final Layer CONVOLUTIONAL = sequential(
            conv2d(6, 3).padded(),
            repeat(
                    5,
                    i -> sequential(
                            residual(
                                    conv2d(6, 3).padded(),
                                    batchNorm(),
                                    relu(),
                                    conv2d(6, 3).padded(),
                                    batchNorm()),
                            relu())),
            maxPool2d(2),
            conv2d(10, 1),
            mish(),
            globalAveragePool(),
            linear(3));
    private static final Layer DROPPING = sequential(
            flatten(),
            linear(40),
            repeat(6, i -> sequential(linear(40), tanh(), dropout(0.3))),
            dropout(0.1),
            linear(3));
    private static final Layer TRANSFORMER = sequential(
            reshape(6, 12),
            linear(16),
            positionalEmbedding(),
            repeat(3, i -> transformerEncoderLayer(4, 24).dropout(0.1)),
            layerNorm(),
            flatten(),
            linear(3));
    private static final Layer RECURRENT = sequential(
            reshape(6, 12), lstm(9).layers(2), residual(lstm(9)), residual(gru(9)), lstm(9).last(), linear(3));

    /** Where to train. */
    protected abstract Backends backends();

    private Trainer.Builder builder(Layer network) {
        return settings(Trainer.of(network, IMAGE));
    }

    private Trainer.Builder settings(Trainer.Builder builder) {
        return builder.optimizer(Optimizer.adamw().rate(1e-2))
                .clip(Clip.globalNorm(1))
                .batch(SAMPLES)
                .seed(5)
                .backends(backends());
    }

    private static Batch images(int samples) {
        return Batch.of(normal(IMAGE.prepend(samples), 1), classes(samples));
    }

    private static Tensor normal(Shape shape, long stream) {
        Philox random = new Philox(9, stream);
        float[] x = new float[shape.size()];
        for (int i = 0; i < x.length; i++) {
            x[i] = random.normal(i);
        }
        return Tensor.of(shape, x);
    }

    private static Tensor classes(int samples) {
        int[] labels = new int[samples];
        for (int i = 0; i < samples; i++) {
            labels[i] = i % 3;
        }
        return Tensor.of(Shape.of(samples), labels);
    }

    /** Losses, gradients, weights, statistics and moments of a few steps, by name. */
    private static Map<String, Object> course(Trainer trainer, Batch samples) {
        Map<String, Object> course = new LinkedHashMap<>();
        String[] gradients = trainer.model().values().keySet().stream()
                .filter(name -> !name.contains("running"))
                .map(name -> StepGraphs.GRADIENT + name)
                .toArray(String[]::new);
        for (int step = 0; step < 3; step++) {
            course.put(step + " gradients", trainer.inspect(samples, gradients));
            trainer.step(samples);
            course.put(step + " loss", trainer.loss());
            course.put(step + " norm", trainer.gradientNorm());
        }
        course.put("end", trainer.checkpoint().tensors());
        return course;
    }

    /** The least memory that the trainer says it can do with. */
    private static long least(Trainer.Builder builder) {
        String message = String.valueOf(assertThrows(
                        IllegalArgumentException.class,
                        () -> builder.activationMemory(1).build())
                .getMessage());
        Matcher bytes = Pattern.compile("at least (\\d+) bytes").matcher(message);
        assertTrue(bytes.find(), message);
        return Long.parseLong(bytes.group(1));
    }

    /** The same steps with all memory, with the least, and with some between. */
    private static void assertSame(Supplier<Trainer.Builder> builder, Batch samples) {
        long all;
        Map<String, Object> wanted;
        try (Trainer trainer = builder.get().build()) {
            all = trainer.activationBytes();
            wanted = course(trainer, samples);
        }
        long least = least(builder.get());
        assertTrue(least < 0.9 * all, least + " of " + all);
        for (long bytes : new long[] {least, (3 * least + all) / 4, (least + all) / 2, all - 1}) {
            try (Trainer trainer = builder.get().activationMemory(bytes).build()) {
                assertTrue(trainer.activationBytes() <= bytes, trainer.activationBytes() + " of " + bytes);
                assertTrue(trainer.plan().toString().contains("(again)"));
                Map<String, Object> got = course(trainer, samples);
                wanted.forEach((what, value) -> assertEquals(value, got.get(what), what));
            }
        }
    }

    @Test
    void aPerceptron() {
        assertSame(() -> builder(PERCEPTRON), images(SAMPLES));
    }

    @Test
    void convolutionsWithBatchNorm() {
        assertSame(() -> builder(CONVOLUTIONAL), images(SAMPLES));
    }

    /** What is computed again is rounded again. */
    @Test
    void inBf16() {
        assertSame(() -> builder(PERCEPTRON).bf16(), images(SAMPLES));
        assertSame(() -> builder(CONVOLUTIONAL).bf16(), images(SAMPLES));
    }

    @Test
    void dropoutDropsTheSameAgain() {
        assertSame(() -> builder(DROPPING), images(SAMPLES));
    }

    @Test
    void aTransformer() {
        assertSame(() -> builder(TRANSFORMER), images(SAMPLES));
    }

    @Test
    void recurrentLayers() {
        assertSame(() -> builder(RECURRENT), images(SAMPLES));
    }

    @Test
    void partsOfABatch() {
        assertSame(() -> builder(CONVOLUTIONAL).microBatch(8), images(20));
    }

    @Test
    void frozenLayers() {
        assertSame(() -> builder(CONVOLUTIONAL).freeze("0.*").freeze("1.0.**").ema(0.9), images(SAMPLES));
    }

    /** Two inputs, one encoder for both and one for each, and two outputs with losses of their own. */
    @Test
    void branchesThatShareAndMerge() {
        Layer shared = sequential(linear(24), batchNorm(), relu());
        Network network = (scope, in) -> {
            List<Value> both = new ArrayList<>();
            for (String side : List.of("left", "right")) {
                Value x = Objects.requireNonNull(in.get(side));
                Value own = scope.call(side, sequential(linear(24), tanh(), linear(24)), x);
                both.add(WeightedSum.sum(List.of(own, scope.call("shared", shared, x))));
            }
            Value product = new Binary(Binary.Function.MUL).of(both.get(0), both.get(1));
            Value deep = scope.call("deep", repeat(4, i -> residual(linear(24), gelu(), dropout(0.2))), product);
            return Map.of(
                    "kind", scope.call("kind", linear(3), deep),
                    "size", scope.call("size", linear(2), WeightedSum.sum(List.of(both.get(0), deep))));
        };
        Map<String, Type> inputs = new LinkedHashMap<>();
        inputs.put("left", Type.f32(10));
        inputs.put("right", Type.f32(10));
        Map<String, Tensor> fields = new LinkedHashMap<>();
        fields.put("left", normal(Shape.of(SAMPLES, 10), 2));
        fields.put("right", normal(Shape.of(SAMPLES, 10), 3));
        fields.put("kind", classes(SAMPLES));
        fields.put("size", normal(Shape.of(SAMPLES, 2), 4));
        assertSame(
                () -> settings(Trainer.of(network, inputs)
                        .loss("kind", Loss.crossEntropy(), 1)
                        .loss("size", Loss.mse(), 0.5)),
                Batch.of(fields));
    }

    /** Networks of layers drawn at random. */
    @Test
    void randomNetworks() {
        long seed = Long.getLong("hadal.spec.seed", 0);
        for (long draw = seed; draw < seed + 3; draw++) {
            Layer network = random(new Philox(draw, 0));
            try {
                assertSame(() -> builder(network), images(SAMPLES));
            } catch (AssertionError | RuntimeException e) {
                throw new AssertionError("-Dhadal.spec.seed=" + draw + " draws it again", e);
            }
        }
    }

    private static Layer random(Philox random) {
        List<Layer> layers = new ArrayList<>(List.of(conv2d(6, 3).padded()));
        for (int i = 0; i < 14; i++) {
            layers.add(randomImageLayer(random, 3 * i, 2));
        }
        layers.addAll(List.of(random.below(2, 100) == 0 ? globalAveragePool() : flatten(), linear(20)));
        layers.addAll(List.of(layerNorm(), random.below(2, 101) == 0 ? gelu() : tanh(), dropout(0.2), linear(3)));
        return sequential(layers.toArray(Layer[]::new));
    }

    /** Keeps the shape [6,6,6]. */
    private static Layer randomImageLayer(Philox random, int at, int depth) {
        return switch (random.below(depth > 0 ? 11 : 8, at)) {
            case 0 -> conv2d(6, 3).padded();
            case 1 -> conv2d(6, 1);
            case 2 -> batchNorm();
            case 3 -> relu();
            case 4 -> mish();
            case 5 -> groupNorm(2);
            case 6 -> dropout(0.1);
            case 7 -> prelu();
            case 8 ->
                residual(
                        randomImageLayer(random, at + 1000, depth - 1), randomImageLayer(random, at + 2000, depth - 1));
            case 9 ->
                residual(conv2d(6, 3).padded(), relu(), randomImageLayer(random, at + 3000, depth - 1))
                        .shortcut(randomImageLayer(random, at + 4000, depth - 1));
            default ->
                sequential(
                        concat(
                                1,
                                randomImageLayer(random, at + 5000, depth - 1),
                                averagePool2d(3).stride(1).padding(1)),
                        conv2d(6, 1));
        };
    }
}
