package dev.hadal.train;

import static dev.hadal.nn.Layers.batchNorm;
import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.dropout;
import static dev.hadal.nn.Layers.flatten;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.maxPool2d;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.sequential;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.model.Fuzzed;
import dev.hadal.model.Model;
import dev.hadal.model.Safetensors;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Coverage-guided fuzzing of what reads files, by Jazzer in a JVM of its own. {@code -Dhadal.fuzz.runs=N} sets the number
 * of inputs for each reader; {@code scripts/fuzz} says more.
 */
class FuzzTest {
    private static final int RUNS = Integer.getInteger("hadal.fuzz.runs", 100_000);

    @TempDir
    Path dir;

    /** Files as Hadal writes them, of which the fuzzer makes others. */
    private List<byte[]> seeds() throws IOException {
        Path file = dir.resolve("seed.safetensors");
        List<byte[]> seeds = new ArrayList<>();
        Map<String, Tensor> tensors = Map.of(
                "a",
                Tensor.of(Shape.of(2, 1), 1f, -2f),
                "b",
                Tensor.of(Shape.SCALAR, 7),
                "c",
                Tensor.of(Shape.of(0), new int[0]));
        Safetensors.write(file, tensors, Map.of("k", "v"));
        seeds.add(Files.readAllBytes(file));
        Model dense = sequential(linear(2), relu(), dropout(0.5)).model(Shape.of(3), 1);
        Model image = sequential(conv2d(2, 3), batchNorm(), maxPool2d(2), flatten(), linear(1))
                .model(Shape.of(1, 5, 4), 1);
        for (Model model : List.of(dense, image)) {
            model.save(file);
            seeds.add(Files.readAllBytes(file));
            Map<String, String> facts = Map.of(Trainer.STEP, "3", "runs", "1");
            new Checkpoint(model, model.values(), facts).save(file);
            seeds.add(Files.readAllBytes(file));
        }
        return seeds;
    }

    /** Every word between quotes, as a dictionary. */
    private static Set<String> words(List<byte[]> seeds) {
        Set<String> words = new LinkedHashSet<>();
        for (byte[] seed : seeds) {
            Matcher word = Pattern.compile("\\\\?\"[A-Za-z_.0-9/]{1,40}\\\\?\"")
                    .matcher(new String(seed, StandardCharsets.ISO_8859_1));
            while (word.find()) {
                words.add('"' + word.group().replace("\\", "\\\\").replace("\"", "\\\"") + '"');
            }
        }
        return words;
    }

    private void fuzz(Class<?> target) throws IOException, InterruptedException {
        Path corpus = Files.createDirectory(dir.resolve("corpus"));
        List<byte[]> seeds = seeds();
        for (byte[] seed : seeds) {
            Files.write(corpus.resolve("whole" + seed.length), seed);
            // A file without a checksum is read, too; so is one whose numbers or graph the fuzzer has changed.
            String unsigned = new String(seed, StandardCharsets.ISO_8859_1).replace("hadal.crc", "other.crc");
            Files.write(corpus.resolve("unsigned" + seed.length), unsigned.getBytes(StandardCharsets.ISO_8859_1));
        }
        Path words = Files.write(dir.resolve("words"), words(seeds));
        String classPath = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        Path log = Path.of("target", "fuzz-" + target.getSimpleName() + ".log").toAbsolutePath();
        Files.createDirectories(log.getParent());
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx512m",
                        "-cp",
                        classPath,
                        "com.code_intelligence.jazzer.Jazzer",
                        "--target_class=" + target.getName(),
                        "--instrumentation_includes=dev.hadal.model.**:dev.hadal.graph.**:dev.hadal.op.**:dev.hadal.train.Checkpoint",
                        "--custom_hook_includes=none", // they look for other bugs, and allocate
                        "--reproducer_path=" + dir,
                        "-runs=" + RUNS,
                        "-seed=1",
                        "-max_len=8192",
                        "-dict=" + words,
                        "-artifact_prefix=" + log.getParent() + "/fuzz-",
                        corpus.toString())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        assertTrue(process.waitFor(1 + RUNS / 1000, TimeUnit.MINUTES), "still running: " + log);
        List<String> lines = Files.readAllLines(log, StandardCharsets.ISO_8859_1);
        String end = lines.stream().skip(Math.max(0, lines.size() - 60)).collect(Collectors.joining("\n"));
        assertEquals(0, process.exitValue(), () -> end);
        assertTrue(lines.stream().anyMatch(l -> l.matches("Done \\d+ runs.*")), () -> end);
    }

    @Test
    void tensors() throws Exception {
        fuzz(Fuzzed.Tensors.class);
    }

    @Test
    void models() throws Exception {
        fuzz(Fuzzed.Models.class);
    }

    @Test
    void checkpoints() throws Exception {
        fuzz(FuzzedCheckpoints.class);
    }
}
