package dev.hadal.compress;

import static dev.hadal.nn.Layers.batchNorm;
import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.flatten;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.sequential;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.data.Batch;
import dev.hadal.data.Dataset;
import dev.hadal.model.Model;
import dev.hadal.model.Narrowed;
import dev.hadal.model.Safetensors;
import dev.hadal.nn.Layer;
import dev.hadal.nn.Linear;
import dev.hadal.nn.ResNet;
import dev.hadal.optim.Clip;
import dev.hadal.optim.Optimizer;
import dev.hadal.optim.Schedule;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import dev.hadal.train.Checkpoint;
import dev.hadal.train.Checkpoints;
import dev.hadal.train.Fit;
import dev.hadal.train.Listener;
import dev.hadal.train.Progress;
import dev.hadal.train.Trainer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Masks hold while a network is trained, on every backend. */
public abstract class PruningSpec {
    private static final Shape IMAGE = Shape.of(2, 6, 6);
    private static final Layer NET = sequential(
            conv2d(8, 3).padded(),
            batchNorm(),
            relu(),
            conv2d(20, 3),
            relu(),
            flatten(),
            linear(24),
            relu(),
            linear(3));
    /** 2·8·9 + 8·20·9 + 320·24 + 24·3 */
    private static final int PRUNABLE = 144 + 1440 + 7680 + 72;

    @TempDir
    Path dir;

    protected abstract Backends backends();

    private Trainer.Builder trainer(Layer net) {
        return Trainer.of(net, IMAGE).batch(16).seed(2).backends(backends());
    }

    private static Dataset data(Shape shape, int samples) {
        Philox random = new Philox(7, 1);
        float[] x = new float[samples * shape.size()];
        int[] labels = new int[samples];
        for (int i = 0; i < x.length; i++) {
            x[i] = random.normal(i);
        }
        for (int i = 0; i < samples; i++) {
            labels[i] = x[i * shape.size()] > 0.4 ? 0 : x[i * shape.size() + 1] > 0 ? 1 : 2;
        }
        return Dataset.of(Tensor.of(shape.prepend(samples), x), 3, labels);
    }

    private static Map<String, Optimizer> rules() {
        Map<String, Optimizer> rules = new LinkedHashMap<>();
        rules.put("sgd", Optimizer.sgd(0).rate(0.05).l2(0.1));
        rules.put("nesterov", Optimizer.sgd(0.9, true).rate(0.05).weightDecay(0.1));
        rules.put("adamw", Optimizer.adamw().rate(0.01).weightDecay(0.5));
        rules.put("amsgrad", Optimizer.amsgrad(0.9, 0.99, 1e-8));
        rules.put("nadam", Optimizer.nadam());
        rules.put("rmsprop", Optimizer.rmsprop(0.9, 1e-8, 0.5, true));
        rules.put("lion", Optimizer.lion().rate(1e-3).weightDecay(1));
        rules.put("lamb", Optimizer.lamb());
        rules.put("muon", Optimizer.muon());
        return rules;
    }

    @TestFactory
    Stream<DynamicTest> whatIsPrunedStaysZero() {
        return rules().entrySet().stream()
                .flatMap(rule -> Stream.of(
                        DynamicTest.dynamicTest(
                                rule.getKey(), () -> staysZero(trainer(NET).optimizer(rule.getValue()))),
                        DynamicTest.dynamicTest(
                                rule.getKey() + " in bf16",
                                () -> staysZero(
                                        trainer(NET).optimizer(rule.getValue()).bf16()))));
    }

    @Test
    void whatIsPrunedStaysZeroWithClippingByTensorAndParts() {
        staysZero(trainer(NET).clip(Clip.adaptive(0.05)).microBatch(5));
    }

    /** Also after steps without pruning, which leave moments and averages that are not zero. */
    private static void staysZero(Trainer.Builder builder) {
        Dataset data = data(IMAGE, 64);
        try (Trainer trainer = builder.ema(0.9).build()) {
            trainer.fit(data, Fit.epochs(1));
            Map<String, Tensor> dense = trainer.model().values();
            List<Long> zeros = new ArrayList<>();
            trainer.fit(data, Fit.epochs(2).listener(Pruning.magnitude(0.75)).listener(new Listener() {
                @Override
                public void onStep(Progress progress) {
                    Map<String, Tensor> masks = trainer.masks();
                    for (Model model : List.of(trainer.model(), trainer.emaModel())) {
                        masks.forEach((name, mask) -> assertMasked(name, mask, model.values()));
                    }
                    zeros.add(masks.values().stream()
                            .mapToLong(PruningSpec::zeros)
                            .sum());
                }
            }));
            assertEquals(8, zeros.size());
            assertTrue(zeros.stream().allMatch(n -> n == PRUNABLE * 3 / 4), zeros.toString());
            assertEquals(0.75, Sparsity.of(trainer.model()).share());
            assertEquals(0.75, Sparsity.of(trainer.emaModel()).share());
            dense.forEach((name, before) ->
                    assertNotEquals(before, trainer.model().values().get(name)));
        }
    }

    private static void assertMasked(String name, Tensor mask, Map<String, Tensor> values) {
        float[] w = Objects.requireNonNull(values.get(name)).floats();
        for (int i = 0; i < w.length; i++) {
            assertTrue(mask.floats()[i] != 0 || w[i] == 0, name + " holds " + w[i] + " where it is masked");
        }
    }

    private static long zeros(Tensor t) {
        long zeros = 0;
        for (float v : t.floats()) {
            zeros += v == 0 ? 1 : 0;
        }
        return zeros;
    }

    /** Without its masked units, the network trains alike: their gradients count in no norm, their moments nowhere. */
    @Test
    void aMaskedNetworkTrainsAsTheSmallerOneDoes() {
        Shape input = Shape.of(5);
        Dataset data = data(input, 64);
        try (Trainer small = tiny(3).build();
                Trainer large = tiny(7).build()) {
            Map<String, Tensor> masks = new LinkedHashMap<>();
            Map<String, Tensor> values = new LinkedHashMap<>(large.model().values());
            small.model().values().forEach((name, value) -> {
                Tensor wide = Objects.requireNonNull(large.model().values().get(name));
                float[] mask = new float[wide.shape().size()];
                float[] w = new float[mask.length];
                for (int i = 0; i < value.shape().size(); i++) {
                    int columns = value.shape().get(1);
                    int at = i / columns * wide.shape().get(1) + i % columns;
                    mask[at] = 1;
                    w[at] = value.floats()[i];
                }
                masks.put(name, Tensor.of(wide.shape(), mask));
                values.put(name, Tensor.of(wide.shape(), w));
            });
            Model start = large.model().withValues(values);
            try (Trainer masked = Trainer.of(start)
                    .optimizer(Optimizer.adamw().rate(0.01))
                    .clip(Clip.globalNorm(0.1))
                    .batch(16)
                    .seed(2)
                    .backends(backends())
                    .build()) {
                masked.mask(masks);
                for (int step = 0; step < 20; step++) {
                    Batch batch = batch(data, 16 * (step % 4));
                    small.step(batch);
                    masked.step(batch);
                    assertEquals(small.gradientNorm(), masked.gradientNorm(), 1e-4 * small.gradientNorm());
                    assertEquals(small.loss(), masked.loss(), 1e-5);
                }
                assertEquals(
                        2 * (7 - 3) * 4,
                        Sparsity.of(masked.model()).rows().stream()
                                .mapToLong(Sparsity.Row::zeros)
                                .sum());
            }
        }
    }

    private static Batch batch(Dataset data, int from) {
        return data.batch(IntStream.range(from, from + 16).toArray());
    }

    private Trainer.Builder tiny(int hidden) {
        return Trainer.of(sequential(new Linear(hidden, false), relu(), new Linear(3, false)), Shape.of(5))
                .optimizer(Optimizer.adamw().rate(0.01))
                .clip(Clip.globalNorm(0.1))
                .batch(16)
                .seed(2)
                .backends(backends());
    }

    /** Its channels at zero or without them, the rest trains alike: moments, averages and statistics are those left. */
    @Test
    void aTrainerGoesOnWithoutTheChannels() {
        Dataset data = data(IMAGE, 64);
        ChannelPruning half = ChannelPruning.of(0.5);
        for (boolean bf16 : new boolean[] {false, true}) {
            Trainer.Builder builder = trainer(ResNet.small(1, 8, 3))
                    .ema(0.9)
                    .optimizer(Optimizer.adamw().rate(Schedule.cosine(0.01).warmup(3)))
                    .clip(Clip.globalNorm(0.5));
            try (Trainer masked = (bf16 ? builder.bf16() : builder).build()) {
                masked.fit(data, Fit.epochs(1).listener(half));
                try (Trainer narrow = masked.narrowed(half.narrowed(masked.model()))) {
                    assertTrue(narrow.model().parameters() < masked.model().parameters() / 3);
                    assertEquals(masked.steps(), narrow.steps());
                    assertEquals(Map.of(), narrow.masks());
                    masked.planSteps(12);
                    narrow.planSteps(12);
                    for (int step = 0; step < 8; step++) {
                        Batch batch = batch(data, 16 * (step % 4));
                        masked.step(batch);
                        narrow.step(batch);
                        double error = bf16 ? 0.02 : 1e-4;
                        assertEquals(masked.rate(), narrow.rate());
                        assertEquals(masked.loss(), narrow.loss(), error);
                        assertEquals(masked.gradientNorm(), narrow.gradientNorm(), 3 * error);
                    }
                    Narrowed end = half.narrowed(masked.emaModel());
                    end.model()
                            .values()
                            .forEach((name, value) -> assertArrayEquals(
                                    value.floats(),
                                    Objects.requireNonNull(
                                                    narrow.emaModel().values().get(name))
                                            .floats(),
                                    bf16 ? 0.03f : 2e-3f,
                                    name));
                }
                Model other = trainer(NET).build().model();
                assertThrows(IllegalArgumentException.class, () -> masked.narrowed(half.narrowed(other)));
            }
        }
    }

    @Test
    void aGradualPruningGoesOnWhereItStopped() throws IOException {
        Dataset data = data(IMAGE, 64);
        Map<String, Tensor> whole = run(data, dir.resolve("whole"), Integer.MAX_VALUE);
        assertEquals(PRUNABLE - Math.round(0.9 * PRUNABLE), PRUNABLE - masked(whole));
        for (int stop : new int[] {1, 3, 4, 9, 14}) {
            Path directory = dir.resolve("stop" + stop);
            assertTrue(masked(run(data, directory, stop)) < PRUNABLE * 0.9, "it was not stopped on the way");
            assertEquals(whole, run(data, directory, Integer.MAX_VALUE), "stopped after " + stop);
        }
    }

    /** A trainer that has masks goes on with those of the checkpoint, and none if it has none. */
    @Test
    void aCheckpointDecidesAboutMasks() {
        try (Trainer dense = trainer(NET).build();
                Trainer sparse = trainer(NET).build()) {
            Checkpoint before = dense.checkpoint();
            sparse.mask(Pruning.magnitude(0.5).masks(sparse.model()));
            Checkpoint after = sparse.checkpoint();
            dense.resume(after);
            assertEquals(sparse.masks(), dense.masks());
            assertEquals(sparse.model().values(), dense.model().values());
            sparse.resume(before);
            assertEquals(Map.of(), sparse.masks());
            assertEquals(0, Sparsity.of(sparse.model()).share());
        }
    }

    private static long masked(Map<String, Tensor> run) {
        return run.entrySet().stream()
                .filter(e -> e.getKey().startsWith("mask/"))
                .mapToLong(e -> zeros(e.getValue()))
                .sum();
    }

    /** The values of the run's end. */
    private Map<String, Tensor> run(Dataset data, Path directory, int stop) throws IOException {
        try (Trainer trainer = trainer(NET).ema(0.9).build()) {
            trainer.fit(
                    data,
                    Fit.epochs(4)
                            .listener(Pruning.magnitude(0.9).cubic())
                            .checkpoints(Checkpoints.in(directory).everySteps(1).resuming())
                            .stopWhen(() -> trainer.steps() >= stop));
            try (Stream<Path> files = Files.list(directory)) {
                Path newest = files.max(Comparator.naturalOrder()).orElseThrow();
                return new TreeMap<>(Safetensors.read(newest).tensors());
            }
        }
    }

    // ---- what is not understood ----

    @Test
    void aMaskThatIsNoneIsRejected() {
        try (Trainer trainer = trainer(NET).freeze("3.*").build()) {
            assertRejected(trainer, "9.weight", Tensor.of(Shape.of(3), 1, 1, 1f), "no weight '9.weight'");
            assertRejected(trainer, "3.weight", ones(Shape.of(20, 8, 3, 3)), "no weight '3.weight' that is trained");
            assertRejected(trainer, "8.weight", ones(Shape.of(24, 3)), "must be f32[3,24], but is f32[24,3]");
            Tensor half = ones(Shape.of(3, 24));
            half.floats()[5] = 0.5f;
            assertRejected(trainer, "8.weight", half, "holds 0.5");
            assertEquals(Map.of(), trainer.masks());
            trainer.fit(data(IMAGE, 32), Fit.epochs(1).listener(Pruning.magnitude(0.5)));
            assertFalse(trainer.masks().containsKey("3.weight"));
            assertEquals(3, trainer.masks().size());
        }
    }

    private static void assertRejected(Trainer trainer, String weight, Tensor mask, String message) {
        String said =
                String.valueOf(assertThrows(IllegalArgumentException.class, () -> trainer.mask(Map.of(weight, mask)))
                        .getMessage());
        assertTrue(said.contains(message), said);
    }

    private static Tensor ones(Shape shape) {
        float[] ones = new float[shape.size()];
        Arrays.fill(ones, 1);
        return Tensor.of(shape, ones);
    }
}
