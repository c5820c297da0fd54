package dev.hadal.benchmarks;

import static dev.hadal.nn.Layers.batchNorm;
import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.globalAveragePool;
import static dev.hadal.nn.Layers.layerNorm;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.repeat;
import static dev.hadal.nn.Layers.residual;
import static dev.hadal.nn.Layers.sequential;

import dev.hadal.backend.Backends;
import dev.hadal.nn.Layer;
import dev.hadal.optim.Optimizer;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import dev.hadal.train.Trainer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * What a training step of a very deep network takes in memory and time, with all activations kept and within budgets, in
 * turns; and whether the weights are the same bits afterwards.
 *
 * <pre>{@code
 * mvn -q package -DskipTests
 * taskset -c 1 java -cp benchmarks/target/benchmarks.jar dev.hadal.benchmarks.Recomputing [convolutional|perceptron] [layers]
 * }</pre>
 */
public final class Recomputing {
    private static final int STEPS = 7;
    private static final double[] BUDGETS = {1, 0.5, 0.2, 0.15};
    private static final int CLASSES = 10;

    /** A network, and random samples for it. */
    private record Subject(Layer network, Shape sample, int batch) {
        static Subject of(String kind, int layers) {
            return switch (kind) {
                case "convolutional" -> new Subject(convolutional(layers / 2), Shape.of(1, 28, 28), 32);
                case "perceptron" -> new Subject(perceptron(layers / 2), Shape.of(64), 64);
                default -> throw new IllegalArgumentException("convolutional or perceptron, not " + kind);
            };
        }

        private static Layer convolutional(int blocks) {
            Layer block = residual(
                    conv2d(16, 3).padded(), batchNorm(), relu(), conv2d(16, 3).padded(), batchNorm());
            return sequential(
                    conv2d(16, 3).padded(),
                    batchNorm(),
                    relu(),
                    repeat(blocks, i -> sequential(block, relu())),
                    globalAveragePool(),
                    linear(CLASSES));
        }

        private static Layer perceptron(int blocks) {
            Layer block = residual(layerNorm(), linear(64), relu(), linear(64));
            return sequential(linear(64), repeat(blocks, i -> block), layerNorm(), linear(CLASSES));
        }

        Trainer.Builder trainer() {
            return Trainer.of(network, sample)
                    .optimizer(Optimizer.sgd(0).rate(1e-3))
                    .batch(batch)
                    .backends(Backends.automatic().withThreads(1));
        }

        Tensor x() {
            Philox random = new Philox(1, 0);
            float[] values = new float[sample.prepend(batch).size()];
            for (int i = 0; i < values.length; i++) {
                values[i] = random.uniform(i) - 0.5f;
            }
            return Tensor.of(sample.prepend(batch), values);
        }

        Tensor target() {
            int[] classes = new int[batch];
            Arrays.setAll(classes, i -> i % CLASSES);
            return Tensor.of(Shape.of(batch), classes);
        }
    }

    /** One row of the table. */
    private record Run(double budget, Trainer trainer, List<Double> millis) {}

    public static void main(String... arguments) {
        Subject subject = Subject.of(
                arguments.length > 0 ? arguments[0] : "convolutional",
                arguments.length > 1 ? Integer.parseInt(arguments[1]) : 200);
        List<Run> runs = new ArrayList<>();
        try {
            for (double budget : BUDGETS) {
                Trainer.Builder builder = subject.trainer();
                if (budget < 1) {
                    builder.activationMemory(
                            (long) (budget * runs.get(0).trainer.activationBytes()));
                }
                runs.add(new Run(budget, builder.build(), new ArrayList<>()));
            }
            Tensor x = subject.x();
            Tensor target = subject.target();
            for (int step = 0; step < STEPS; step++) {
                for (Run run : runs) {
                    long start = System.nanoTime();
                    run.trainer.step(x, target);
                    run.millis.add((System.nanoTime() - start) * 1e-6);
                }
            }
            print(runs);
        } finally {
            runs.forEach(run -> run.trainer.close());
        }
    }

    private static void print(List<Run> runs) {
        System.out.println("| budget | activations, MB | share | step, ms | times as long | same bits |");
        System.out.println("| --- | --- | --- | --- | --- | --- |");
        Run all = runs.get(0);
        for (Run run : runs) {
            System.out.printf(
                    Locale.ROOT,
                    "| %s | %.1f | %.3f | %.1f | %.2f | %s |%n",
                    run.budget == 1 ? "none" : run.budget,
                    run.trainer.activationBytes() * 1e-6,
                    (double) run.trainer.activationBytes() / all.trainer.activationBytes(),
                    Median.of(run.millis),
                    Median.of(run.millis) / Median.of(all.millis),
                    run.trainer.model().values().equals(all.trainer.model().values()));
        }
    }

    private Recomputing() {}
}
