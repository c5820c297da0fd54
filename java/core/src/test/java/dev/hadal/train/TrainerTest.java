package dev.hadal.train;

import static dev.hadal.nn.Layers.batchNorm;
import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.globalAveragePool;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.residual;
import static dev.hadal.nn.Layers.sequential;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.model.Model;
import dev.hadal.nn.Layer;
import dev.hadal.optim.Clip;
import dev.hadal.optim.Optimizer;
import dev.hadal.optim.Schedule;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainerTest {
    static final Layer NET = sequential(
            conv2d(8, 3).padded(),
            batchNorm(),
            relu(),
            residual(conv2d(8, 3).padded(), batchNorm(), relu(), conv2d(8, 3).padded(), batchNorm()),
            relu(),
            globalAveragePool(),
            linear(3));

    /** Three classes of noisy 6×6 stripes, seen through a seed. */
    static void stripes(long seed, float[] x, int[] labels) {
        Philox random = new Philox(seed, 0);
        for (int i = 0; i < labels.length; i++) {
            labels[i] = random.below(3, i);
            for (int p = 0; p < 36; p++) {
                int line = labels[i] == 0 ? p % 6 : labels[i] == 1 ? p / 6 : p % 6 + p / 6;
                x[i * 36 + p] = line % 2 + 0.3f * random.normal(1000 + i * 36L + p);
            }
        }
    }

    static Trainer trainer(Backends backends) {
        return Trainer.of(NET, Shape.of(1, 6, 6))
                .optimizer(
                        Optimizer.adamw().rate(Schedule.cosine(1e-2).warmup(5)).weightDecay(0.05))
                .clip(Clip.globalNorm(1))
                .batch(16)
                .seed(7)
                .backends(backends)
                .build();
    }

    @Test
    void learnsStripesAndPredictsThemFromASavedModel(@TempDir Path dir) throws Exception {
        float[] x = new float[16 * 36];
        int[] labels = new int[16];
        float first;
        Model model;
        try (Trainer trainer = trainer(Backends.automatic())) {
            trainer.planSteps(60);
            stripes(0, x, labels);
            trainer.step(Tensor.of(Shape.of(16, 1, 6, 6), x), Tensor.of(Shape.of(16), labels));
            first = trainer.loss();
            for (int i = 1; i < 60; i++) {
                stripes(i, x, labels);
                trainer.step(Tensor.of(Shape.of(16, 1, 6, 6), x), Tensor.of(Shape.of(16), labels));
            }
            assertTrue(trainer.loss() < first / 4, first + " -> " + trainer.loss());
            model = trainer.model();
        }
        model.save(dir.resolve("stripes.safetensors"));
        Model loaded = Model.load(dir.resolve("stripes.safetensors"));
        stripes(1000, x, labels);
        try (Predictor a = Predictor.of(model);
                Predictor b = Predictor.of(loaded)) {
            Tensor batch = Tensor.of(Shape.of(16, 1, 6, 6), x);
            Tensor y = a.predict(batch);
            assertEquals(y, b.predict(batch));
            int right = 0;
            for (int i = 0; i < 16; i++) {
                float[] row = Arrays.copyOfRange(y.floats(), 3 * i, 3 * i + 3);
                int best = row[0] > row[1] ? row[0] > row[2] ? 0 : 2 : row[1] > row[2] ? 1 : 2;
                right += best == labels[i] ? 1 : 0;
            }
            assertTrue(right >= 15, right + " of 16");
        }
    }
}
