package dev.hadal.run;

import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.sequential;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hadal.backend.Backends;
import dev.hadal.model.Model;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a JVM loads on its way to the first prediction: each of what is refused here takes it 5 to 50 ms. */
class StartTest {
    private static final Shape SAMPLE = Shape.of(784);

    /** How a line of the log of classes shows a lambda of Hadal's, equality made for a record, a log, and native libraries. */
    private static final List<String> SLOW = List.of(
            "dev\\.hadal.*Lambda.*", "java\\.lang\\.runtime\\.ObjectMethods .*", "org\\.slf4j.*", "org\\.bytedeco.*");

    /** What the other JVM does. */
    public static final class Main {
        private Main() {}

        public static void main(String[] arguments) throws Exception {
            try (Predictor predictor = Predictor.of(Model.load(Path.of(arguments[0])), Backends.of("java"))) {
                int classes = predictor
                        .predict(Tensor.zeros(DType.F32, SAMPLE.prepend(1)))
                        .shape()
                        .get(1);
                System.exit(classes);
            }
        }
    }

    @Test
    void aPerceptronsFirstPredictionInJavaLoadsNothingSlow(@TempDir Path dir) throws Exception {
        Path file = dir.resolve("mlp.safetensors");
        sequential(linear(64), relu(), linear(64), relu(), linear(10))
                .model(SAMPLE, 1)
                .save(file);
        Path log = dir.resolve("classes");
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xlog:class+load:file=\"" + log + "\"::filesize=0",
                        "-cp",
                        System.getProperty("java.class.path"),
                        Main.class.getName(),
                        file.toString())
                .inheritIO()
                .start();
        assertEquals(10, process.waitFor());
        try (Stream<String> lines = Files.lines(log)) {
            List<String> slow = lines.map(line -> line.substring(line.lastIndexOf("] ") + 2))
                    .filter(line -> SLOW.stream().anyMatch(line::matches))
                    .toList();
            assertEquals(List.of(), slow);
        }
    }
}
