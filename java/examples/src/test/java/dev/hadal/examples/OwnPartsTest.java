package dev.hadal.examples;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hadal.backend.Backends;
import dev.hadal.data.Batch;
import dev.hadal.model.Model;
import dev.hadal.optim.Optimizer;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import dev.hadal.train.Trainer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The parts of {@link OwnParts}, each against its formula in float64. */
class OwnPartsTest {
    private static final float A = 0.5f;
    private static final float RATE = 0.25f;
    private static final float[] X = {-3, -1.5f, -0.25f, 0, 0.75f, 4};
    private static final float[] TARGET = {1, -1, 0.5f, -2, 0.25f, 3.5f};

    private static Trainer trainer() {
        return Trainer.of(OwnParts.snake(A), Shape.of(3))
                .loss(new OwnParts.LogCosh())
                .optimizer(Optimizer.of(new OwnParts.Signum(0.9f), RATE))
                .backends(Backends.automatic().withThreads(1))
                .build();
    }

    private static Batch batch() {
        return Batch.of(Tensor.of(Shape.of(2, 3), X), Tensor.of(Shape.of(2, 3), TARGET));
    }

    private static double snake(double x) {
        return x + Math.pow(Math.sin(A * x), 2) / A;
    }

    @Test
    void theLossAndItsGradient() {
        double loss = 0;
        float[] dx = new float[X.length];
        for (int i = 0; i < X.length; i++) {
            double d = snake(X[i]) - TARGET[i];
            loss += (Math.log(Math.cosh(d)) + Math.log(2)) / X.length;
            dx[i] = (float) (Math.tanh(d) * (1 + Math.sin(2 * A * X[i])) / X.length);
        }
        try (Trainer trainer = trainer()) {
            Map<String, Tensor> seen = trainer.inspect(batch(), "gradient/x");
            assertArrayEquals(dx, Objects.requireNonNull(seen.get("gradient/x")).floats(), 1e-6f);
            trainer.step(batch());
            assertEquals(loss, trainer.loss(), 1e-6);
        }
    }

    @Test
    void aStepGoesByTheSignOfTheGradient() {
        float[] expected = {1, 1, 1};
        for (int f = 0; f < 3; f++) {
            double slope = 0;
            for (int i = f; i < X.length; i += 3) {
                slope += Math.tanh(snake(X[i]) - TARGET[i]) * (1 + Math.sin(2 * A * X[i])) * X[i];
            }
            expected[f] -= RATE * (float) Math.signum(slope);
        }
        try (Trainer trainer = trainer()) {
            trainer.step(batch());
            assertArrayEquals(
                    expected,
                    Objects.requireNonNull(trainer.model().values().get("scale"))
                            .floats());
        }
    }

    @Test
    void aSavedNetworkHoldsTheOp(@TempDir Path directory) throws IOException {
        Path file = directory.resolve("snake.safetensors");
        float[] expected = new float[X.length];
        for (int i = 0; i < X.length; i++) {
            expected[i] = (float) snake(X[i]);
        }
        try (Trainer trainer = trainer()) {
            trainer.model().save(file);
        }
        try (Predictor predictor = Predictor.of(Model.load(file))) {
            assertArrayEquals(expected, predictor.predict(batch().x()).floats(), 1e-6f);
        }
    }

    @Test
    void theMetricIsTheLargestError() {
        var worst = OwnParts.worst().start();
        worst.add(Tensor.of(Shape.of(1), -1f), Tensor.of(Shape.of(1), 2f));
        worst.add(Tensor.of(Shape.of(2), 1f, 2f), Tensor.of(Shape.of(2), 1.5f, 2f));
        assertEquals(3, worst.value());
    }
}
