package dev.hadal.compress;

import static dev.hadal.nn.Layers.attention;
import static dev.hadal.nn.Layers.averagePool2d;
import static dev.hadal.nn.Layers.batchNorm;
import static dev.hadal.nn.Layers.concat;
import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.convTranspose2d;
import static dev.hadal.nn.Layers.dropout;
import static dev.hadal.nn.Layers.flatten;
import static dev.hadal.nn.Layers.gelu;
import static dev.hadal.nn.Layers.globalAveragePool;
import static dev.hadal.nn.Layers.groupNorm;
import static dev.hadal.nn.Layers.instanceNorm;
import static dev.hadal.nn.Layers.layerNorm;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.lstm;
import static dev.hadal.nn.Layers.maxPool2d;
import static dev.hadal.nn.Layers.prelu;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.reshape;
import static dev.hadal.nn.Layers.residual;
import static dev.hadal.nn.Layers.sequential;
import static dev.hadal.nn.Layers.sigmoid;
import static dev.hadal.nn.Layers.softmax;
import static dev.hadal.nn.Layers.transformerEncoderLayer;
import static dev.hadal.nn.Layers.upsample;
import static dev.hadal.nn.Layers.zeroPad2d;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.backend.jvm.JvmBackend;
import dev.hadal.compress.ChannelGroups.Channel;
import dev.hadal.compress.ChannelGroups.Group;
import dev.hadal.compress.ChannelPruning.Score;
import dev.hadal.data.Dataset;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.model.Model;
import dev.hadal.model.Narrowed;
import dev.hadal.nn.Init;
import dev.hadal.nn.Layer;
import dev.hadal.nn.ResNet;
import dev.hadal.op.ArgMax;
import dev.hadal.op.Binary;
import dev.hadal.op.Cast;
import dev.hadal.op.Expand;
import dev.hadal.op.MatMul;
import dev.hadal.op.PRelu;
import dev.hadal.op.Reduce;
import dev.hadal.op.Reshape;
import dev.hadal.op.Resize;
import dev.hadal.op.Split;
import dev.hadal.op.Transpose;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import dev.hadal.train.Fit;
import dev.hadal.train.Trainer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** A network without some of its channels computes what it does with the channels' weights at zero. */
class ChannelPruningTest {
    private static final Backends JAVA = Backends.of(new JvmBackend()).withThreads(1);
    private static final Shape IMAGE = Shape.of(2, 6, 6);
    private static final Shape SEQUENCE = Shape.of(5, 6);
    private static final long SEED = Long.getLong("hadal.test.seed", 1);
    private static final int GRAPHS = Integer.getInteger("hadal.test.graphs", 200);

    /** A network, the shape of a sample, and how many channels its groups must have. */
    private record Case(Layer network, Shape input, List<Integer> groups) {}

    private static Map<String, Case> cases() {
        Map<String, Case> cases = new LinkedHashMap<>();
        cases.put("mlp", image(List.of(10, 7), flatten(), linear(10), gelu(), linear(7), relu(), linear(3)));
        cases.put(
                "convolutions",
                image(List.of(8, 5), conv2d(8, 3), batchNorm(), sigmoid(), conv2d(5, 2), prelu(), head()));
        cases.put("flattened", image(List.of(8), conv2d(8, 3).padded(), relu(), maxPool2d(2), flatten(), linear(3)));
        cases.put(
                "residual",
                image(
                        List.of(8, 6),
                        conv2d(8, 3).padded(),
                        batchNorm(),
                        relu(),
                        residual(
                                conv2d(6, 3).padded(),
                                batchNorm(),
                                relu(),
                                conv2d(8, 3).padded(),
                                batchNorm()),
                        head()));
        cases.put(
                "shortcut",
                image(
                        List.of(4, 5, 8),
                        conv2d(4, 3).padded(),
                        residual(
                                        conv2d(5, 3).padded().stride(2),
                                        relu(),
                                        conv2d(8, 3).padded())
                                .shortcut(conv2d(8, 1).stride(2), batchNorm()),
                        head()));
        cases.put(
                "resnet",
                new Case(
                        ResNet.resnet20(8, 10),
                        Shape.of(1, 12, 12),
                        List.of(8, 8, 8, 8, 16, 16, 16, 16, 32, 32, 32, 32)));
        cases.put(
                "dense block",
                image(
                        List.of(4, 3, 5, 6),
                        conv2d(4, 3).padded(),
                        concat(1, same(), conv2d(3, 1), sequential(conv2d(5, 1), relu())),
                        batchNorm(),
                        conv2d(6, 1),
                        head()));
        cases.put("grouped", image(List.of(4, 2), conv2d(8, 1), conv2d(4, 3).groups(2), relu(), head()));
        cases.put(
                "depthwise",
                image(
                        List.of(8, 6),
                        conv2d(8, 1),
                        batchNorm(),
                        relu(),
                        conv2d(8, 3).depthwise(),
                        batchNorm(),
                        conv2d(6, 1),
                        relu(),
                        head()));
        cases.put(
                "depthwise with a multiplier",
                image(List.of(4), conv2d(4, 1), conv2d(12, 3).depthwise(), relu(), head()));
        cases.put("group norm", image(List.of(4), conv2d(12, 3), groupNorm(4), relu(), head()));
        cases.put("instance norm", image(List.of(6), conv2d(6, 3), instanceNorm(), relu(), head()));
        cases.put("one group", image(List.of(), conv2d(6, 3), groupNorm(1), relu(), head()));
        cases.put("transposed", image(List.of(6, 4), conv2d(6, 3), convTranspose2d(4, 3), relu(), head()));
        cases.put(
                "transposed in groups",
                image(List.of(3, 2), conv2d(6, 3), convTranspose2d(4, 3).groups(2), relu(), head()));
        cases.put(
                "planes",
                image(
                        List.of(4),
                        conv2d(4, 3),
                        zeroPad2d(1),
                        averagePool2d(2),
                        upsample(2, Resize.Mode.BILINEAR),
                        head()));
        cases.put(
                "squeeze and excitation",
                image(List.of(8, 3, 2), conv2d(8, 3), relu(), excited(3), conv2d(2, 1), flatten(), linear(3)));
        cases.put("one slope", image(List.of(4), conv2d(4, 3), oneSlope(), head()));
        cases.put("tied", image(List.of(2, 5), conv2d(2, 1), tied(5), relu(), head()));
        cases.put("layer norm", image(List.of(7), flatten(), linear(6), layerNorm(), linear(7), relu(), linear(3)));
        cases.put("gated", image(List.of(5), flatten(), linear(10), gated(), linear(3)));
        cases.put("cut", image(List.of(4, 6, 2), flatten(), linear(10), cut(4), linear(3)));
        cases.put(
                "channels last",
                image(List.of(8, 3), conv2d(8, 3), channelsLast(), relu(), linear(3), flatten(), linear(2)));
        cases.put("turned and flattened", image(List.of(8), conv2d(8, 3), channelsLast(), flatten(), linear(2)));
        cases.put("means", image(List.of(8), conv2d(8, 3), meanOfPlanes(), linear(2)));
        cases.put("softmax stays", image(List.of(), conv2d(8, 3), softmax(1), head()));
        cases.put("output stays", image(List.of(), conv2d(8, 3)));
        cases.put("not understood", image(List.of(), conv2d(8, 3), plusWhere(), head()));
        cases.put("repeated", image(List.of(4), conv2d(4, 1), relu(), plusVector(), head()));
        cases.put("mlp of steps", new Case(sequential(linear(8), relu(), linear(2)), SEQUENCE, List.of(8)));
        // The heads of attention fall as wholes, and so do the hidden features; those between the layers stay.
        cases.put("attention", new Case(sequential(attention(3)), SEQUENCE, List.of(3)));
        cases.put(
                "transformer",
                new Case(
                        sequential(
                                linear(8),
                                transformerEncoderLayer(4, 9),
                                transformerEncoderLayer(2, 7).masked(),
                                linear(2)),
                        SEQUENCE,
                        List.of(4, 9, 2, 7)));
        cases.put(
                "recurrent", new Case(sequential(linear(8), relu(), lstm(4).last(), linear(2)), SEQUENCE, List.of(8)));
        return cases;
    }

    private static Case image(List<Integer> groups, Layer... layers) {
        return new Case(sequential(layers), IMAGE, groups);
    }

    private static Layer head() {
        return sequential(globalAveragePool(), linear(3));
    }

    private static Layer same() {
        return (scope, x) -> x;
    }

    private static Layer excited(int hidden) {
        return (scope, x) -> {
            int channels = x.shape().get(1);
            Layer squeeze = sequential(
                    globalAveragePool(), linear(hidden), relu(), linear(channels), sigmoid(), reshape(channels, 1, 1));
            return new Binary(Binary.Function.MUL).of(x, scope.call("squeeze", squeeze, x));
        };
    }

    private static Layer channelsLast() {
        return (scope, x) -> new Transpose(List.of(0, 2, 3, 1)).of(x);
    }

    private static Layer oneSlope() {
        return (scope, x) -> new PRelu().of(x, scope.weight("slope", Shape.of(1), Init.constant(0.3f)));
    }

    /** x·Wᵀ·W·Wᵀ·W over the channels: back to as many as there were. */
    private static Layer tied(int hidden) {
        return (scope, x) -> {
            Value w = scope.weight("w", Shape.of(hidden, x.shape().get(1)), Init.normal(0, 1));
            Value rows = new Transpose(List.of(0, 2, 3, 1)).of(x);
            Value there = new MatMul(false, true).of(rows, w);
            Value again = new MatMul(false, true).of(new MatMul(false, false).of(there, w), w);
            return new Transpose(List.of(0, 3, 1, 2)).of(new MatMul(false, false).of(again, w));
        };
    }

    private static Layer gated() {
        return (scope, x) -> {
            int half = x.shape().get(1) / 2;
            List<Value> halves = new Split(1, List.of(half, half)).call(x);
            return new Binary(Binary.Function.MUL).of(halves.get(0), scope.call("gate", sigmoid(), halves.get(1)));
        };
    }

    private static Layer cut(int first) {
        return (scope, x) -> {
            int rest = x.shape().get(1) - first;
            List<Value> parts = new Split(1, List.of(first, rest)).call(x);
            Value a = scope.call("a", linear(2), parts.get(0));
            Value b = scope.call("b", linear(2), parts.get(1));
            return new Binary(Binary.Function.ADD).of(a, b);
        };
    }

    private static Layer meanOfPlanes() {
        return (scope, x) -> new Reduce(Reduce.Function.MEAN, List.of(-1, 2), false).of(x);
    }

    private static Layer plusWhere() {
        return (scope, x) -> {
            Value places = new ArgMax(1, false).of(new Reduce(Reduce.Function.MEAN, List.of(2, 3), false).of(x));
            Value largest = new Reshape(List.of(-1, 1, 1, 1)).of(new Cast(DType.F32).of(places));
            return new Binary(Binary.Function.ADD).of(x, largest);
        };
    }

    private static Layer plusVector() {
        return (scope, x) -> {
            int channels = x.shape().get(1);
            Value v = scope.weight("v", Shape.of(channels, 1, 1), Init.normal(0, 1));
            Value plane =
                    new Expand(List.of(channels, x.shape().get(2), x.shape().get(3))).of(v);
            return new Binary(Binary.Function.ADD).of(x, plane);
        };
    }

    // ---- each of these networks ----

    @TestFactory
    Stream<DynamicTest> withoutChannelsANetworkComputesTheSame() {
        return cases().entrySet().stream()
                .map(e -> DynamicTest.dynamicTest(e.getKey(), () -> {
                    Model model = randomized(e.getValue().network.model(e.getValue().input, 3), 5);
                    ChannelGroups groups = ChannelGroups.of(model);
                    assertEquals(
                            e.getValue().groups.stream().sorted().toList(),
                            groups.list().stream()
                                    .map(g -> g.channels().size())
                                    .sorted()
                                    .toList(),
                            groups::toString);
                    for (int draw = 0; draw < 5; draw++) {
                        check(model, groups, new Random(SEED + draw));
                    }
                }));
    }

    /** Takes some channels out, and compares with what is left when their weights are zero. */
    private static void check(Model model, ChannelGroups groups, Random random) {
        Set<Integer> dropped = new HashSet<>();
        for (Group g : groups.list()) {
            List<Channel> channels = new ArrayList<>(g.channels());
            Collections.shuffle(channels, random);
            channels.subList(0, random.nextInt(channels.size())).forEach(c -> dropped.add(c.id()));
        }
        Map<String, Tensor> masked = new LinkedHashMap<>(model.values());
        groups.masks(dropped)
                .forEach((name, mask) -> masked.put(name, product(Objects.requireNonNull(masked.get(name)), mask)));
        Narrowed narrowed = groups.without(model, dropped);
        assertTrue(dropped.isEmpty() == (narrowed.model().parameters() == model.parameters()));
        assertEquals(model.inputs(), narrowed.model().inputs());
        assertEquals(model.outputs(), narrowed.model().outputs());
        Tensor x = input(model, 4, random);
        assertClose(predict(model.withValues(masked), x), predict(narrowed.model(), x));
    }

    private static Tensor product(Tensor value, Tensor mask) {
        float[] product = value.floats().clone();
        for (int i = 0; i < product.length; i++) {
            product[i] *= mask.floats()[i];
        }
        return Tensor.of(value.shape(), product);
    }

    private static Tensor input(Model model, int samples, Random random) {
        Shape shape =
                Objects.requireNonNull(model.inputs().get(Model.INPUT)).shape().prepend(samples);
        Tensor x = Tensor.zeros(DType.F32, shape);
        for (int i = 0; i < x.floats().length; i++) {
            x.floats()[i] = (float) random.nextGaussian();
        }
        return x;
    }

    private static Tensor predict(Model model, Tensor x) {
        try (Predictor predictor = Predictor.of(model, JAVA)) {
            return predictor.predict(x);
        }
    }

    private static void assertClose(Tensor expected, Tensor given) {
        assertEquals(expected.shape(), given.shape());
        double size = IntStream.range(0, expected.floats().length)
                .mapToDouble(i -> Math.abs(expected.floats()[i]))
                .max()
                .orElse(0);
        for (int i = 0; i < expected.floats().length; i++) {
            assertEquals(expected.floats()[i], given.floats()[i], 2e-5 * (size + 0.01), "at " + i);
        }
    }

    /** Biases that are not zero, statistics that are not those of a new network, variances that are positive. */
    private static Model randomized(Model model, long seed) {
        Random random = new Random(seed);
        Map<String, Tensor> values = new LinkedHashMap<>();
        model.values().forEach((name, value) -> {
            float[] v = value.floats().clone();
            for (int i = 0; i < v.length; i++) {
                double normal = random.nextGaussian();
                v[i] += (float)
                        (value.shape().rank() > 1 ? 0 : name.contains("var") ? 0.5 + Math.abs(normal) : normal / 2);
            }
            values.put(name, Tensor.of(value.shape(), v));
        });
        return model.withValues(values);
    }

    // ---- and random ones ----

    @Test
    void withoutChannelsARandomNetworkComputesTheSame() {
        int groups = 0;
        for (int i = 0; i < GRAPHS; i++) {
            long seed = SEED * 1_000_003 + i;
            Random random = new Random(seed);
            Layer network = random(random, 2 + random.nextInt(4));
            Model model = randomized(network.model(Shape.of(1 + random.nextInt(3), 8, 8), seed), seed);
            ChannelGroups found = ChannelGroups.of(model);
            groups += found.list().size();
            try {
                check(model, found, random);
            } catch (RuntimeException | AssertionError e) {
                throw new AssertionError("seed " + seed + "\n" + model.graph() + "\n" + found, e);
            }
        }
        assertTrue(groups > 2 * GRAPHS, "only " + groups + " groups in " + GRAPHS + " networks");
    }

    private static Layer random(Random random, int depth) {
        List<Layer> layers = new ArrayList<>();
        layers.add(conv2d(4 * (1 + random.nextInt(3)), 3).padded());
        for (int i = 0; i < depth; i++) {
            layers.add(part(random, depth - 1));
        }
        layers.add(random.nextBoolean() ? globalAveragePool() : flatten());
        layers.add(linear(3));
        return sequential(layers.toArray(Layer[]::new));
    }

    /** Something that takes any channels, and leaves planes of any size as they are. */
    private static Layer part(Random random, int depth) {
        int channels = 4 * (1 + random.nextInt(3));
        return switch (random.nextInt(depth > 0 ? 14 : 10)) {
            case 0 -> batchNorm();
            case 1 -> List.of(relu(), sigmoid(), gelu(), prelu(), dropout(0.1)).get(random.nextInt(5));
            case 2 -> conv2d(channels, 3).padded();
            case 3 -> conv2d(channels, 1);
            case 4 -> conv2d(channels, 3).padded().groups(4);
            case 5 -> sequential(conv2d(channels, 1), relu());
            case 6 ->
                (scope, x) -> scope.call(
                        "depthwise",
                        conv2d(x.shape().get(1) * (1 + random.nextInt(2)), 3)
                                .padded()
                                .depthwise(),
                        x);
            case 7 -> groupNorm(4);
            case 8 -> random.nextBoolean() ? excited(2) : plusVector();
            case 9 -> random.nextBoolean() ? tied(3) : instanceNorm();
            case 10, 11 -> added(part(random, depth - 1));
            case 12 -> concat(1, part(random, depth - 1), part(random, depth - 1));
            default -> sequential(part(random, depth - 1), part(random, depth - 1));
        };
    }

    /** x + body(x), with a convolution that gives x the body's channels where they differ. */
    private static Layer added(Layer body) {
        return (scope, x) -> {
            Value y = scope.call("body", body, x);
            Value shortcut = y.shape().equals(x.shape())
                    ? x
                    : scope.call("shortcut", conv2d(y.shape().get(1), 1), x);
            return WeightedSum.sum(List.of(shortcut, y));
        };
    }

    // ---- which channels ----

    @Test
    void theSmallestChannelsFall() {
        Model model = randomized(sequential(conv2d(6, 3), relu(), head()).model(IMAGE, 3), 5);
        float[] w = Objects.requireNonNull(model.values().get("0.weight")).floats();
        float[] v = Objects.requireNonNull(model.values().get("2.1.weight")).floats();
        for (int c : new int[] {1, 4}) {
            Arrays.fill(w, 18 * c, 18 * c + 18, 1e-3f);
            v[c] = v[6 + c] = v[12 + c] = 1e-3f;
        }
        for (Score score : Score.values()) {
            Narrowed half = ChannelPruning.of(0.4).by(score).narrowed(model);
            assertEquals(
                    List.of(0, 2, 3, 5),
                    Objects.requireNonNull(half.kept().get("0.weight")).get(0));
            assertEquals(
                    List.of(0, 2, 3, 5),
                    Objects.requireNonNull(half.kept().get("2.1.weight")).get(1));
            assertEquals(
                    Shape.of(4, 2, 3, 3),
                    Objects.requireNonNull(half.model().values().get("0.weight"))
                            .shape());
        }
    }

    @Test
    void batchNormsScalesTell() {
        Model model = randomized(sequential(conv2d(4, 3), batchNorm(), head()).model(IMAGE, 3), 5);
        System.arraycopy(
                new float[] {1, -2, 0.5f, 3},
                0,
                Objects.requireNonNull(model.values().get("1.weight")).floats(),
                0,
                4);
        assertEquals(
                List.of(1, 3),
                Objects.requireNonNull(ChannelPruning.of(0.5)
                                .by(Score.SCALE)
                                .narrowed(model)
                                .kept()
                                .get("0.weight"))
                        .get(0));
    }

    @Test
    void sharesAreOfEachGroupOrOfAll() {
        Model model = ResNet.resnet20(8, 10).model(Shape.of(1, 12, 12), 3);
        Model half = model.apply(ChannelPruning.of(0.5).perGroup());
        assertEquals(
                Shape.of(4, 1, 3, 3),
                Objects.requireNonNull(half.values().get("0.weight")).shape());
        assertEquals(
                Shape.of(10, 16),
                Objects.requireNonNull(half.values().get("13.weight")).shape());
        Model wide = model.apply(ChannelPruning.of(0.9).perGroup().multipleOf(4));
        assertEquals(
                Shape.of(4, 1, 3, 3),
                Objects.requireNonNull(wide.values().get("0.weight")).shape());
        Model stem = model.apply(ChannelPruning.of(0.5).perGroup().exclude("0.*"));
        assertEquals(
                Shape.of(8, 1, 3, 3),
                Objects.requireNonNull(stem.values().get("0.weight")).shape());
        assertEquals(
                Shape.of(10, 16),
                Objects.requireNonNull(stem.values().get("13.weight")).shape());
        int before = ChannelGroups.of(model).channels();
        Model all = model.apply(ChannelPruning.of(0.5));
        assertEquals(before / 2, ChannelGroups.of(all).channels());
        assertEquals(model.values(), model.apply(ChannelPruning.of(0)).values());
    }

    @Test
    void aPrunedNetworkIsSavedAndTrained(@TempDir Path dir) throws IOException {
        Model model = ResNet.resnet20(8, 3).model(IMAGE, 3).withMetadata(Map.of("by", "hand"));
        Model half = model.apply(ChannelPruning.of(0.5));
        half.save(dir.resolve("half.safetensors"));
        Model loaded = Model.load(dir.resolve("half.safetensors"));
        assertEquals(half.values(), loaded.values());
        assertEquals("hand", loaded.metadata().get("by"));
        try (Trainer trainer = Trainer.of(loaded).backends(JAVA).build()) {
            trainer.step(input(model, 4, new Random(1)), Tensor.of(Shape.of(4), 0, 1, 2, 0));
            assertTrue(Float.isFinite(trainer.loss()));
        }
    }

    /** What training has set to zero is what is then taken out. */
    @Test
    void maskedChannelsAreThoseThatAreTakenOut() {
        ChannelPruning half = ChannelPruning.of(0.5).cubic(0, 6);
        Random random = new Random(2);
        try (Trainer trainer =
                Trainer.of(ResNet.resnet20(8, 3), IMAGE).backends(JAVA).batch(8).build()) {
            int[] labels = random.ints(64, 0, 3).toArray();
            Dataset data = Dataset.of(input(trainer.model(), 64, random), 3, labels);
            trainer.fit(data, Fit.epochs(1).listener(half));
            Model masked = trainer.model();
            Narrowed narrowed = half.narrowed(masked);
            assertEquals(
                    ChannelGroups.of(masked).channels() / 2,
                    ChannelGroups.of(narrowed.model()).channels());
            Tensor x = input(masked, 16, random);
            assertClose(predict(masked, x), predict(narrowed.model(), x));
        }
    }

    @Test
    void whatCannotBeIsRejected() {
        assertThrows(IllegalArgumentException.class, () -> ChannelPruning.of(1));
        assertThrows(IllegalArgumentException.class, () -> ChannelPruning.of(-0.1));
        assertThrows(
                IllegalArgumentException.class, () -> ChannelPruning.of(0.5).multipleOf(0));
    }

    @Test
    void whatIsNotUnderstoodIsTold() {
        ChannelGroups groups =
                ChannelGroups.of(sequential(conv2d(8, 3), plusWhere(), head()).model(IMAGE, 1));
        assertEquals(List.of("argmax"), groups.notUnderstood());
        assertTrue(groups.toString().contains("argmax"), groups.toString());
    }
}
