package dev.hadal.cli;

import dev.hadal.backend.Backends;
import dev.hadal.compress.Compressed;
import dev.hadal.compress.Compression;
import dev.hadal.data.Augmentation;
import dev.hadal.data.Dataset;
import dev.hadal.data.Normalization;
import dev.hadal.model.Model;
import dev.hadal.train.Fit;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code hadal compress}. */
@Command(
        name = "compress",
        description =
                "Makes a trained classifier of images smaller and faster, by taking out channels and by computing in"
                        + " int8, within a budget of the accuracy that may be lost. Tells what each step cost, and what each layer"
                        + " suffers.",
        mixinStandardHelpOptions = true,
        versionProvider = Hadal.Version.class,
        showDefaultValues = true)
final class CompressCommand implements Callable<Integer> {
    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Parameters(
            paramLabel = "MODEL",
            description = "A model that Hadal saved, such as `hadal quickstart --save MODEL`.")
    @SuppressWarnings("NullAway.Init")
    private Path model;

    @Option(
            names = "--data",
            paramLabel = "DIR",
            description = "Directory with {train,t10k}-{images-idx3,labels-idx1}-ubyte.gz, as scripts/data fetches"
                    + " them; the command's own 10,000 + 10,000 Fashion-MNIST images unless given.")
    private @Nullable Path data;

    private double budget;

    @Option(
            names = "--budget",
            paramLabel = "POINTS",
            defaultValue = "0.5",
            description =
                    "How many points of accuracy (%%) may be lost on half of the test images; the other half tests.")
    void setBudget(double points) {
        if (!(points >= 0 && points <= 100)) {
            throw new ParameterException(
                    spec.commandLine(), "--budget must be between 0 and 100 points of accuracy, but is " + points);
        }
        budget = points;
    }

    private int epochs;

    @Option(
            names = "--epochs",
            paramLabel = "N",
            defaultValue = "4",
            description = "Passes over the training images after channels have been taken out.")
    void setEpochs(int count) {
        epochs = BackendOptions.positive(spec, "--epochs", count);
    }

    @Option(
            names = "--out",
            paramLabel = "FILE",
            description =
                    "Where to save the compressed model; MODEL with .compressed.safetensors at its end unless given.")
    private @Nullable Path out;

    @Option(
            names = "--html",
            paramLabel = "FILE",
            defaultValue = "hadal-compress.html",
            description = "Where to write the page.")
    private Path html = Path.of("hadal-compress.html");

    @Option(names = "--seed", paramLabel = "N", defaultValue = "1", description = "Decides all that is random.")
    private long seed;

    @Mixin
    private BackendOptions backend = new BackendOptions();

    @Override
    public Integer call() throws IOException, CommandException {
        PrintStream console = System.out;
        Backends backends = backend.choice();
        FashionMnist images = data == null ? FashionMnist.shipped() : FashionMnist.from(data);
        Model trained = Model.load(model);
        Normalization normalization = normalization(trained);
        Dataset train = images.train().normalized(normalization);
        Dataset test = images.test().normalized(normalization);
        requireFits(trained, train);
        Dataset.Split halves = halves(test, seed);
        Compression how = Compression.within(budget / 100).backends(backends).seed(seed);
        Compressed compressed = compressed(console, how, epochs, trained, train, halves.drawn(), normalization);
        String tested = tested(compressed, trained, halves.rest(), backends);
        console.println("\nTested on " + tested);
        Path file = out == null ? Path.of(model + ".compressed.safetensors") : out;
        compressed.model().save(file);
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("model", model.toString());
        facts.put("backend", backends.toString());
        facts.put("budget", budget + " points");
        facts.put("tested on", tested);
        Files.writeString(html, CompressionPage.of(compressed, facts));
        console.println("saved: " + file.toAbsolutePath());
        console.println("the same as a page: " + html.toAbsolutePath());
        return 0;
    }

    /**
     * The test images in two halves: one to decide with, the other to test what was chosen. No training image can decide,
     * since the network recognises those better than any other.
     */
    static Dataset.Split halves(Dataset test, long seed) {
        return test.stratifiedSplit(test.size() / 2, seed);
    }

    /** Compresses, with a bar for the training in between, and prints what was tried. */
    static Compressed compressed(
            PrintStream console,
            Compression how,
            int epochs,
            Model model,
            Dataset train,
            Dataset deciding,
            Normalization normalization) {
        Compressed compressed;
        try (TrainingProgress progress = new TrainingProgress(console, Terminal.detect())) {
            Fit fit = Fit.epochs(epochs)
                    .augment(Augmentation.shift(1, normalization.apply(0, 0)).then(Augmentation.flip()))
                    .listener(progress);
            compressed = how.fit(fit).log(console::println).compress(model, train, deciding);
        }
        console.println();
        CompressionTables.layers(compressed).lines().forEach(console::println);
        console.println();
        CompressionTables.candidates(compressed).lines().forEach(console::println);
        return compressed;
    }

    /** What was lost on images that decided nothing. */
    static String tested(Compressed compressed, Model model, Dataset test, Backends backends) {
        return String.format(
                Locale.ROOT,
                "%,d images that decided nothing: %.2f %% before, %.2f %% after",
                test.size(),
                100 * Predictions.of(model, test, backends).accuracy(),
                100 * Predictions.of(compressed.model(), test, backends).accuracy());
    }

    /** What the network was trained with, or nothing. */
    private static Normalization normalization(Model model) {
        Normalization saved = Normalization.fromMap(model.metadata()).get(Model.INPUT);
        return saved == null ? Normalization.of(0, 1) : saved;
    }

    private void requireFits(Model trained, Dataset train) throws CommandException {
        if (trained.inputs().size() != 1
                || trained.outputs().size() != 1
                || !trained.inputs().values().iterator().next().shape().equals(train.shape())) {
            throw new CommandException(model + " takes " + trained.inputs() + " and gives " + trained.outputs()
                    + ", but the images are " + train.shape() + " each; --data names others");
        }
    }
}
