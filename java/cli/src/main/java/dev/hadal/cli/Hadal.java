package dev.hadal.cli;

import java.io.IOException;
import java.nio.file.FileSystemException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;

/** The command {@code hadal}. */
@Command(
        name = "hadal",
        description = "Very deep neural networks on the JVM, at the speed of the native kernels underneath.",
        mixinStandardHelpOptions = true,
        versionProvider = Hadal.Version.class,
        subcommands = {QuickstartCommand.class, CompressCommand.class, BenchCommand.class})
public final class Hadal implements Runnable {
    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    /** Runs a command, and ends the JVM with its exit code. */
    public static void main(String... arguments) {
        System.exit(commandLine().execute(arguments));
    }

    static CommandLine commandLine() {
        return new CommandLine(new Hadal())
                .setParameterExceptionHandler(Hadal::explainArguments)
                .setExecutionExceptionHandler(Hadal::explainFailure);
    }

    private static int explainArguments(ParameterException exception, String[] arguments) {
        CommandLine command = exception.getCommandLine();
        command.getErr().println("hadal: " + exception.getMessage());
        UnmatchedArgumentException.printSuggestions(exception, command.getErr());
        command.getErr().println("`" + command.getCommandSpec().qualifiedName() + " --help` lists what there is.");
        return CommandLine.ExitCode.USAGE;
    }

    private static int explainFailure(Exception exception, CommandLine command, ParseResult parsed) {
        if (exception instanceof CommandException || exception instanceof IOException) {
            command.getErr().println("hadal: " + words(exception));
        } else {
            exception.printStackTrace(command.getErr());
        }
        return CommandLine.ExitCode.SOFTWARE;
    }

    /** The file system's exceptions say only in their own names what is wrong with a file. */
    private static String words(Exception exception) {
        return exception instanceof FileSystemException
                ? exception.getClass().getSimpleName().replace("Exception", "") + ": " + exception.getMessage()
                : String.valueOf(exception.getMessage());
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is needed, such as `hadal quickstart`");
    }

    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            String version = Hadal.class.getPackage().getImplementationVersion();
            return new String[] {
                "hadal " + (version == null ? "(not packaged)" : version),
                "Java ${java.version} (${java.vendor}), ${os.name} ${os.arch}"
            };
        }
    }
}
