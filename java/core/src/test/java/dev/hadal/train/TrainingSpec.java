package dev.hadal.train;

import static dev.hadal.nn.Layers.batchNorm;
import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.dropout;
import static dev.hadal.nn.Layers.flatten;
import static dev.hadal.nn.Layers.globalAveragePool;
import static dev.hadal.nn.Layers.hardSwish;
import static dev.hadal.nn.Layers.layerNorm;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.lstm;
import static dev.hadal.nn.Layers.maxPool2d;
import static dev.hadal.nn.Layers.positionalEmbedding;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.relu6;
import static dev.hadal.nn.Layers.reshape;
import static dev.hadal.nn.Layers.residual;
import static dev.hadal.nn.Layers.sequential;
import static dev.hadal.nn.Layers.transformerEncoderLayer;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import dev.hadal.backend.Backends;
import dev.hadal.backend.jvm.JvmBackend;
import dev.hadal.data.Augmentation;
import dev.hadal.data.Batch;
import dev.hadal.data.BatchAugmentation;
import dev.hadal.data.Dataset;
import dev.hadal.graph.Type;
import dev.hadal.graph.TypeException;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.model.Model;
import dev.hadal.nn.Init;
import dev.hadal.nn.Layer;
import dev.hadal.nn.Loss;
import dev.hadal.nn.Network;
import dev.hadal.op.Bias;
import dev.hadal.op.Binary;
import dev.hadal.op.Concat;
import dev.hadal.optim.Clip;
import dev.hadal.optim.Optimizer;
import dev.hadal.optim.Schedule;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** What training must do on every backend: learn, repeat itself bit for bit, and refuse nonsense unharmed. */
@Tag("variant")
public abstract class TrainingSpec {
    private static final Shape IMAGE = Shape.of(1, 6, 6);
    private static final Layer CONVOLUTIONAL = sequential(
            conv2d(8, 3).padded(),
            batchNorm(),
            relu(),
            residual(conv2d(8, 3).padded(), batchNorm(), relu(), conv2d(8, 3).padded(), batchNorm()),
            relu(),
            residual(conv2d(12, 3).padded().stride(2), batchNorm())
                    .shortcut(conv2d(12, 1).stride(2)),
            globalAveragePool(),
            linear(3));
    private static final Layer MOBILE = sequential(
            conv2d(8, 3).padded().stride(2),
            batchNorm(),
            hardSwish(),
            residual(
                    conv2d(16, 1),
                    batchNorm(),
                    relu6(),
                    conv2d(16, 3).padded().groups(16),
                    batchNorm(),
                    relu6(),
                    conv2d(8, 1),
                    batchNorm()),
            globalAveragePool(),
            dropout(0.1),
            linear(3));
    private static final Layer TRANSFORMER = sequential(
            reshape(6, 6),
            linear(16),
            positionalEmbedding(),
            transformerEncoderLayer(4, 24).dropout(0.1),
            transformerEncoderLayer(2, 24).masked(),
            layerNorm(),
            flatten(),
            linear(3));
    private static final Layer RECURRENT =
            sequential(reshape(6, 6), lstm(9).layers(2).last(), linear(3));
    /** Wide enough for its flattened images to meet weights that lie as they do. */
    private static final Layer FLATTENED =
            sequential(conv2d(16, 3).biased(), relu(), maxPool2d(2), flatten(), linear(70), relu(), linear(3));

    private static final Layer MLP = sequential(flatten(), linear(17), relu(), linear(3));

    /** Where to train; fallback is an error where the backend is to do everything itself. */
    protected abstract Backends backends();

    /** Three classes of noisy 6×6 stripes. */
    private static Dataset stripes(int count, long seed) {
        Philox random = new Philox(seed, 0);
        float[] x = new float[count * 36];
        int[] labels = new int[count];
        for (int i = 0; i < count; i++) {
            labels[i] = random.below(3, i);
            for (int p = 0; p < 36; p++) {
                int line = labels[i] == 0 ? p % 6 : labels[i] == 1 ? p / 6 : p % 6 + p / 6;
                x[i * 36 + p] = line % 2 + 0.3f * random.normal(1000 + i * 36L + p);
            }
        }
        return Dataset.of(Tensor.of(IMAGE.prepend(count), x), 3, labels);
    }

    private static Tensor images(Dataset data) {
        return all(data).x();
    }

    private static Tensor labels(Dataset data) {
        return all(data).target();
    }

    private static Batch all(Dataset data) {
        return data.batch(IntStream.range(0, data.size()).toArray());
    }

    private Trainer.Builder builder(Layer network) {
        return Trainer.of(network, IMAGE)
                .optimizer(
                        Optimizer.adamw().rate(Schedule.cosine(1e-2).warmup(5)).weightDecay(0.05))
                .clip(Clip.globalNorm(1))
                .batch(16)
                .seed(7)
                .backends(backends());
    }

    private static void assertRefused(Class<? extends Exception> type, String words, Executable call) {
        String message = String.valueOf(assertThrows(type, call).getMessage());
        assertTrue(message.contains(words), message);
    }

    @Test
    void learnsAndPredictsTheSameFromASavedModel(@TempDir Path dir) throws Exception {
        Dataset test = stripes(50, 2);
        Model model;
        try (Trainer trainer = builder(CONVOLUTIONAL).build()) {
            List<Epoch> history = trainer.fit(stripes(200, 1), Fit.epochs(4).validateOn(test));
            assertTrue(history.get(3).loss() < history.get(0).loss() / 2, history.toString());
            assertTrue(history.get(3).validationAccuracy() >= 0.95, history.toString());
            model = trainer.model();
        }
        Path file = dir.resolve("stripes.safetensors");
        model.save(file);
        try (Predictor before = Predictor.of(model, backends());
                Predictor after = Predictor.of(Model.load(file), backends())) {
            assertEquals(before.predict(images(test)), after.predict(images(test)));
        }
    }

    @Test
    void aRunRepeatsItselfBitForBit() {
        List<Map<String, Tensor>> ends = new ArrayList<>();
        for (int run = 0; run < 2; run++) {
            try (Trainer trainer = builder(CONVOLUTIONAL).build()) {
                trainer.fit(
                        stripes(72, 3),
                        Fit.epochs(2).augment(Augmentation.shift(1).then(Augmentation.flip())));
                ends.add(trainer.model().values());
            }
        }
        assertEquals(ends.get(0), ends.get(1));
    }

    /** What is shifted and flipped at random is harder to learn by heart. */
    @Test
    void augmentationIsSeenInTheLossCurve() {
        Dataset few = stripes(32, 10);
        double[] losses = new double[2];
        for (boolean augmented : new boolean[] {false, true}) {
            Fit how = Fit.epochs(12);
            try (Trainer trainer = builder(MLP).build()) {
                List<Epoch> curve = trainer.fit(
                        few, augmented ? how.augment(Augmentation.shift(2).then(Augmentation.flip())) : how);
                losses[augmented ? 1 : 0] = curve.get(11).loss();
            }
        }
        assertTrue(losses[1] > 2 * losses[0], Arrays.toString(losses));
    }

    /** Three steps of every backend end close to the float64-accumulating reference's. */
    /** With a distribution that is sure of one class, both cross-entropies are the same, up to rounding. */
    @Test
    void softTargetsThatAreSureTrainAsLabelsDo() {
        float[] weights = new float[16];
        for (int i = 0; i < 16; i++) {
            weights[i] = i / 8f;
        }
        Dataset data = stripes(16, 1).weighted(weights);
        try (Trainer hard = builder(MLP).sampleWeights().build();
                Trainer soft = builder(MLP)
                        .sampleWeights()
                        .loss(Loss.softCrossEntropy())
                        .build()) {
            for (int step = 0; step < 5; step++) {
                hard.step(all(data));
                soft.step(all(data.oneHot()));
                assertEquals(hard.loss(), soft.loss(), 1e-5);
            }
            hard.model().values().forEach((name, w) -> {
                float[] other =
                        Objects.requireNonNull(soft.model().values().get(name)).floats();
                for (int i = 0; i < other.length; i++) {
                    assertEquals(w.floats()[i], other[i], 1e-4, name);
                }
            });
            float[] wrong = all(data.oneHot()).target().floats();
            wrong[5] = -0.5f;
            Batch bad = Batch.of(Map.of(
                    "x",
                    images(data),
                    "target",
                    Tensor.of(Shape.of(16, 3), wrong),
                    "weight",
                    Tensor.of(Shape.of(16), new float[16])));
            assertRefused(IllegalArgumentException.class, "sample 1 is -0.5", () -> soft.step(bad));
        }
    }

    @Test
    void mixedSamplesTrain() {
        Dataset test = stripes(60, 2).oneHot();
        try (Trainer trainer =
                builder(CONVOLUTIONAL).loss(Loss.softCrossEntropy()).build()) {
            List<Epoch> history = trainer.fit(
                    stripes(160, 1),
                    Fit.epochs(8)
                            .batching(b -> b.batchAugmentation(BatchAugmentation.mixup(0.4)))
                            .metrics(Metrics.accuracy())
                            .validateOn(test));
            Epoch last = history.get(history.size() - 1);
            assertTrue(last.validationAccuracy() > 0.9, history.toString());
        }
    }

    @Test
    void agreesWithTheReference() {
        for (Layer network : List.of(CONVOLUTIONAL, FLATTENED, MLP, MOBILE, TRANSFORMER, RECURRENT)) {
            for (Optimizer rule : List.of(
                    Optimizer.adamw(), Optimizer.sgd(0.9, true).rate(0.05).weightDecay(0.01))) {
                Map<String, Tensor> here = threeSteps(network, rule, backends());
                Map<String, Tensor> there = threeSteps(network, rule, Backends.of(JvmBackend.reference()));
                for (Map.Entry<String, Tensor> e : there.entrySet()) {
                    float[] expected = e.getValue().floats();
                    float[] actual =
                            Objects.requireNonNull(here.get(e.getKey())).floats();
                    for (int i = 0; i < expected.length; i++) {
                        // AdamW's first steps have the size of the rate, 10⁻³, whatever the gradient: a gradient near
                        // zero may take either sign.
                        assertEquals(expected[i], actual[i], 2e-3 + 1e-3 * Math.abs(expected[i]), e.getKey());
                    }
                    // The loss does not depend on the biases of keys: their gradients are noise, which AdamW makes
                    // large.
                    boolean noise = e.getKey().endsWith("in_proj_bias");
                    assertTrue(noise || distance(expected, actual) < 1e-3 * (1 + length(expected)), e.getKey());
                }
            }
        }
    }

    private static Map<String, Tensor> threeSteps(Layer network, Optimizer rule, Backends backends) {
        Dataset data = stripes(16, 4);
        try (Trainer trainer = Trainer.of(network, IMAGE)
                .optimizer(rule)
                .batch(16)
                .seed(7)
                .backends(backends)
                .build()) {
            for (int i = 0; i < 3; i++) {
                trainer.step(images(data), labels(data));
            }
            return trainer.model().values();
        }
    }

    private static double length(float[] x) {
        return distance(x, new float[x.length]);
    }

    private static double distance(float[] a, float[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += (a[i] - b[i]) * (double) (a[i] - b[i]);
        }
        return Math.sqrt(sum);
    }

    @Test
    void clippingLimitsTheStep() {
        Dataset data = stripes(16, 4);
        try (Trainer trainer = builder(MLP)
                .optimizer(Optimizer.sgd(0).rate(1))
                .clip(Clip.globalNorm(0.125))
                .build()) {
            Map<String, Tensor> before = trainer.model().values();
            trainer.step(images(data), labels(data));
            double moved = 0;
            for (Map.Entry<String, Tensor> e : trainer.model().values().entrySet()) {
                moved += Math.pow(
                        distance(
                                Objects.requireNonNull(before.get(e.getKey())).floats(),
                                e.getValue().floats()),
                        2);
            }
            assertTrue(trainer.gradientNorm() > 0.25, "norm " + trainer.gradientNorm());
            assertEquals(0.125, Math.sqrt(moved), 1e-4);
        }
    }

    @Test
    void whatIsNotFiniteChangesNothing() {
        Dataset data = stripes(16, 5);
        try (Trainer trainer = builder(CONVOLUTIONAL).build()) {
            trainer.step(images(data), labels(data));
            Map<String, Tensor> before = trainer.model().values();
            float[] bad = images(data).floats();
            bad[17] = Float.NaN;
            assertRefused(
                    NonFiniteException.class,
                    "is NaN at step 1",
                    () -> trainer.step(Tensor.of(IMAGE.prepend(16), bad), labels(data)));
            assertEquals(before, trainer.model().values());
            trainer.step(images(data), labels(data));
            assertFalse(before.equals(trainer.model().values()));
        }
    }

    /** The first node that is not finite, whatever became of it later. */
    @Test
    void theNodeAtWhichItAroseIsNamed() {
        Dataset data = stripes(16, 5);
        try (Trainer trainer =
                builder(sequential(flatten(), linear(5), relu(), linear(3))).build()) {
            Map<String, Tensor> values = new LinkedHashMap<>(trainer.model().values());
            float[] w = Objects.requireNonNull(values.get("3.weight")).floats().clone();
            Arrays.fill(w, 3e38f);
            values.put("3.weight", Tensor.of(Shape.of(3, 5), w));
            trainer.restore(values);
            NonFiniteException e =
                    assertThrows(NonFiniteException.class, () -> trainer.step(images(data), labels(data)));
            assertEquals("3", e.path(), e.getMessage());
        }
    }

    @Test
    void checkedEveryNodeFindsWhatTheLossDoesNotShow() {
        Dataset data = stripes(16, 5);
        // 0·x is lost on the way forward, 0·∞ is not
        Layer hidden = (scope, x) -> {
            Value big = scope.weight("big", Shape.of(3), Init.constant(3e38f));
            return new Bias().of(x, new WeightedSum(List.of(1e-38f)).of(new WeightedSum(List.of(10f)).of(big)));
        };
        for (boolean checked : new boolean[] {false, true}) {
            Trainer.Builder builder =
                    builder(sequential(flatten(), linear(3), hidden)).optimizer(Optimizer.sgd(0));
            try (Trainer trainer = (checked ? builder.checkEveryNode() : builder).build()) {
                NonFiniteException e =
                        assertThrows(NonFiniteException.class, () -> trainer.step(images(data), labels(data)));
                assertEquals("2", e.path(), e.getMessage());
                assertTrue(String.valueOf(e.getMessage()).contains(checked ? "a value is Inf" : "the loss is"));
            }
        }
    }

    /** The gradients of parts, added up, are the whole batch's; where nothing sees the batch, such as batch norm. */
    @Test
    void aBatchInPartsTrainsAsAWhole() {
        Dataset data = stripes(14, 4);
        List<Map<String, Tensor>> ends = new ArrayList<>();
        for (int part : new int[] {14, 4}) {
            try (Trainer trainer = builder(MLP)
                    .optimizer(Optimizer.sgd(0.9).rate(0.1))
                    .microBatch(part)
                    .build()) {
                for (int i = 0; i < 5; i++) {
                    trainer.step(images(data), labels(data));
                }
                ends.add(trainer.model().values());
                assertEquals(Shape.of(14, 3), trainer.output(Model.OUTPUT).shape());
            }
        }
        ends.get(0).forEach((name, whole) -> {
            float[] inParts = Objects.requireNonNull(ends.get(1).get(name)).floats();
            assertTrue(distance(whole.floats(), inParts) < 1e-5 * (1 + length(inParts)), name);
        });
    }

    /** A part that fails leaves nothing of the parts before it. */
    @Test
    void aBatchInPartsFailsAsAWhole() {
        Dataset data = stripes(16, 5);
        try (Trainer trainer = builder(CONVOLUTIONAL).microBatch(8).build()) {
            trainer.step(images(data), labels(data));
            Map<String, Tensor> before = trainer.model().values();
            float[] bad = images(data).floats();
            bad[15 * 36] = Float.NaN;
            assertThrows(NonFiniteException.class, () -> trainer.step(Tensor.of(IMAGE.prepend(16), bad), labels(data)));
            assertEquals(before, trainer.model().values());
        }
    }

    /** Two inputs, two outputs, two losses, of which one counts half. */
    @Test
    void severalInputsOutputsAndLosses() {
        Network network = (scope, in) -> {
            Value image = scope.call("image", sequential(flatten(), linear(12), relu()), in(in, "image"));
            Value hint = scope.call("hint", linear(12), in(in, "hint"));
            Value both = WeightedSum.sum(List.of(image, hint));
            return Map.of(
                    "stripe", scope.call("stripe", linear(3), both), "first", scope.call("first", linear(3), image));
        };
        Dataset data = stripes(48, 11);
        float[] hints = new float[48];
        for (int i = 0; i < 48; i++) {
            hints[i] = data.label(i) == 2 ? 1 : 0;
        }
        Map<String, Tensor> fields = new LinkedHashMap<>();
        fields.put("image", images(data));
        fields.put("hint", Tensor.of(Shape.of(48, 1), hints));
        fields.put("stripe", labels(data));
        fields.put("first", labels(data));
        fields.put("weight", Tensor.of(Shape.of(48), hints));
        try (Trainer trainer = Trainer.of(network, Map.of("image", Type.f32(IMAGE), "hint", Type.f32(1)))
                .loss("stripe", Loss.crossEntropy(), 1)
                .loss("first", Loss.crossEntropy(), 0.5)
                .optimizer(Optimizer.adamw().rate(1e-2))
                .backends(backends())
                .batch(48)
                .build()) {
            trainer.step(Batch.of(fields));
            float first = trainer.loss();
            for (int i = 0; i < 30; i++) {
                trainer.step(Batch.of(fields));
            }
            assertTrue(trainer.loss() < first / 2, first + " to " + trainer.loss());
            Map<String, Double> measured =
                    trainer.evaluate(Dataset.of(fields), Metrics.accuracy().on("stripe"));
            assertTrue(Objects.requireNonNull(measured.get("stripe/accuracy")) > 0.9, measured.toString());
            try (Predictor predictor = Predictor.of(trainer.model(), backends())) {
                assertEquals(
                        Set.of("stripe", "first"),
                        predictor
                                .predict(Map.of("image", images(data), "hint", Tensor.of(Shape.of(48, 1), hints)))
                                .keySet());
            }
            fields.remove("hint");
            assertRefused(
                    IllegalArgumentException.class,
                    "'hint' is missing: F32[N,1] is needed",
                    () -> trainer.step(Batch.of(fields)));
        }
    }

    /** Whether two images are of one class, by one encoder of both or by one of each: a graph whose branches merge. */
    private static Network twins(boolean shared) {
        Layer encoder = sequential(flatten(), linear(8), batchNorm(), relu());
        return (scope, in) -> {
            Value left = scope.call(shared ? "encoder" : "left", encoder, in(in, "left"));
            Value right = scope.call(shared ? "encoder" : "right", encoder, in(in, "right"));
            Value product = new Binary(Binary.Function.MUL).of(left, right);
            Value merged = new Concat(1).of(WeightedSum.sum(List.of(left, right)), product);
            return Map.of("y", scope.call("head", linear(2), merged));
        };
    }

    private Trainer twins(Model model) {
        return Trainer.of(model)
                .optimizer(Optimizer.sgd(0.5).rate(0.05))
                .batch(32)
                .backends(backends())
                .build();
    }

    /** A layer that is used twice has its weights once, and takes the steps of two that are used once each. */
    @Test
    void sharedWeightsTakeTheStepsOfAllTheirUses() {
        Map<String, Type> inputs = Map.of("left", Type.f32(IMAGE), "right", Type.f32(IMAGE));
        Model one = twins(true).model(inputs, 3);
        assertEquals(
                Set.of(
                        "encoder.1.weight",
                        "encoder.1.bias",
                        "encoder.2.weight",
                        "encoder.2.bias",
                        "encoder.2.running_mean",
                        "encoder.2.running_var",
                        "head.weight",
                        "head.bias"),
                one.values().keySet());
        assertEquals(36 * 8 + 8 + 16 + 34, one.parameters());
        assertEquals(one.parameters(), one.summary().parameters());
        Map<String, Tensor> same =
                new LinkedHashMap<>(twins(false).model(inputs, 3).values());
        same.replaceAll((name, w) -> value(one.values(), name.replaceFirst("left|right", "encoder")));
        Model two = twins(false).model(inputs, 3).withValues(same);

        Dataset left = stripes(32, 1);
        Dataset right = stripes(32, 2);
        int[] alike = IntStream.range(0, 32)
                .map(i -> left.label(i) == right.label(i) ? 1 : 0)
                .toArray();
        Batch batch = Batch.of(
                Map.of("left", images(left), "right", images(right), "target", Tensor.of(Shape.of(32), alike)));
        try (Trainer shared = twins(one);
                Trainer apart = twins(two)) {
            shared.step(batch);
            apart.step(batch);
            assertEquals(apart.loss(), shared.loss(), 1e-5);
            Map<String, Tensor> after = shared.model().values();
            Map<String, Tensor> others = apart.model().values();
            after.forEach((name, w) -> {
                float[] before = value(one.values(), name).floats();
                float[] l = value(others, name.replace("encoder", "left")).floats();
                float[] r = value(others, name.replace("encoder", "right")).floats();
                // A running average takes one step after the other: 0.9·(0.9·s + a) + b.
                float kept = name.contains("running") ? 0.9f : 1;
                for (int i = 0; i < before.length; i++) {
                    float expected = name.startsWith("head") ? l[i] : kept * l[i] + r[i] - kept * before[i];
                    assertEquals(expected, w.floats()[i], 1e-5, name);
                }
            });
            // One tensor and one moment of each weight.
            assertEquals(
                    2,
                    shared.checkpoint().tensors().keySet().stream()
                            .filter(name -> name.contains("encoder.1.weight"))
                            .count());
            float first = shared.loss();
            for (int step = 0; step < 60; step++) {
                shared.step(batch);
            }
            assertTrue(shared.loss() < first / 2, first + " to " + shared.loss());
        }
        Network misfit = (scope, in) -> Map.of(
                "y",
                scope.call(
                        "a",
                        linear(2),
                        scope.call("a", linear(2), sequential(flatten()).apply(scope, in(in, "x")))));
        assertRefused(
                TypeException.class, "'a.weight' is already", () -> misfit.model(Map.of("x", Type.f32(IMAGE)), 1));
    }

    private static Tensor value(Map<String, Tensor> values, String name) {
        return Objects.requireNonNull(values.get(name), name);
    }

    private static Value in(Map<String, Value> inputs, String name) {
        return Objects.requireNonNull(inputs.get(name));
    }

    /** Any activation, weight or gradient can be looked at, and looking changes nothing. */
    @Test
    void inspectionShowsWhatAStepComputes() {
        Dataset data = stripes(16, 12);
        Batch batch = Batch.of(images(data), labels(data));
        try (Trainer trainer = builder(CONVOLUTIONAL)
                .optimizer(Optimizer.sgd(0).rate(1))
                .clip(Clip.NONE)
                .build()) {
            Map<String, Tensor> before = trainer.model().values();
            Map<String, Tensor> seen =
                    trainer.inspect(batch, "3.body.1", "gradient/3.body.1", "gradient/7.weight", "gradient/x");
            assertEquals(before, trainer.model().values());
            assertEquals(
                    Shape.of(16, 8, 6, 6),
                    Objects.requireNonNull(seen.get("3.body.1")).shape());
            assertEquals(
                    Shape.of(16, 8, 6, 6),
                    Objects.requireNonNull(seen.get("gradient/3.body.1")).shape());
            assertEquals(
                    Shape.of(16, 1, 6, 6),
                    Objects.requireNonNull(seen.get("gradient/x")).shape());
            trainer.step(batch);
            float[] w = Objects.requireNonNull(before.get("7.weight")).floats();
            float[] after = Objects.requireNonNull(trainer.model().values().get("7.weight"))
                    .floats();
            float[] g = Objects.requireNonNull(seen.get("gradient/7.weight")).floats();
            for (int i = 0; i < w.length; i++) {
                assertEquals(w[i] - g[i], after[i], 1e-6 * (1 + Math.abs(w[i])));
            }
            assertRefused(
                    IllegalArgumentException.class,
                    "no layer, weight or input '3.bodi'",
                    () -> trainer.inspect(batch, "3.bodi"));
        }
    }

    @Test
    void nonsenseIsRefusedBeforeAnyKernelRuns() {
        Dataset data = stripes(16, 6);
        Trainer trainer = builder(CONVOLUTIONAL).build();
        Tensor x = images(data);
        assertRefused(
                IllegalArgumentException.class,
                "label 3 of sample 0 is outside 0 … 2",
                () -> trainer.step(Tensor.of(IMAGE.prepend(1), new float[36]), Tensor.of(Shape.of(1), 3)));
        assertRefused(
                IllegalArgumentException.class,
                "label -1 of sample 1",
                () -> trainer.step(Tensor.of(IMAGE.prepend(2), new float[72]), Tensor.of(Shape.of(2), 0, -1)));
        assertRefused(
                IllegalArgumentException.class,
                "'target' takes I32[N] with N >= 1, not F32[16]",
                () -> trainer.step(x, Tensor.of(Shape.of(16), new float[16])));
        assertRefused(
                IllegalArgumentException.class,
                "'x' takes F32[N,1,6,6] with N >= 1, not F32[16,36]",
                () -> trainer.step(Tensor.of(Shape.of(16, 36), x.floats()), labels(data)));
        assertRefused(
                IllegalArgumentException.class,
                "this network takes x F32[1,6,6], but the data are 2 samples of x F32[3]",
                () -> trainer.fit(Dataset.of(Tensor.of(Shape.of(2, 3), new float[6]), 3, 0, 1), Fit.epochs(1)));
        trainer.close();
        trainer.close();
        assertThrows(IllegalStateException.class, () -> trainer.step(x, labels(data)));
        assertThrows(IllegalStateException.class, trainer::model);
    }

    @Test
    void shapesThatDoNotFitAreNamedWhereTheyAreDeclared() {
        assertRefused(
                TypeException.class,
                "layer 1: conv2d with groups=1 takes [N,C,H,W]",
                () -> builder(sequential(flatten(), conv2d(4, 3))).build());
        assertRefused(
                TypeException.class,
                "layer loss: cross_entropy: x must be [N,…,C], but is [16]",
                () -> builder(sequential(flatten(), linear(1), reshape()))
                        .loss(Loss.crossEntropy())
                        .build());
        assertRefused(
                IllegalArgumentException.class,
                "a single value per channel",
                () -> builder(sequential(flatten(), linear(3), batchNorm()))
                        .batch(1)
                        .build());
    }

    @Test
    void aStepAllocatesNextToNothing() {
        Dataset data = stripes(16, 8);
        Tensor x = images(data);
        Tensor y = labels(data);
        try (Trainer trainer = builder(CONVOLUTIONAL).build()) {
            // Until the JIT has compiled them, loops of the Vector API box their vectors: the first rounds do not
            // count.
            trainer.step(x, y);
            long[] threads = threads();
            long perStep = Long.MAX_VALUE;
            for (int round = 0; round < 50 && perStep >= 4096; round++) {
                long before = allocated(threads);
                for (int i = 0; i < 100; i++) {
                    trainer.step(x, y);
                }
                perStep = (allocated(threads) - before) / 100;
            }
            assertTrue(perStep < 4096, perStep + " bytes per step");
        }
    }

    /** This thread and all of Hadal's. */
    private static long[] threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(t -> t == Thread.currentThread() || t.getName().startsWith("hadal"))
                .mapToLong(Thread::getId)
                .toArray();
    }

    private static long allocated(long[] threads) {
        ThreadMXBean counts = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long sum = 0;
        for (long t : threads) {
            sum += counts.getThreadAllocatedBytes(t);
        }
        return sum;
    }

    @Test
    void aTrainedModelGoesOnTraining() {
        Dataset data = stripes(64, 9);
        Model model;
        double first;
        try (Trainer trainer = builder(CONVOLUTIONAL).build()) {
            first = trainer.fit(data, Fit.epochs(4)).get(0).loss();
            model = trainer.model();
        }
        try (Trainer trainer = Trainer.of(model)
                .optimizer(Optimizer.adamw().rate(1e-4))
                .batch(16)
                .backends(backends())
                .build()) {
            assertTrue(trainer.fit(data, Fit.epochs(1)).get(0).loss() < first / 2);
        }
    }
}
