package dev.hadal.compress;

import static dev.hadal.nn.Layers.averagePool2d;
import static dev.hadal.nn.Layers.batchNorm;
import static dev.hadal.nn.Layers.concat;
import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.flatten;
import static dev.hadal.nn.Layers.globalAveragePool;
import static dev.hadal.nn.Layers.layerNorm;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.maxPool2d;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.residual;
import static dev.hadal.nn.Layers.sequential;
import static dev.hadal.nn.Layers.transformerEncoderLayer;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.data.Dataset;
import dev.hadal.graph.Node;
import dev.hadal.graph.Value;
import dev.hadal.model.Fuse;
import dev.hadal.model.Model;
import dev.hadal.nn.Layer;
import dev.hadal.nn.ResNet;
import dev.hadal.op.Activation;
import dev.hadal.op.FakeQuantize;
import dev.hadal.op.Quantize;
import dev.hadal.op.Quantized;
import dev.hadal.optim.Optimizer;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import dev.hadal.train.Trainer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Networks in 8 bits against the same in f32. */
class Int8Test {
    private static final Backends JAVA = Backends.of("java").withThreads(1);
    private static final Shape IMAGE = Shape.of(3, 8, 8);
    private static final int SAMPLES = 16;

    private static float[] normal(long seed, int size) {
        Random random = new Random(seed);
        float[] x = new float[size];
        for (int i = 0; i < size; i++) {
            x[i] = (float) random.nextGaussian();
        }
        return x;
    }

    private static Dataset data(Shape sample) {
        Tensor x = Tensor.of(sample.prepend(SAMPLES), normal(5, SAMPLES * sample.size()));
        int[] labels = new int[SAMPLES];
        Arrays.setAll(labels, i -> i % 3);
        return Dataset.of(x, 3, labels);
    }

    private static Calibration calibrated(Model model, Dataset data) {
        return Calibration.of(model, data, false, JAVA, Calibration.Listener.NONE);
    }

    private static float[] predict(Model model, Dataset data) {
        int[] all = new int[data.size()];
        Arrays.setAll(all, i -> i);
        try (Predictor predictor = Predictor.of(model, JAVA)) {
            return predictor.predict(data.batch(all).x()).floats();
        }
    }

    private static double decibels(float[] exact, float[] rounded) {
        double signal = 0, error = 0;
        for (int i = 0; i < exact.length; i++) {
            signal += (double) exact[i] * exact[i];
            error += ((double) exact[i] - rounded[i]) * (exact[i] - rounded[i]);
        }
        return error == 0 ? 200 : 10 * Math.log10(signal / error);
    }

    private static Model withValues(Model model, Map<String, Tensor> changed) {
        Map<String, Tensor> values = new LinkedHashMap<>(model.values());
        values.putAll(changed);
        return model.withValues(values);
    }

    private static long count(Model model, Class<?> op) {
        return model.graph().nodes().stream().filter(n -> op.isInstance(n.op())).count();
    }

    /** f32 values between the first quantized node and the last. */
    private static List<Node> floatsInBetween(Model model) {
        List<Node> nodes = model.graph().nodes().stream()
                .filter(n -> n.op() instanceof Quantized || n.op() instanceof Quantize)
                .toList();
        List<Node> floats = new ArrayList<>();
        for (Node node : model.graph().nodes()) {
            boolean between = node.id() >= nodes.get(0).id()
                    && node.id() < nodes.get(nodes.size() - 1).id();
            boolean real = node.types().stream().anyMatch(t -> t.dtype() == DType.F32);
            if (between && real && !node.inputs().isEmpty()) {
                floats.add(node);
            }
        }
        return floats;
    }

    // ---- what becomes of a network ----

    @Test
    void aResidualNetworkHasNoRealsInBetween() {
        Dataset data = data(IMAGE);
        Model model = ResNet.small(1, 4, 3).model(IMAGE, 1);
        Model int8 = calibrated(model, data).quantize(Int8.settings()).model();
        assertEquals(List.of(), floatsInBetween(int8), int8.graph()::toString);
        assertEquals(1, count(int8, Quantize.class));
        long weights = int8.graph().nodes().stream()
                .filter(n -> n.inputs().isEmpty() && n.types().get(0).dtype() == DType.S8)
                .count();
        assertEquals(10, weights); // 7 convolutions, 2 shortcuts, a linear layer
        assertEquals(
                DType.F32,
                Objects.requireNonNull(int8.outputs().get(Model.OUTPUT)).dtype());
        assertTrue(decibels(predict(model, data), predict(int8, data)) > 20);
    }

    @Test
    void layersThatAreKeptStayReal() {
        Dataset data = data(IMAGE);
        Layer network = sequential(conv2d(4, 3).biased(), relu(), conv2d(4, 3).biased(), relu(), conv2d(2, 1));
        Calibration calibration = calibrated(network.model(IMAGE, 1), data);
        assertEquals(List.of("0", "2", "4"), calibration.layers());
        Model int8 = calibration.quantize(Int8.settings().keep("2")).model();
        assertEquals(2, count(int8, Quantized.class));
        assertEquals(DType.F32, int8.graph().leaf("2.weight").type().dtype());
        assertEquals(DType.S8, int8.graph().leaf("4.weight").type().dtype());
        Model none = calibration.quantize(Int8.settings().keep("**")).model();
        assertEquals(0, count(none, Quantized.class));
        assertArrayEquals(predict(calibration.model(), data), predict(none, data));
    }

    @Test
    void aConcatenationMovesWhatIsOnItsGrid() {
        Dataset data = data(IMAGE);
        Layer network =
                sequential(concat(1, conv2d(2, 1), sequential(conv2d(3, 1), relu())), maxPool2d(2), conv2d(4, 1));
        Model int8 = calibrated(network.model(IMAGE, 1), data)
                .quantize(Int8.settings())
                .model();
        assertEquals(List.of(), floatsInBetween(int8));
        Node concat = int8.graph().nodes().stream()
                .filter(n -> n.op().name().equals("concat"))
                .findFirst()
                .orElseThrow();
        Quantized op = (Quantized) concat.op();
        assertEquals(op.operands().get(0), op.results().get(0));
        assertEquals(op.operands().get(1), op.results().get(0));
    }

    /** Softmax and norms are computed on reals, and all products on integers. */
    @Test
    void aTransformerHasItsProductsInEightBits() {
        Shape sequence = Shape.of(5, 8);
        Dataset data = data(sequence);
        Layer network = sequential(transformerEncoderLayer(2, 16), layerNorm(), flatten(), linear(3));
        Model model = network.model(sequence, 2);
        Model int8 = calibrated(model, data).quantize(Int8.settings()).model();
        for (Node node : int8.graph().nodes()) {
            assertFalse(Fuse.isProduct(node.op()), () -> "in f32: " + node);
        }
        assertTrue(decibels(predict(model, data), predict(int8, data)) > 20);
    }

    // ---- random networks ----

    /** Layers that keep [N,C,8,8], or halve it, in any order. */
    private static Layer random(Random random) {
        List<Layer> layers = new ArrayList<>();
        int channels = 3, size = 8;
        int depth = 2 + random.nextInt(4);
        for (int i = 0; i < depth; i++) {
            int next = 2 + random.nextInt(5);
            switch (random.nextInt(6)) {
                case 0 -> {
                    layers.add(conv2d(next, 3).padded());
                    layers.add(batchNorm());
                    Activation.Function function = any(random);
                    layers.add((scope, x) -> new Activation(function).of(x));
                    channels = next;
                }
                case 1 -> layers.add(residual(conv2d(channels, 3).padded().biased(), batchNorm(), relu()));
                case 2 -> {
                    layers.add(concat(1, conv2d(next, 1).biased(), conv2d(2, 1)));
                    channels = next + 2;
                }
                case 3 -> layers.add(conv2d(channels, 3).padded().depthwise().biased());
                case 4 -> layers.add(sequential(conv2d(channels, 1), residual(conv2d(channels, 1), relu()), relu()));
                default -> {
                    if (size > 2) {
                        layers.add(random.nextBoolean() ? maxPool2d(2) : averagePool2d(2));
                        size /= 2;
                    }
                }
            }
        }
        layers.add(random.nextBoolean() ? globalAveragePool() : flatten());
        layers.add(linear(3));
        return sequential(layers.toArray(Layer[]::new));
    }

    private static Activation.Function any(Random random) {
        Activation.Function[] some = {
            Activation.Function.RELU,
            Activation.Function.LEAKY_RELU,
            Activation.Function.RELU6,
            Activation.Function.SILU,
            Activation.Function.HARD_SWISH
        };
        return some[random.nextInt(some.length)];
    }

    /**
     * 8 bits leave about 40 dB at each value and fewer behind each layer. The network in 8 bits and that on grids, which
     * training sees, may differ where a sum lies between two steps: in few values, by little.
     */
    @Test
    void twoHundredRandomNetworksKeepTheirSignal() {
        Dataset data = data(IMAGE);
        List<RangeRule> rules = List.of(RangeRule.minMax(), RangeRule.percentile(99.99), RangeRule.leastSquares());
        double worst = Double.POSITIVE_INFINITY;
        int same = 0, all = 0;
        for (int seed = 0; seed < 200; seed++) {
            Model model = random(new Random(seed)).model(IMAGE, seed);
            float[] exact = predict(model, data);
            Int8 settings =
                    Int8.settings().ranges(rules.get(seed % rules.size())).corrected(seed % 2 == 0);
            Calibration calibration = Calibration.of(model, data, seed % 5 == 0, JAVA, Calibration.Listener.NONE);
            Model int8 = calibration.quantize(settings).model();
            float[] grids = predict(calibration.fakeQuantized(settings), data);
            float[] rounded = predict(int8, data);
            double decibels = decibels(exact, rounded);
            int number = seed;
            assertTrue(decibels > 18, () -> "seed " + number + ": " + decibels + " dB\n" + int8.graph());
            worst = Math.min(worst, decibels);
            assertTrue(decibels(grids, rounded) > 35, () -> "seed " + number + ": not what training sees");
            for (int i = 0; i < grids.length; i++) {
                same += Math.abs(grids[i] - rounded[i]) <= 1e-4 * (1 + Math.abs(grids[i])) ? 1 : 0;
                all++;
            }
        }
        assertTrue(same > 0.95 * all, same + " of " + all + " outputs are what training sees; worst " + worst + " dB");
    }

    // ---- degenerate ranges ----

    private static void assertFinite(float[] values) {
        for (float v : values) {
            assertTrue(Float.isFinite(v), () -> "not finite: " + v);
        }
    }

    @Test
    void prunedChannelsStayZero() {
        Dataset data = data(IMAGE);
        Model model = sequential(conv2d(4, 3).padded(), relu(), conv2d(2, 1)).model(IMAGE, 3);
        float[] first =
                Objects.requireNonNull(model.values().get("0.weight")).floats().clone();
        Arrays.fill(first, 27, 54, 0);
        float[] second = new float[8];
        Model pruned = withValues(model, Map.of("0.weight", Tensor.of(Shape.of(4, 3, 3, 3), first)));
        Model dead = withValues(pruned, Map.of("2.weight", Tensor.of(Shape.of(2, 4, 1, 1), second)));
        for (RangeRule rule : List.of(RangeRule.minMax(), RangeRule.leastSquares(), RangeRule.entropy())) {
            float[] y = predict(
                    calibrated(pruned, data)
                            .quantize(Int8.settings().ranges(rule))
                            .model(),
                    data);
            assertFinite(y);
            assertTrue(decibels(predict(pruned, data), y) > 20);
            y = predict(
                    calibrated(dead, data)
                            .quantize(Int8.settings().ranges(rule))
                            .model(),
                    data);
            assertArrayEquals(new float[y.length], y);
        }
    }

    /** Constant, tiny, huge, and cut off by all activations: every rule finds a scale. */
    @Test
    void degenerateActivationsHaveScales() {
        Layer network = sequential(conv2d(2, 1).biased(), relu(), conv2d(2, 1).biased());
        Model model = network.model(IMAGE, 4);
        Dataset zeros = Dataset.of(Tensor.zeros(DType.F32, IMAGE.prepend(2)), 3, 0, 1);
        float[] same = new float[2 * IMAGE.size()];
        for (float constant : new float[] {0, 1, -1, 1e-42f, 1e-30f, 1e30f}) {
            Arrays.fill(same, constant);
            Dataset data = Dataset.of(Tensor.of(IMAGE.prepend(2), same.clone()), 3, 0, 1);
            for (RangeRule rule : List.of(
                    RangeRule.minMax(), RangeRule.percentile(99), RangeRule.leastSquares(), RangeRule.entropy())) {
                Int8 settings = Int8.settings().ranges(rule);
                Model int8 = calibrated(model, data).quantize(settings).model();
                assertFinite(predict(int8, data));
                assertFinite(predict(int8, zeros));
                Model learned = calibrated(model, data).fakeQuantized(settings.learnedSteps());
                assertFinite(predict(learned.apply(new ToInt8()), data));
            }
        }
        Model saturated = withValues(model, Map.of("0.bias", Tensor.of(Shape.of(2), -1e3f, -1e3f)));
        assertFinite(predict(
                calibrated(saturated, data(IMAGE)).quantize(Int8.settings()).model(), data(IMAGE)));
    }

    @Test
    void whatIsNotFiniteIsNamed() {
        Model model = sequential(conv2d(2, 1), relu(), conv2d(2, 1)).model(IMAGE, 4);
        float[] x = new float[2 * IMAGE.size()];
        x[7] = Float.NaN;
        Dataset data = Dataset.of(Tensor.of(IMAGE.prepend(2), x), 3, 0, 1);
        String message = String.valueOf(assertThrows(IllegalArgumentException.class, () -> calibrated(model, data))
                .getMessage());
        assertTrue(message.contains("NaN or infinite for some of the calibration data"), message);
        float[] w =
                Objects.requireNonNull(model.values().get("0.weight")).floats().clone();
        w[1] = Float.POSITIVE_INFINITY;
        Model infinite = withValues(model, Map.of("0.weight", Tensor.of(Shape.of(2, 3, 1, 1), w)));
        message = String.valueOf(assertThrows(IllegalArgumentException.class, () -> calibrated(infinite, data(IMAGE)))
                .getMessage());
        assertTrue(message.contains("'0.weight' holds Infinity"), message);
        Dataset none = data(IMAGE).take(0);
        assertThrows(IllegalArgumentException.class, () -> calibrated(model, none));
    }

    // ---- files ----

    @Test
    void savedAndLoadedItPredictsTheSameAtAQuarterOfTheSize(@TempDir Path directory) throws IOException {
        Dataset data = data(IMAGE);
        Model model = sequential(flatten(), linear(256), relu(), linear(256), relu(), linear(3))
                .model(IMAGE, 6);
        Model int8 = calibrated(model, data).quantize(Int8.settings()).model();
        Path file = directory.resolve("int8.safetensors"), exact = directory.resolve("f32.safetensors");
        int8.save(file);
        model.save(exact);
        assertArrayEquals(predict(int8, data), predict(Model.load(file), data));
        double share = (double) Files.size(file) / Files.size(exact);
        assertTrue(share < 0.3, "the file is " + share + " of that in f32");
    }

    // ---- biases and reports ----

    /** With weights that all round one way, and inputs of mean 1, the means of the results are off by what is known. */
    @Test
    void biasesMakeUpForRoundedWeights() {
        float[] w = new float[64];
        Arrays.fill(w, 0.3f / 127 * 0.6f); // rounds up to a step
        w[0] = 0.3f;
        Model model = sequential(linear(1), relu(), linear(1)).model(Shape.of(64), 1);
        Model uneven = withValues(model, Map.of("0.weight", Tensor.of(Shape.of(1, 64), w)));
        float[] x = normal(9, SAMPLES * 64);
        for (int i = 0; i < x.length; i++) {
            x[i] = 1 + 0.1f * x[i];
        }
        Dataset data = Dataset.of(Tensor.of(Shape.of(SAMPLES, 64), x), 3, new int[SAMPLES]);
        Calibration calibration = calibrated(uneven, data);
        float before = Objects.requireNonNull(calibration.model().values().get("0.bias"))
                .floats()[0];
        float after = Objects.requireNonNull(
                        calibration.fakeQuantized(Int8.settings()).values().get("0.bias"))
                .floats()[0];
        double mean = 0;
        for (int i = 0; i < x.length; i++) {
            mean += i % 64 == 0 ? 0 : x[i] / (double) SAMPLES;
        }
        assertEquals(before - mean * 0.3 / 127 * 0.4, after, 1e-5);
        assertEquals(
                before,
                Objects.requireNonNull(calibration
                                .fakeQuantized(Int8.settings().corrected(false))
                                .values()
                                .get("0.bias"))
                        .floats()[0]);
    }

    @Test
    void theReportHasARowForEachValue() {
        Dataset data = data(IMAGE);
        Model model = sequential(conv2d(4, 3).biased(), relu(), conv2d(2, 1)).model(IMAGE, 1);
        QuantizationReport report =
                calibrated(model, data).quantize(Int8.settings()).report(data);
        assertEquals(2, report.rows().size(), report::toString);
        assertEquals("x", report.rows().get(0).layer());
        assertTrue(report.rows().get(1).grid().zeroPoint() == 0, "a ReLU gives nothing below 0");
        for (QuantizationReport.Row row : report.rows()) {
            assertTrue(row.decibels() > 30 && row.decibels() < 80, report::toString);
            assertTrue(row.cutOff() < 0.01, report::toString);
        }
    }

    // ---- without calibration ----

    @Test
    void dynamicQuantizationNeedsNoData() {
        Shape sequence = Shape.of(5, 8);
        Dataset data = data(sequence);
        Layer network = sequential(transformerEncoderLayer(2, 16), layerNorm(), flatten(), linear(3));
        Model model = network.model(sequence, 2);
        Model dynamic = model.apply(new DynamicQuantization());
        assertEquals(5, count(dynamic, Quantized.class), dynamic.graph()::toString);
        assertTrue(decibels(predict(model, data), predict(dynamic, data)) > 25);
        assertEquals(DType.S8, dynamic.graph().leaf("3.weight").type().dtype());
        Model kept = model.apply(new DynamicQuantization().keep("3"));
        assertEquals(4, count(kept, Quantized.class));
        assertEquals(DType.F32, kept.graph().leaf("3.weight").type().dtype());
    }

    /** Rows have scales of their own: what else is in the batch, and how large it is, changes nothing. */
    @Test
    void rowsOfABatchDoNotDependOnEachOther() {
        Model dynamic = linear(4).model(Shape.of(6), 1).apply(new DynamicQuantization());
        float[] x = normal(3, 12);
        for (int i = 6; i < 12; i++) {
            x[i] *= 1e4f;
        }
        try (Predictor predictor = Predictor.of(dynamic, JAVA)) {
            float[] both = predictor.predict(Tensor.of(Shape.of(2, 6), x)).floats();
            float[] first = predictor
                    .predict(Tensor.of(Shape.of(1, 6), Arrays.copyOf(x, 6)))
                    .floats();
            assertArrayEquals(first, Arrays.copyOf(both, 4));
            float[] zeros =
                    predictor.predict(Tensor.zeros(DType.F32, Shape.of(1, 6))).floats();
            assertArrayEquals(new float[4], zeros);
        }
    }

    /** y = sₐ·s_w·Σ q_a·q_w, with the integers made here. */
    @Test
    void dynamicProductsAreThoseOfIntegers() {
        Model model = linear(4).model(Shape.of(6), 1);
        float[] x = normal(3, 6),
                w = Objects.requireNonNull(model.values().get("weight")).floats();
        float[] y;
        try (Predictor predictor = Predictor.of(model.apply(new DynamicQuantization()), JAVA)) {
            y = predictor.predict(Tensor.of(Shape.of(1, 6), x)).floats();
        }
        for (int o = 0; o < 4; o++) {
            float largestX = 0, largestW = 0;
            for (int i = 0; i < 6; i++) {
                largestX = Math.max(largestX, Math.abs(x[i]));
                largestW = Math.max(largestW, Math.abs(w[6 * o + i]));
            }
            long sum = 0;
            for (int i = 0; i < 6; i++) {
                sum += Math.round(x[i] / largestX * 127.0) * Math.round(w[6 * o + i] / largestW * 127.0);
            }
            assertEquals(sum * (double) largestX / 127 * largestW / 127, y[o], 1e-5);
        }
    }

    // ---- training ----

    /** The network that was trained on grids, and what it becomes: the same, but for few values between two steps. */
    private static void assertTrainsOnTheGrid(Int8 settings, Class<?> op) {
        Dataset data = data(IMAGE);
        Model model = ResNet.small(1, 4, 3).model(IMAGE, 8);
        Model fake = calibrated(model, data).fakeQuantized(settings);
        assertTrue(count(fake, op) > 10);
        Model trained;
        double first, last;
        try (Trainer trainer = Trainer.of(fake)
                .optimizer(Optimizer.adam())
                .batch(SAMPLES)
                .backends(JAVA)
                .build()) {
            int[] all = new int[SAMPLES];
            Arrays.setAll(all, i -> i);
            trainer.step(data.batch(all));
            first = trainer.loss();
            for (int i = 0; i < 30; i++) {
                trainer.step(data.batch(all));
            }
            last = trainer.loss();
            trained = trainer.model();
        }
        assertTrue(last < 0.7 * first, "the loss went from " + first + " to " + last);
        Model int8 = trained.apply(new ToInt8());
        assertEquals(List.of(), floatsInBetween(int8));
        assertEquals(0, count(int8, op));
        float[] grids = predict(trained, data), rounded = predict(int8, data);
        assertTrue(decibels(grids, rounded) > 35, decibels(grids, rounded) + " dB");
    }

    @Test
    void trainsStraightThrough() {
        assertTrainsOnTheGrid(Int8.settings(), FakeQuantize.class);
    }

    @Test
    void trainsItsSteps() {
        assertTrainsOnTheGrid(Int8.settings().learnedSteps(), dev.hadal.op.LearnedStep.class);
    }

    @Test
    void stepsAreWeightsOfTheirOwn() {
        Model model = sequential(conv2d(4, 3).biased(), relu(), conv2d(2, 1)).model(IMAGE, 1);
        Model fake =
                calibrated(model, data(IMAGE)).fakeQuantized(Int8.settings().learnedSteps());
        Value step = fake.graph().leaf("0.weight.step");
        assertEquals(Shape.of(4), step.shape());
        assertTrue(
                fake.values().keySet().containsAll(List.of("x.step", "1.step", "2.weight.step")),
                fake.values()::toString);
    }
}
