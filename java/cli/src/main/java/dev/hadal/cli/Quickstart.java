package dev.hadal.cli;

import dev.hadal.backend.Backends;
import dev.hadal.compress.Compressed;
import dev.hadal.compress.Compression;
import dev.hadal.data.Augmentation;
import dev.hadal.data.Dataset;
import dev.hadal.data.Normalization;
import dev.hadal.graph.Leaf;
import dev.hadal.model.Model;
import dev.hadal.nn.Layer;
import dev.hadal.nn.ResNet;
import dev.hadal.optim.Clip;
import dev.hadal.optim.Optimizer;
import dev.hadal.optim.Schedule;
import dev.hadal.train.Fit;
import dev.hadal.train.Trainer;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** The whole way of a network: declared, trained, looked at, saved and loaded again. */
final class Quickstart {
    private static final int BATCH = 64;
    private static final int PICTURES = 4;
    private static final double BUDGET = 0.01;
    private static final double LESS_CHANNELS = 0.25;
    private static final int COMPRESSION_EPOCHS = 2;

    private final PrintStream out;
    private final Terminal terminal;
    private final Backends backends;
    private final @Nullable Path directory;
    private final @Nullable Path save;
    private final int epochs;
    private final long seed;

    Quickstart(
            PrintStream out,
            Terminal terminal,
            Backends backends,
            @Nullable Path directory,
            @Nullable Path save,
            int epochs,
            long seed) {
        this.out = out;
        this.terminal = terminal;
        this.backends = backends;
        this.directory = directory;
        this.save = save;
        this.epochs = epochs;
        this.seed = seed;
    }

    void run() throws IOException, CommandException {
        FashionMnist images = directory == null ? FashionMnist.shipped() : FashionMnist.from(directory);
        Normalization normalization = Normalization.learn(images.train());
        Dataset train = images.train().normalized(normalization);
        Dataset test = images.test().normalized(normalization);
        say("data", "%,d images to train with, %,d to test with, %s", train.size(), test.size(), train.shape());
        say("backend", "%s%s", backends, remark());

        Layer network = ResNet.resnet20(8, images.names().size());
        Model model = train(network, train, normalization.apply(0, 0)).withMetadata(normalization.toMap(Model.INPUT));
        Predictions predictions = Predictions.of(model, test, backends);
        say("test", "%.2f %% of %,d images are recognised", 100 * predictions.accuracy(), test.size());

        draw(images, predictions);
        saveAndLoad(model, test, predictions);
        new Comparison(backends.threads(), network, train).lines().forEach(out::println);
        compress(model, train, test, normalization);
    }

    /** In a short form; {@code hadal compress} takes its time. */
    private void compress(Model model, Dataset train, Dataset test, Normalization normalization) {
        out.println();
        Dataset.Split halves = CompressCommand.halves(test, seed);
        Compression how = Compression.within(BUDGET)
                .channels(LESS_CHANNELS)
                .backends(backends)
                .seed(seed);
        Compressed compressed =
                CompressCommand.compressed(out, how, COMPRESSION_EPOCHS, model, train, halves.drawn(), normalization);
        out.println();
        say("tested", "on %s", CompressCommand.tested(compressed, model, halves.rest(), backends));
    }

    /** Says so if a faster backend could run here; one that cannot has been logged, with the reason. */
    private String remark() {
        return Backends.installed().stream()
                .filter(b ->
                        b.rank() > backends.first().rank() && b.availability().available())
                .findFirst()
                .map(b -> "; " + b.name() + " would be faster: leave out --backend")
                .orElse("");
    }

    private Model train(Layer network, Dataset train, float black) {
        Trainer.Builder builder = Trainer.of(network, train.shape())
                .optimizer(Optimizer.adamw()
                        .rate(Schedule.cosine(1e-2).warmup(100))
                        .weightDecay(0.05))
                .clip(Clip.globalNorm(1))
                .batch(BATCH)
                .seed(seed)
                .backends(backends);
        try (Trainer trainer = builder.build();
                TrainingProgress progress = new TrainingProgress(out, terminal)) {
            say(
                    "network",
                    "%d weight layers, %,d parameters",
                    weightLayers(trainer.model()),
                    trainer.model().parameters());
            out.println();
            Fit fit = Fit.epochs(epochs)
                    .augment(Augmentation.shift(1, black).then(Augmentation.flip()))
                    .listener(progress);
            trainer.fit(train, fit);
            out.println();
            return trainer.model();
        }
    }

    private static long weightLayers(Model model) {
        return model.graph().leaves(Leaf.Role.WEIGHT).stream()
                .filter(w -> w.shape().rank() >= 2)
                .count();
    }

    /** The first test images, the last of them one that is taken for something else if there is one. */
    private void draw(FashionMnist images, Predictions predictions) {
        List<Integer> chosen = new ArrayList<>();
        for (int i = 0; i < predictions.size() && chosen.size() < PICTURES; i++) {
            boolean lastPlace = chosen.size() == PICTURES - 1;
            if (predictions.right(i) != lastPlace) {
                chosen.add(i);
            }
        }
        int height = images.test().shape().get(1), width = images.test().shape().get(2);
        List<TerminalImage> pictures = new ArrayList<>();
        for (int i : chosen) {
            float[] grey = images.test().batch(i).x().floats();
            String predicted = images.names().get(predictions.predicted(i));
            pictures.add(new TerminalImage(
                    width,
                    height,
                    grey,
                    predicted,
                    images.names().get(images.test().label(i))));
        }
        out.println();
        TerminalImage.draw(pictures, terminal).forEach(out::println);
    }

    private void saveAndLoad(Model model, Dataset test, Predictions predictions) throws IOException, CommandException {
        Path file = save == null ? Files.createTempFile("hadal-quickstart", ".safetensors") : save;
        model.save(file);
        Predictions again = Predictions.of(Model.load(file), test, backends);
        if (!again.equals(predictions)) {
            throw new CommandException(
                    "the model that was loaded from " + file + " predicts otherwise than the one saved");
        }
        say(
                "saved",
                "%s, %,d bytes; loaded again, it gives the same bits for all %,d images",
                file,
                Files.size(file),
                test.size());
        out.println();
    }

    private void say(String what, String format, Object... arguments) {
        out.println(String.format(Locale.ROOT, "%-9s", what) + String.format(Locale.ROOT, format, arguments));
    }
}
