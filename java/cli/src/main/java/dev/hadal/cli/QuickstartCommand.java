package dev.hadal.cli;

import dev.hadal.backend.Backends;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code hadal quickstart}. */
@Command(
        name = "quickstart",
        description = "Trains a residual convolutional network on pictures of clothes, shows what it sees, saves it"
                + " and loads it again, and measures native against Java.",
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

    @Option(
            names = "--backend",
            paramLabel = "NAME",
            defaultValue = "auto",
            description = "Where to compute: auto, onednn or java.")
    private String backend = "auto";

    private int epochs;
    private int threads;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "1", description = "Decides all that is random.")
    private long seed;

    @Option(
            names = "--save",
            paramLabel = "FILE",
            description = "Where to save the trained model; a temporary file unless given.")
    private @Nullable Path save;

    @Option(names = "--epochs", paramLabel = "N", defaultValue = "8", description = "Passes over the training images.")
    void setEpochs(int count) {
        epochs = positive("--epochs", count);
    }

    @Option(
            names = "--threads",
            paramLabel = "N",
            description =
                    "How many threads compute. Unless given, as many as there are processors in pure Java, but one"
                            + " with oneDNN, whose threads spin while they wait for each other: two are faster than one on an"
                            + " idle machine only.")
    void setThreads(int count) {
        threads = positive("--threads", count);
    }

    private int positive(String option, int count) {
        if (count < 1) {
            throw new ParameterException(spec.commandLine(), option + " must be at least 1, but is " + count);
        }
        return count;
    }

    @Override
    public Integer call() throws IOException, CommandException {
        Backends backends = backends();
        new Quickstart(System.out, Terminal.detect(), backends, data, save, epochs, seed).run();
        return 0;
    }

    private Backends backends() throws CommandException {
        try {
            Backends chosen = backend.equals("auto") ? Backends.automatic() : Backends.of(backend);
            boolean spinning = chosen.first().name().equals("onednn");
            return threads > 0 ? chosen.withThreads(threads) : spinning ? chosen.withThreads(1) : chosen;
        } catch (IllegalArgumentException noSuchBackend) {
            throw new ParameterException(spec.commandLine(), "--backend: " + noSuchBackend.getMessage());
        } catch (IllegalStateException cannotRun) {
            throw new CommandException("--backend: " + cannotRun.getMessage(), cannotRun);
        }
    }
}
