package dev.hadal.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class HadalTest {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @Test
    void helpListsTheCommandsAndTheirOptions() {
        assertEquals(0, run("--help"));
        assertTrue(out.toString().contains("quickstart"), out::toString);
        assertEquals(0, run("quickstart", "--help"));
        for (String option : new String[] {"--data", "--backend", "--epochs", "--seed", "--threads", "--save"}) {
            assertTrue(out.toString().contains(option), option);
        }
    }

    @Test
    void versionNamesTheJvmToo() {
        assertEquals(0, run("--version"));
        assertTrue(out.toString().startsWith("hadal "), out::toString);
        assertTrue(out.toString().contains("Java " + System.getProperty("java.version")), out::toString);
    }

    @Test
    void wrongArgumentsAreExplainedInTwoLines() {
        assertWrong("a command is needed, such as `hadal quickstart`", "hadal");
        assertWrong("Unmatched argument at index 0: 'quickstrat'", "hadal", "quickstrat");
        assertWrong("--epochs must be at least 1, but is 0", "hadal quickstart", "quickstart", "--epochs", "0");
        assertWrong("--threads must be at least 1, but is -2", "hadal quickstart", "quickstart", "--threads", "-2");
        assertWrong(
                "Invalid value for option '--seed': 'x' is not a long",
                "hadal quickstart",
                "quickstart",
                "--seed",
                "x");
        assertWrong("Unknown option: '--frobnicate'", "hadal quickstart", "quickstart", "--frobnicate");
        assertWrong("--backend: no backend 'abacus', only [", "hadal quickstart", "quickstart", "--backend", "abacus");
    }

    private void assertWrong(String message, String command, String... arguments) {
        assertEquals(2, run(arguments), message);
        assertTrue(err.toString().startsWith("hadal: " + message), err::toString);
        assertTrue(err.toString().endsWith("`" + command + " --help` lists what there is." + System.lineSeparator()));
        assertEquals("", out.toString());
    }

    @Test
    void aDirectoryWithoutTheDataIsNamedWithTheRemedy(@TempDir Path dir) {
        assertEquals(1, run("quickstart", "--backend", "java", "--data", dir.toString()));
        assertEquals(
                "hadal: there is no " + dir.resolve("train-images-idx3-ubyte.gz")
                        + ". `scripts/data DIR` fetches the full set; then use --data DIR/fashion-mnist"
                        + System.lineSeparator(),
                err.toString());
    }

    @Test
    void aDamagedFileIsNamed(@TempDir Path dir) throws IOException {
        Path images = Files.writeString(dir.resolve("train-images-idx3-ubyte.gz"), "not found");
        Files.createFile(dir.resolve("train-labels-idx1-ubyte.gz"));
        assertEquals(1, run("quickstart", "--backend", "java", "--data", dir.toString()));
        assertTrue(err.toString().startsWith("hadal: " + images + ": "), err::toString);
        assertEquals(1, err.toString().lines().count(), "and no stack trace");
    }

    private int run(String... arguments) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        CommandLine command = Hadal.commandLine();
        command.setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
        return command.execute(arguments);
    }
}
