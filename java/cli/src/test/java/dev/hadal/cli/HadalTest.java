package dev.hadal.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.model.Model;
import dev.hadal.nn.Layers;
import dev.hadal.nn.ResNet;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.zip.GZIPOutputStream;
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

    @Test
    void aSavedModelIsCompressed(@TempDir Path dir) throws IOException {
        images(dir, "train", 300);
        images(dir, "t10k", 60);
        Path model = dir.resolve("model.safetensors");
        ResNet.small(1, 4, 10).model(Shape.of(1, 28, 28), 1).save(model);
        Path page = dir.resolve("page.html");
        PrintStream console = System.out;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
        try {
            assertEquals(
                    0,
                    run(
                            "compress",
                            model.toString(),
                            "--data",
                            dir.toString(),
                            "--backend",
                            "java",
                            "--budget",
                            "100",
                            "--epochs",
                            "1",
                            "--html",
                            page.toString()),
                    err::toString);
        } finally {
            System.setOut(console);
        }
        String text = printed.toString(StandardCharsets.UTF_8);
        assertTrue(text.contains("50 % of the channels out, int8"), text);
        assertTrue(text.contains("Tested on 30 images that decided nothing: "), text);
        assertTrue(Files.readString(page).contains("<svg"));
        Model small = Model.load(Path.of(model + ".compressed.safetensors"));
        assertTrue(Files.size(Path.of(model + ".compressed.safetensors")) < Files.size(model));
        assertEquals(
                Shape.of(10), Objects.requireNonNull(small.outputs().get("y")).shape());
    }

    @Test
    void whatIsNoModelIsNotCompressed(@TempDir Path dir) throws IOException {
        Path file = Files.writeString(dir.resolve("model"), "{}");
        assertEquals(1, run("compress", file.toString(), "--backend", "java"));
        assertTrue(err.toString().startsWith("hadal: " + file + " is cut short: "), err::toString);
        Path other = dir.resolve("other");
        Layers.linear(10).model(Shape.of(7), 1).save(other);
        assertEquals(1, run("compress", other.toString(), "--backend", "java"));
        assertTrue(err.toString().contains("but the images are [1,28,28] each"), err::toString);
        assertWrong(
                "--budget must be between 0 and 100 points of accuracy, but is -1.0",
                "hadal compress",
                "compress",
                file.toString(),
                "--budget",
                "-1");
    }

    /** Noise, in the format of Fashion-MNIST. */
    private static void images(Path dir, String part, int count) throws IOException {
        byte[] pixels = new byte[count * 28 * 28];
        byte[] labels = new byte[count];
        Philox random = new Philox(1, count);
        for (int i = 0; i < pixels.length; i++) {
            pixels[i] = (byte) random.below(256, i);
        }
        for (int i = 0; i < count; i++) {
            labels[i] = (byte) (i % 10);
        }
        idx(dir.resolve(part + "-images-idx3-ubyte.gz"), pixels, 0x803, count, 28, 28);
        idx(dir.resolve(part + "-labels-idx1-ubyte.gz"), labels, 0x801, count);
    }

    private static void idx(Path file, byte[] values, int... header) throws IOException {
        try (DataOutputStream out = new DataOutputStream(new GZIPOutputStream(Files.newOutputStream(file)))) {
            for (int word : header) {
                out.writeInt(word);
            }
            out.write(values);
        }
    }

    private int run(String... arguments) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        CommandLine command = Hadal.commandLine();
        command.setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
        return command.execute(arguments);
    }
}
