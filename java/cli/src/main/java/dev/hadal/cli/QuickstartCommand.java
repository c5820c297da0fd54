package dev.hadal.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code hadal quickstart}. */
@Command(
        name = "quickstart",
        description = "Trains a residual convolutional network on pictures of clothes, shows what it sees, saves it"
                + " and loads it again, measures native against Java, and compresses it.",
        mixinStandardHelpOptions = true,
        versionProvider = Hadal.Version.class,
        showDefaultValues = true)
final class QuickstartCommand implements Callable<Integer> {
    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Option(
            names = "--data",
            paramLabel = "DIR",
            description = "Directory with {train,t10k}-{images-idx3,labels-idx1}-ubyte.gz, as scripts/data fetches"
                    + " them; the command's own 10,000 + 10,000 Fashion-MNIST images unless given.")
    private @Nullable Path data;

    @Mixin
    private BackendOptions backend = new BackendOptions();

    private int epochs;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "1", description = "Decides all that is random.")
    private long seed;

    @Option(
            names = "--save",
            paramLabel = "FILE",
            description = "Where to save the trained model; a temporary file unless given.")
    private @Nullable Path save;

    @Option(names = "--epochs", paramLabel = "N", defaultValue = "8", description = "Passes over the training images.")
    void setEpochs(int count) {
        epochs = BackendOptions.positive(spec, "--epochs", count);
    }

    @Override
    public Integer call() throws IOException, CommandException {
        new Quickstart(System.out, Terminal.detect(), backend.choice(), data, save, epochs, seed).run();
        return 0;
    }
}
