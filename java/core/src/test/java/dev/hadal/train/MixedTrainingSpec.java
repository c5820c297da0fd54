package dev.hadal.train;

import static dev.hadal.nn.Layers.batchNorm;
import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.dropout;
import static dev.hadal.nn.Layers.flatten;
import static dev.hadal.nn.Layers.globalAveragePool;
import static dev.hadal.nn.Layers.layerNorm;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.lstm;
import static dev.hadal.nn.Layers.maxPool2d;
import static dev.hadal.nn.Layers.positionalEmbedding;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.reshape;
import static dev.hadal.nn.Layers.residual;
import static dev.hadal.nn.Layers.sequential;
import static dev.hadal.nn.Layers.transformerEncoderLayer;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.backend.jvm.JvmBackend;
import dev.hadal.data.Batch;
import dev.hadal.data.Dataset;
import dev.hadal.model.Model;
import dev.hadal.nn.Layer;
import dev.hadal.optim.Clip;
import dev.hadal.optim.Optimizer;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Training in bf16, on every backend. */
@Tag("variant")
public abstract class MixedTrainingSpec {
    private static final Shape IMAGE = Shape.of(1, 8, 8);
    private static final Layer MLP =
            sequential(flatten(), linear(32), relu(), dropout(0.1), linear(24), relu(), linear(3));
    private static final Layer CNN = sequential(
            conv2d(8, 3), relu(), conv2d(16, 3), relu(), maxPool2d(2), flatten(), linear(24), relu(), linear(3));
    private static final Layer RESIDUAL = sequential(
            conv2d(16, 3).padded(),
            batchNorm(),
            relu(),
            residual(conv2d(16, 3).padded(), batchNorm(), relu(), conv2d(16, 3).padded(), batchNorm()),
            relu(),
            residual(conv2d(32, 3).padded().stride(2), batchNorm())
                    .shortcut(conv2d(32, 1).stride(2)),
            relu(),
            globalAveragePool(),
            flatten(),
            linear(3));
    private static final Layer TRANSFORMER = sequential(
            reshape(8, 8),
            linear(16),
            positionalEmbedding(),
            transformerEncoderLayer(4, 24),
            layerNorm(),
            flatten(),
            linear(3));
    private static final Layer RECURRENT = sequential(reshape(8, 8), linear(12), lstm(10).last(), linear(3));

    /** Where to train; fallback is an error where the backend is to do everything itself. */
    protected abstract Backends backends();

    /** The same where some ops may fall back to Java. */
    protected abstract Backends loose();

    private record Net(String name, Layer layer, boolean required) {}

    private static List<Net> networks() {
        return List.of(
                new Net("mlp", MLP, true),
                new Net("cnn", CNN, true),
                new Net("residual", RESIDUAL, true),
                new Net("transformer", TRANSFORMER, false),
                new Net("recurrent", RECURRENT, false));
    }

    /** Three classes of noisy 8×8 stripes. */
    private static Dataset stripes(int count, long seed) {
        Philox random = new Philox(seed, 0);
        float[] x = new float[count * 64];
        int[] labels = new int[count];
        for (int i = 0; i < count; i++) {
            labels[i] = random.below(3, i);
            for (int p = 0; p < 64; p++) {
                int line = labels[i] == 0 ? p % 8 : labels[i] == 1 ? p / 8 : p % 8 + p / 8;
                x[i * 64 + p] = line % 2 + 0.7f * random.normal(1000 + i * 64L + p);
            }
        }
        return Dataset.of(Tensor.of(IMAGE.prepend(count), x), 3, labels);
    }

    private static Batch batch(int count, long seed) {
        return stripes(count, seed).batch(IntStream.range(0, count).toArray());
    }

    private static Trainer.Builder builder(Layer network, Backends backends) {
        return Trainer.of(network, IMAGE)
                .optimizer(Optimizer.adamw().rate(3e-3))
                .batch(16)
                .seed(5)
                .backends(backends);
    }

    private static float[] floats(Map<String, Tensor> values, String name) {
        return Objects.requireNonNull(values.get(name), name).floats();
    }

    private static double distance(float[] a, float[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += (a[i] - b[i]) * (double) (a[i] - b[i]);
        }
        return Math.sqrt(sum);
    }

    private static double length(float[] x) {
        return distance(x, new float[x.length]);
    }

    // ---- as good as f32 ----

    @TestFactory
    Stream<DynamicTest> learnsAsInF32() {
        Dataset train = stripes(320, 1);
        Dataset test = stripes(200, 2);
        return networks().stream()
                .map(net -> DynamicTest.dynamicTest(net.name, () -> {
                    List<Double> losses = new ArrayList<>();
                    for (boolean bf16 : new boolean[] {false, true}) {
                        Trainer.Builder builder = builder(net.layer, net.required ? backends() : loose());
                        try (Trainer trainer = (bf16 ? builder.bf16() : builder).build()) {
                            trainer.fit(train, Fit.epochs(4));
                            losses.add(trainer.evaluate(test).get("loss"));
                        }
                    }
                    assertTrue(losses.get(0) < 0.7, losses.toString());
                    assertNotEquals(losses.get(0), losses.get(1));
                    assertEquals(losses.get(0), losses.get(1), 0.05 * (losses.get(0) + 0.3), losses.toString());
                }));
    }

    /**
     * Every weight's gradient, against the network's in f32 by plain loops that add up in double precision. A rounding is
     * off by at most 2⁻⁹, and several stand between the loss and a weight. Worst observed: 0.044, of the residual stem.
     */
    @TestFactory
    Stream<DynamicTest> gradientsAreThoseOfF32() {
        Batch batch = batch(16, 3);
        return networks().stream()
                .map(net -> DynamicTest.dynamicTest(net.name, () -> {
                    Backends here = net.required ? backends() : loose();
                    try (Trainer mixed = builder(net.layer, here).bf16().build();
                            Trainer exact = builder(net.layer, Backends.of(JvmBackend.reference()))
                                    .build()) {
                        String[] wanted = exact.model().values().keySet().stream()
                                .filter(name -> !name.contains("running"))
                                .map(name -> "gradient/" + name)
                                .toArray(String[]::new);
                        Map<String, Tensor> actual = mixed.inspect(batch, wanted);
                        Map<String, Tensor> expected = exact.inspect(batch, wanted);
                        double all = expected.values().stream()
                                .mapToDouble(t -> length(t.floats()))
                                .max()
                                .orElseThrow();
                        double worst = 0;
                        for (String name : wanted) {
                            double size = length(floats(expected, name));
                            double off = distance(floats(expected, name), floats(actual, name)) / (size + 0.01 * all);
                            worst = Math.max(worst, off);
                            assertTrue(off < 0.08, name + " is off by " + off + " of " + size);
                        }
                        assertTrue(worst > 1e-4, "nothing was rounded");
                    }
                }));
    }

    // ---- what stays f32 ----

    /** Weights whose update is lost in bf16 add up in f32. */
    @Test
    void smallStepsAreNotLost() {
        Batch batch = batch(16, 3);
        try (Trainer trainer = builder(MLP, backends())
                .optimizer(Optimizer.sgd(0).rate(1e-5))
                .bf16()
                .build()) {
            float[] before = floats(trainer.model().values(), "1.weight");
            trainer.step(batch);
            float[] after = floats(trainer.model().values(), "1.weight");
            long changed = IntStream.range(0, before.length)
                    .filter(i -> before[i] != after[i])
                    .count();
            assertTrue(changed > before.length / 2, changed + " of " + before.length);
        }
    }

    /** Evaluation is the model's own, in f32. */
    @Test
    void evaluatesInF32() {
        Dataset test = stripes(50, 2);
        try (Trainer mixed = builder(RESIDUAL, backends()).bf16().build()) {
            mixed.step(batch(16, 3));
            try (Trainer full = Trainer.of(mixed.model()).backends(backends()).build()) {
                assertEquals(
                        Objects.requireNonNull(full.evaluate(test).get("loss")),
                        Objects.requireNonNull(mixed.evaluate(test).get("loss")),
                        1e-6);
            }
        }
    }

    /** A predictor in bf16 answers nearly as one in f32. */
    @TestFactory
    Stream<DynamicTest> predicts() {
        Tensor x = batch(9, 3).x();
        return networks().stream()
                .map(net -> DynamicTest.dynamicTest(net.name, () -> {
                    Model model = net.layer.model(IMAGE, 4);
                    Backends here = net.required ? backends() : loose();
                    try (Predictor full = Predictor.of(model, here);
                            Predictor mixed = Predictor.bf16(model, here)) {
                        Tensor expected = full.predict(x);
                        Tensor actual = mixed.predict(x);
                        double off = distance(expected.floats(), actual.floats()) / length(expected.floats());
                        assertTrue(off > 1e-5 && off < 0.03, "off by " + off);
                    }
                }));
    }

    // ---- shadows ----

    private record Rule(String name, Optimizer optimizer, UnaryOperator<Trainer.Builder> more) {}

    private static List<Rule> rules() {
        List<Rule> rules = new ArrayList<>();
        Map<String, Optimizer> optimizers = new LinkedHashMap<>();
        optimizers.put("sgd", Optimizer.sgd(0));
        optimizers.put("momentum", Optimizer.sgd(0.9));
        optimizers.put("nesterov", Optimizer.sgd(0.9, true));
        optimizers.put("rmsprop", Optimizer.rmsprop(0.9, 1e-3, 0.9, true));
        optimizers.put("adam", Optimizer.adam());
        optimizers.put("adamw", Optimizer.adamw());
        optimizers.put("amsgrad", Optimizer.amsgrad(0.9, 0.9, 1e-8));
        optimizers.put("nadam", Optimizer.nadam());
        optimizers.put("lion", Optimizer.lion());
        optimizers.put("lamb", Optimizer.lamb());
        optimizers.put("muon", Optimizer.muon());
        optimizers.forEach((name, rule) -> rules.add(new Rule(name, rule, b -> b)));
        rules.add(new Rule("global norm", Optimizer.adamw(), b -> b.clip(Clip.globalNorm(0.1))));
        rules.add(new Rule("norm of each", Optimizer.adamw(), b -> b.clip(Clip.norm(0.1))));
        rules.add(new Rule("in parts", Optimizer.adamw(), b -> b.microBatch(6)));
        rules.add(new Rule("frozen", Optimizer.adamw(), b -> b.freeze("2.*")));
        rules.add(new Rule("average", Optimizer.adamw(), b -> b.ema(0.9).evaluateEma()));
        return rules;
    }

    /** The weights that steps compute with are the trained ones, rounded: a run that makes them anew goes on alike. */
    @TestFactory
    Stream<DynamicTest> aResumedRunGoesOnWithTheSameBits() {
        return rules().stream()
                .map(rule -> DynamicTest.dynamicTest(rule.name, () -> {
                    try (Trainer first = trainer(rule);
                            Trainer second = trainer(rule)) {
                        for (int i = 0; i < 3; i++) {
                            first.step(batch(16, 10 + i));
                        }
                        Checkpoint checkpoint = first.checkpoint();
                        assertTrue(
                                checkpoint.tensors().keySet().stream().noneMatch(name -> name.startsWith("bf16")),
                                checkpoint.tensors().keySet().toString());
                        second.resume(checkpoint);
                        for (Trainer trainer : List.of(first, second)) {
                            trainer.step(batch(16, 20));
                            trainer.step(batch(5, 21));
                        }
                        assertEquals(
                                first.checkpoint().tensors(),
                                second.checkpoint().tensors());
                    }
                }));
    }

    private Trainer trainer(Rule rule) {
        return rule.more
                .apply(builder(CNN, loose()).optimizer(rule.optimizer).bf16())
                .build();
    }

    @Test
    void whatIsNotFiniteChangesNothing() {
        Batch good = batch(16, 3);
        float[] bad = batch(16, 4).x().floats();
        bad[17] = Float.NaN;
        try (Trainer failed = builder(RESIDUAL, backends()).bf16().build();
                Trainer untouched = builder(RESIDUAL, backends()).bf16().build()) {
            failed.step(good);
            untouched.step(good);
            assertThrows(
                    NonFiniteException.class,
                    () -> failed.step(Batch.of(Tensor.of(IMAGE.prepend(16), bad), good.target())));
            failed.step(good);
            untouched.step(good);
            assertEquals(untouched.model().values(), failed.model().values());
        }
    }
}
