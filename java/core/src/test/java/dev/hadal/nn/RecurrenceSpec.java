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
import dev.hadal.graph.Type;
import dev.hadal.graph.TypeException;
import dev.hadal.model.Model;
import dev.hadal.optim.Optimizer;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import dev.hadal.train.Trainer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
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
    private final Fixtures fixtures = Fixtures.read("recurrent.safetensors");

    /** Where to run; fallback is an error where the backend is to do everything itself. */
    protected abstract Backends backends();

    private static Recurrence network(String fixture) {
        Recurrence cell = fixture.startsWith("lstm")
                ? lstm(3)
                : fixture.startsWith("gru") ? gru(3) : fixture.startsWith("relu") ? rnn(3).relu() : rnn(3);
        Recurrence form = fixture.contains("single") ? cell : cell.layers(2);
        return fixture.contains("bidirectional") ? form.bidirectional() : form;
    }

    private Model model(Recurrence network, String fixture) {
        return fixtures.model(network, network::apply, fixture);
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
        fixtures.assertAgrees(model(network(fixture), fixture), fixture, backends(), 2e-6);

        Model last = model(network(fixture).last(), fixture);
        Tensor h = Objects.requireNonNull(
                fixtures.run(last.graph(), last.values(), fixture, backends()).get("y"));
        Fixtures.assertClose("last", fixtures.get(fixture + "/last"), h, 2e-6);
    }

    /** Every weight after 50 steps within 4·10⁻⁶ of each tensor's largest. Worst observed: 10⁻⁶. */
    @Test
    void trainsAsPyTorchDoes() {
        Model model = sequential(lstm(4).last(), linear(3))
                .model(Shape.of(5, 4), 1)
                .withValues(fixtures.under("training/before/"));
        Shape all = fixtures.get("training/x").shape();
        int batch = all.sizeFrom(1);
        try (Trainer trainer = Trainer.of(model)
                .optimizer(Optimizer.sgd(0.9).rate(0.1))
                .batch(all.get(1))
                .backends(backends())
                .build()) {
            for (int step = 0; step < 50; step++) {
                int k = step % all.get(0);
                float[] x = Arrays.copyOfRange(fixtures.get("training/x").floats(), k * batch, (k + 1) * batch);
                int[] labels = Arrays.copyOfRange(
                        fixtures.get("training/labels").ints(), k * all.get(1), (k + 1) * all.get(1));
                trainer.step(
                        Tensor.of(Shape.of(all.get(1), all.get(2), all.get(3)), x),
                        Tensor.of(Shape.of(all.get(1)), labels));
            }
            fixtures.under("training/after/")
                    .forEach((name, expected) -> Fixtures.assertClose(
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
