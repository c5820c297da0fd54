package dev.hadal.nn;

import static dev.hadal.nn.Layers.gru;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.lstm;
import static dev.hadal.nn.Layers.rnn;
import static dev.hadal.nn.Layers.sequential;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Type;
import dev.hadal.graph.TypeException;
import dev.hadal.graph.Value;
import dev.hadal.model.BatchSize;
import dev.hadal.model.Model;
import dev.hadal.model.Safetensors;
import dev.hadal.optim.Optimizer;
import dev.hadal.run.Plan;
import dev.hadal.run.Predictor;
import dev.hadal.run.Session;
import dev.hadal.run.Store;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import dev.hadal.train.Trainer;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Recurrent networks against PyTorch 1.13, by what scripts/fixtures/recurrent.py has written: outputs, gradients, and
 * 50 steps of training.
 */
@Tag("variant")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class RecurrenceSpec {
    private final Map<String, Tensor> fixtures = read();

    /** Where to run; fallback is an error where the backend is to do everything itself. */
    protected abstract Backends backends();

    /** Through a file of its own, as the resource may lie in a jar. */
    private static Map<String, Tensor> read() {
        try (InputStream resource =
                Objects.requireNonNull(RecurrenceSpec.class.getResourceAsStream("recurrent.safetensors"))) {
            Path file = Files.createTempFile("recurrent", ".safetensors");
            try {
                Files.copy(resource, file, StandardCopyOption.REPLACE_EXISTING);
                return Safetensors.read(file).tensors();
            } finally {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Tensor fixture(String name) {
        return Objects.requireNonNull(fixtures.get(name), name);
    }

    /** Those whose names begin so, by the rest of their names. */
    private Map<String, Tensor> fixtures(String prefix) {
        Map<String, Tensor> some = new LinkedHashMap<>();
        fixtures.forEach((name, value) -> {
            if (name.startsWith(prefix)) {
                some.put(name.substring(prefix.length()), value);
            }
        });
        return some;
    }

    private static Recurrence network(String fixture) {
        Recurrence cell = fixture.startsWith("lstm")
                ? lstm(3)
                : fixture.startsWith("gru") ? gru(3) : fixture.startsWith("relu") ? rnn(3).relu() : rnn(3);
        Recurrence form = fixture.contains("single") ? cell : cell.layers(2);
        return fixture.contains("bidirectional") ? form.bidirectional() : form;
    }

    private Model model(Recurrence network, String fixture) {
        Shape x = fixture(fixture + "/x").shape();
        Type sample = Type.f32(x.get(1), x.get(2));
        Model model;
        if (fixtures.containsKey(fixture + "/lengths")) {
            Network masked = (scope, in) ->
                    Map.of("y", network.apply(scope, Objects.requireNonNull(in.get("x")), in.get("lengths")));
            model = masked.model(Map.of("x", sample, "lengths", Type.i32()), 1);
        } else {
            model = network.model(sample, 1);
        }
        Map<String, Tensor> weights = new LinkedHashMap<>();
        for (Value w : model.graph().leaves(Role.WEIGHT)) {
            String name = Graph.leafOf(w).name();
            weights.put(name, fixture(fixture + "/" + name));
        }
        return model.withValues(weights).apply(new BatchSize(x.get(0)));
    }

    private static void assertClose(String what, Tensor expected, Tensor actual, double tolerance) {
        assertEquals(expected.shape(), actual.shape(), what);
        double scale = 0;
        for (float v : expected.floats()) {
            scale = Math.max(scale, Math.abs(v));
        }
        for (int i = 0; i < expected.floats().length; i++) {
            double error = Math.abs(expected.floats()[i] - actual.floats()[i]);
            assertTrue(
                    error <= tolerance * scale,
                    what + " at " + i + " is " + actual.floats()[i] + ", but PyTorch has " + expected.floats()[i]);
        }
    }

    /** Outputs, final states and all gradients within 2·10⁻⁶ of each one's largest. Worst observed: 7·10⁻⁷. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "rnn_single_packed",
                "rnn_stacked",
                "rnn_bidirectional",
                "rnn_bidirectional_packed",
                "relu_single_packed",
                "relu_stacked",
                "relu_bidirectional",
                "relu_bidirectional_packed",
                "lstm_single_packed",
                "lstm_stacked",
                "lstm_bidirectional",
                "lstm_bidirectional_packed",
                "gru_single_packed",
                "gru_stacked",
                "gru_bidirectional",
                "gru_bidirectional_packed"
            })
    void agreesWithPyTorch(String fixture) {
        Model model = model(network(fixture), fixture);
        Graph graph = model.graph();
        Value y = graph.output("y");
        Value dy = graph.leaf(Role.INPUT, "dy", y.type());
        List<Value> wanted = new ArrayList<>(graph.leaves(Role.WEIGHT));
        wanted.add(graph.leaf("x"));
        graph.differentiate(y, dy, wanted)
                .forEach((v, dv) -> graph.output("d_" + Graph.leafOf(v).name(), dv));
        Map<String, Tensor> results = run(graph, model.values(), fixture);
        assertEquals(wanted.size() + 1, results.size());
        results.forEach((name, value) -> assertClose(name, fixture(fixture + "/" + name), value, 2e-6));

        Model last = model(network(fixture).last(), fixture);
        Tensor h =
                Objects.requireNonNull(run(last.graph(), last.values(), fixture).get("y"));
        assertClose("last", fixture(fixture + "/last"), h, 2e-6);
    }

    /** One run on the backend. */
    private Map<String, Tensor> run(Graph graph, Map<String, Tensor> weights, String fixture) {
        Map<String, Tensor> results = new LinkedHashMap<>();
        try (Store store = new Store();
                Plan plan = Plan.compile(graph, backends(), Plan.Options.DEFAULT)) {
            Map<String, Map<String, Store.Placement>> groups = new LinkedHashMap<>();
            plan.stored()
                    .forEach((name, place) -> groups.computeIfAbsent(
                                    place.backend().name(), g -> new LinkedHashMap<>())
                            .put(name, place));
            groups.forEach(store::add);
            weights.forEach(store::write);
            try (Session session = plan.session(store)) {
                for (Value input : graph.leaves(Role.INPUT)) {
                    String name = Graph.leafOf(input).name();
                    session.write(name, fixture(fixture + "/" + name));
                }
                session.run();
                graph.outputs().keySet().forEach(name -> results.put(name, session.read(name)));
            }
        }
        return results;
    }

    /** Every weight after 50 steps within 4·10⁻⁶ of each tensor's largest. Worst observed: 10⁻⁶. */
    @Test
    void trainsAsPyTorchDoes() {
        Model model =
                sequential(lstm(4).last(), linear(3)).model(Shape.of(5, 4), 1).withValues(fixtures("training/before/"));
        Shape all = fixture("training/x").shape();
        int batch = all.sizeFrom(1);
        try (Trainer trainer = Trainer.of(model)
                .optimizer(Optimizer.sgd(0.9).rate(0.1))
                .batch(all.get(1))
                .backends(backends())
                .build()) {
            for (int step = 0; step < 50; step++) {
                int k = step % all.get(0);
                float[] x = Arrays.copyOfRange(fixture("training/x").floats(), k * batch, (k + 1) * batch);
                int[] labels =
                        Arrays.copyOfRange(fixture("training/labels").ints(), k * all.get(1), (k + 1) * all.get(1));
                trainer.step(
                        Tensor.of(Shape.of(all.get(1), all.get(2), all.get(3)), x),
                        Tensor.of(Shape.of(all.get(1)), labels));
            }
            fixtures("training/after/")
                    .forEach((name, expected) -> assertClose(
                            name,
                            expected,
                            Objects.requireNonNull(trainer.model().values().get(name)),
                            4e-6));
        }
    }

    /** The order of a network's steps is what it learns here: whether the larger of two peaks comes first. */
    @Test
    void twoLayersLearnAndPredictTheSameFromASavedModel(@TempDir Path dir) throws IOException {
        int n = 64;
        int steps = 12;
        float[] x = new float[n * steps];
        int[] labels = new int[n];
        for (int i = 0; i < n; i++) {
            int first = i % 5;
            int second = 6 + i % 6;
            labels[i] = i / 7 % 2;
            x[i * steps + first] = labels[i] == 0 ? 1 : 0.5f;
            x[i * steps + second] = labels[i] == 0 ? 0.5f : 1;
        }
        Tensor samples = Tensor.of(Shape.of(n, steps, 1), x);
        Model model;
        try (Trainer trainer = Trainer.of(sequential(lstm(16).layers(2).last(), linear(2)), Shape.of(steps, 1))
                .optimizer(Optimizer.adamw().rate(2e-2))
                .batch(n)
                .seed(5)
                .backends(backends())
                .build()) {
            trainer.step(samples, Tensor.of(Shape.of(n), labels));
            float before = trainer.loss();
            for (int step = 0; step < 80; step++) {
                trainer.step(samples, Tensor.of(Shape.of(n), labels));
            }
            assertTrue(trainer.loss() < before / 20, before + " to " + trainer.loss());
            model = trainer.model();
        }
        Path file = dir.resolve("peaks.safetensors");
        model.save(file);
        try (Predictor one = Predictor.of(model, backends());
                Predictor other = Predictor.of(Model.load(file), backends())) {
            Tensor logits = one.predict(samples);
            assertEquals(logits, other.predict(samples));
            for (int i = 0; i < n; i++) {
                assertEquals(labels[i] == 1, logits.floats()[2 * i + 1] > logits.floats()[2 * i], "sample " + i);
            }
        }
    }

    @Test
    void whatDoesNotFitIsTold() {
        assertTells("[N,T,features]", () -> lstm(3).model(Shape.of(5), 1));
        Network wrong = (scope, in) -> Map.of(
                "y",
                gru(3).apply(scope, Objects.requireNonNull(in.get("x")), Objects.requireNonNull(in.get("lengths"))));
        assertTells("i32[1]", () -> wrong.model(Map.of("x", Type.f32(4, 2), "lengths", Type.f32()), 1));
        assertEquals(
                "rnn alone has a ReLU form, GRU has not",
                assertThrows(IllegalStateException.class, () -> gru(3).relu()).getMessage());
        assertTells("hidden=0", IllegalArgumentException.class, () -> lstm(0));
        assertTells("layers=0", IllegalArgumentException.class, () -> lstm(3).layers(0));
    }

    private static void assertTells(String words, Runnable body) {
        assertTells(words, TypeException.class, body);
    }

    private static void assertTells(String words, Class<? extends Exception> type, Runnable body) {
        String message = String.valueOf(assertThrows(type, body::run).getMessage());
        assertTrue(message.contains(words), message);
    }
}
