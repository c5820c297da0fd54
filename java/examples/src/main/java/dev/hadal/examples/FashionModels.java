package dev.hadal.examples;

import static dev.hadal.nn.Layers.batchNorm;
import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.globalAveragePool;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.sequential;

import dev.hadal.backend.Backends;
import dev.hadal.cli.FashionMnist;
import dev.hadal.data.Augmentation;
import dev.hadal.data.ByteImages;
import dev.hadal.data.Dataset;
import dev.hadal.data.Normalization;
import dev.hadal.model.Model;
import dev.hadal.nn.Layer;
import dev.hadal.nn.ResNet;
import dev.hadal.optim.Clip;
import dev.hadal.optim.Optimizer;
import dev.hadal.optim.Schedule;
import dev.hadal.train.Fit;
import dev.hadal.train.Listener;
import dev.hadal.train.Trainer;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Networks trained on the 10,000 Fashion-MNIST images that ship with the command: what compression is measured on. A
 * directory keeps them, so that a second run, or another program, need not train them again.
 */
final class FashionModels {
    /** The networks, each made for ten classes. */
    enum Kind {
        /** The quickstart's. */
        RESNET20,
        /** Depthwise and pointwise convolutions in turn (Howard et al. 2017). */
        MOBILENET;

        Layer network() {
            return this == RESNET20 ? ResNet.resnet20(8, 10) : mobilenet();
        }

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    private final Path directory;
    private final Backends backends;
    private final Normalization normalization;
    private final float black;
    private final Dataset train;
    private final Dataset test;

    FashionModels(Path directory, Backends backends) throws IOException {
        this.directory = directory;
        this.backends = backends;
        FashionMnist images = FashionMnist.shipped();
        ByteImages bytes = images.train();
        normalization = Normalization.learn(bytes);
        black = normalization.apply(0, 0);
        train = bytes.normalized(normalization);
        test = images.test().normalized(normalization);
    }

    Dataset train() {
        return train;
    }

    Dataset test() {
        return test;
    }

    /** What happens to a training image every time it is seen. */
    Augmentation augmentation() {
        return Augmentation.shift(1, black).then(Augmentation.flip());
    }

    /** The trained network of that seed, from the directory if it is there. */
    Model model(Kind kind, long seed, int epochs, PrintStream out) throws IOException {
        Path file = directory.resolve(kind + "-" + epochs + "-epochs-seed-" + seed + ".safetensors");
        if (Files.exists(file)) {
            return Model.load(file);
        }
        out.println("training " + file.getFileName());
        try (Trainer trainer = Trainer.of(kind.network(), train.shape())
                .optimizer(Optimizer.adamw()
                        .rate(Schedule.cosine(1e-2).warmup(100))
                        .weightDecay(0.05))
                .clip(Clip.globalNorm(1))
                .batch(64)
                .seed(seed)
                .backends(backends)
                .build()) {
            trainer.fit(train, Fit.epochs(epochs).augment(augmentation()).listener(Listener.printing(out)));
            Model model = trainer.model().withMetadata(normalization.toMap(Model.INPUT));
            Files.createDirectories(directory);
            model.save(file);
            return model;
        }
    }

    private static Layer mobilenet() {
        List<Layer> layers = new ArrayList<>(List.of(conv2d(16, 3).padded(), batchNorm(), relu()));
        int[] channels = {16, 32, 64, 64, 128, 128, 128};
        int[] stride = {1, 2, 1, 2, 1, 1};
        for (int i = 0; i < stride.length; i++) {
            layers.add(conv2d(channels[i], 3).padded().stride(stride[i]).depthwise());
            layers.add(batchNorm());
            layers.add(relu());
            layers.add(conv2d(channels[i + 1], 1));
            layers.add(batchNorm());
            layers.add(relu());
        }
        layers.add(globalAveragePool());
        layers.add(linear(10));
        return sequential(layers.toArray(Layer[]::new));
    }
}
