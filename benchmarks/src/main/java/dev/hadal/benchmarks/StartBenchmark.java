package dev.hadal.benchmarks;

import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.sequential;

import dev.hadal.backend.Backends;
import dev.hadal.model.Model;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** From the start of a JVM to its end after one prediction of a small perceptron, which it loads from a file. */
@State(Scope.Benchmark)
@SuppressWarnings("NullAway.Init") // JMH sets the fields
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 3)
@Measurement(iterations = 15)
@Fork(1)
public class StartBenchmark {
    private static final Shape SAMPLE = Shape.of(784);

    @Param({"onednn", "java"})
    public String backend;

    private Path file;

    @Setup(Level.Trial)
    public void save() throws IOException {
        file = Files.createTempFile("mlp", ".safetensors");
        sequential(linear(1024), relu(), linear(1024), relu(), linear(10))
                .model(SAMPLE, 1)
                .save(file);
    }

    @Benchmark
    public void firstPrediction() throws IOException, InterruptedException {
        Processes.java(List.of(), StartBenchmark.class, backend, file.toString());
    }

    /** What the other JVM does. */
    public static void main(String... arguments) throws IOException {
        Backends backends = Backends.of(arguments[0]).withThreads(1);
        try (Predictor predictor = Predictor.of(Model.load(Path.of(arguments[1])), backends)) {
            float[] y = predictor
                    .predict(Tensor.zeros(DType.F32, SAMPLE.prepend(1)))
                    .floats();
            if (y.length != 10) {
                throw new IllegalStateException("ten classes were expected, not " + y.length);
            }
        }
    }

    @TearDown(Level.Trial)
    public void delete() throws IOException {
        Files.delete(file);
    }
}
