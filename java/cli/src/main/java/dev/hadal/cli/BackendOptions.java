package dev.hadal.cli;

import dev.hadal.backend.Backends;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Where a command that trains computes. */
final class BackendOptions {
    @Spec(Spec.Target.MIXEE)
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Option(
            names = "--backend",
            paramLabel = "NAME",
            defaultValue = "auto",
            description = "Where to compute: auto, onednn or java.")
    private String backend = "auto";

    private int threads;

    @Option(
            names = "--threads",
            paramLabel = "N",
            description =
                    "How many threads compute. Unless given, as many as there are processors in pure Java, but one"
                            + " with oneDNN, whose threads spin while they wait for each other: two are faster than one on an"
                            + " idle machine only.")
    void setThreads(int count) {
        threads = positive(spec, "--threads", count);
    }

    static int positive(CommandSpec command, String option, int count) {
        if (count < 1) {
            throw new ParameterException(command.commandLine(), option + " must be at least 1, but is " + count);
        }
        return count;
    }

    Backends choice() throws CommandException {
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
