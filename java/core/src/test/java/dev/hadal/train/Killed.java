package dev.hadal.train;

import static dev.hadal.nn.Layers.batchNorm;
import static dev.hadal.nn.Layers.dropout;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.sequential;

import dev.hadal.backend.Backends;
import dev.hadal.data.Augmentation;
import dev.hadal.data.Dataset;
import dev.hadal.nn.Layer;
import dev.hadal.optim.Clip;
import dev.hadal.optim.Optimizer;
import dev.hadal.optim.Plateau;
import dev.hadal.optim.Schedule;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.nio.file.Files;
import java.nio.file.Path;

/** A run for a JVM of its own that may be killed at any instant: arguments are the rule, a directory and the steps' pace. */
final class Killed {
    static final int EPOCHS = 6;
    static final Augmentation NOISE = Augmentation.noise(0.1f);
    private static final Layer NET =
            sequential(linear(24), batchNorm(), relu(), dropout(0.1), linear(16), batchNorm(), relu(), linear(3));

    static Trainer trainer(String rule, Backends backends) {
        Optimizer optimizer = rule.equals("sgd") ? Optimizer.sgd(0.9, true) : Optimizer.adamw();
        return Trainer.of(NET, Shape.of(12))
                .optimizer(optimizer.rate(Schedule.cosine(0.02).warmup(5)))
                .clip(Clip.globalNorm(1))
                .batch(20)
                .ema(0.9)
                .reduceOnPlateau(Plateau.of(0.5, 1))
                .microBatch(rule.equals("accumulation") ? 7 : 20)
                .seed(3)
                .backends(backends)
                .build();
    }

    static Dataset data() {
        Philox random = new Philox(1, 2);
        float[] x = new float[170 * 12];
        int[] labels = new int[170];
        for (int i = 0; i < x.length; i++) {
            x[i] = random.normal(i);
        }
        for (int i = 0; i < labels.length; i++) {
            labels[i] = x[12 * i] > 0.3 ? 0 : x[12 * i + 1] * x[12 * i + 2] > 0 ? 1 : 2;
        }
        return Dataset.of(Tensor.of(Shape.of(170, 12), x), 3, labels);
    }

    static Fit fit(Path directory) {
        return Fit.epochs(EPOCHS)
                .augment(NOISE)
                .checkpoints(Checkpoints.in(directory).everySteps(1).keepLast(2).resuming());
    }

    /** Trains to the end, from wherever the run before was killed, and saves the end as {@code done.safetensors}. */
    public static void main(String[] args) throws Exception {
        Path directory = Path.of(args[1]);
        int pause = Integer.parseInt(args[2]);
        try (Trainer trainer = trainer(args[0], Backends.automatic().withThreads(1))) {
            trainer.fit(data(), fit(directory).listener(new Listener() {
                @Override
                public void onStep(Progress progress) {
                    try {
                        Thread.sleep(pause);
                    } catch (InterruptedException e) {
                        throw new IllegalStateException(e);
                    }
                }
            }));
            trainer.checkpoint().save(directory.resolve("done.safetensors"));
        }
        System.out.println("done " + Files.size(directory.resolve("done.safetensors")));
    }

    private Killed() {}
}
