package dev.hadal.benchmarks;

import dev.hadal.backend.Backends;
import dev.hadal.cli.FashionMnist;
import dev.hadal.data.Augmentation;
import dev.hadal.data.Batch;
import dev.hadal.data.Batches;
import dev.hadal.data.Batching;
import dev.hadal.data.Dataset;
import dev.hadal.data.Normalization;
import dev.hadal.model.Model;
import dev.hadal.nn.ResNet;
import dev.hadal.optim.Clip;
import dev.hadal.optim.Optimizer;
import dev.hadal.optim.Schedule;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import dev.hadal.train.Fit;
import dev.hadal.train.Listener;
import dev.hadal.train.Trainer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The networks of which accuracies are told: ResNet-20 on the Fashion-MNIST images that ship with Hadal, 10,000 to train
 * with and 10,000 to test with. A network that has been trained is kept in {@code benchmarks/target/trained}.
 *
 * @param width the channels of the first stage
 */
final class TrainedResNet {
    private static final int BATCH = 64;
    private static final int TEST_BATCH = 250;
    private static final int CLASSES = 10;

    private final Path directory;
    private final int width;
    private final int epochs;
    private final Backends backends = Backends.automatic().withThreads(1);
    private final Normalization normalization;
    private final Dataset train;
    private final Dataset test;

    TrainedResNet(int width, int epochs) throws IOException {
        FashionMnist images = FashionMnist.shipped();
        this.width = width;
        this.epochs = epochs;
        normalization = Normalization.learn(images.train());
        train = images.train().normalized(normalization);
        test = images.test().normalized(normalization);
        directory = Files.createDirectories(Path.of("benchmarks", "target", "trained"));
    }

    /** Where what was trained is kept. */
    Path directory() {
        return directory;
    }

    Dataset train() {
        return train;
    }

    Dataset test() {
        return test;
    }

    Backends backends() {
        return backends;
    }

    /** What belongs to a seed, by its name. */
    Path file(long seed, String name) {
        return directory.resolve("resnet20-width" + width + "-epochs" + epochs + "-seed" + seed + name);
    }

    /** The network of a seed, trained as the quickstart trains. */
    Model model(long seed) throws IOException {
        Path file = file(seed, ".safetensors");
        if (!Files.exists(file)) {
            try (Trainer trainer = settings(Trainer.of(ResNet.resnet20(width, CLASSES), Shape.of(1, 28, 28)), 1e-2, seed)
                    .build()) {
                trainer.fit(train, fit(epochs));
                trainer.model().save(file);
            }
        }
        return Model.load(file);
    }

    /** How all are trained, and trained further. */
    Trainer.Builder settings(Trainer.Builder builder, double rate, long seed) {
        return builder.optimizer(Optimizer.adamw()
                        .rate(Schedule.cosine(rate).warmup(100))
                        .weightDecay(0.05))
                .clip(Clip.globalNorm(1))
                .batch(BATCH)
                .seed(seed)
                .backends(backends);
    }

    Fit fit(int count) {
        Fit fit = Fit.epochs(count)
                .augment(Augmentation.shift(1, normalization.apply(0, 0)).then(Augmentation.flip()));
        return Boolean.getBoolean("verbose") ? fit.listener(Listener.printing(System.err)) : fit;
    }

    /** Which class a model takes each test image for. */
    byte[] predictions(Model model) {
        byte[] predicted = new byte[test.size()];
        int at = 0;
        try (Predictor predictor = Predictor.of(model, backends);
                Batches batches = Batching.of(TEST_BATCH).open(test)) {
            batches.startEpoch(0);
            while (batches.hasNext()) {
                Batch batch = batches.next();
                Tensor y = predictor.predict(batch.x());
                for (int i = 0; i < batch.size(); i++) {
                    int best = 0;
                    for (int c = 1; c < CLASSES; c++) {
                        best = y.floats()[i * CLASSES + c] > y.floats()[i * CLASSES + best] ? c : best;
                    }
                    predicted[at++] = (byte) best;
                }
            }
        }
        return predicted;
    }

    /** Which test images are recognised. */
    boolean[] right(byte[] predicted) {
        boolean[] right = new boolean[predicted.length];
        for (int i = 0; i < right.length; i++) {
            right[i] = predicted[i] == test.label(i);
        }
        return right;
    }
}
