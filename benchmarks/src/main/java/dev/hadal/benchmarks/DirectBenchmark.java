package dev.hadal.benchmarks;

import dev.hadal.backend.Backends;
import dev.hadal.run.Kernels;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.Random;
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

/**
 * Calls of the direct kernels on Java arrays, on one thread: as {@link Kernels} chooses, always native, and always Java.
 */
@State(Scope.Benchmark)
@SuppressWarnings("NullAway.Init") // JMH sets the fields
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
        value = 1,
        jvmArgsAppend = {"--add-modules", "jdk.incubator.vector", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"})
public class DirectBenchmark {

    @Param({"chosen", "native", "java"})
    public String backend;

    @Param({"16", "64", "256"})
    public int n;

    private Kernels kernels;
    private float[] a;
    private float[] b;
    private float[] y;
    private Tensor x;
    private Tensor z;
    private Tensor m;
    private Tensor v;

    @Setup(Level.Trial)
    public void prepare() {
        Backends backends = switch (backend) {
            case "chosen" -> Backends.automatic();
            case "native" -> Backends.of("onednn").required();
            case "java" -> Backends.of("java");
            default -> throw new IllegalArgumentException(backend);
        };
        kernels = Kernels.of(backends.withThreads(1));
        Random random = new Random(1);
        a = random(random);
        b = random(random);
        y = new float[n * n];
        x = Tensor.of(Shape.of(n, n), a);
        z = Tensor.of(Shape.of(n, n), y);
        m = Tensor.zeros(DType.F32, Shape.of(n, n));
        v = Tensor.zeros(DType.F32, Shape.of(n, n));
    }

    private float[] random(Random random) {
        float[] values = new float[n * n];
        for (int i = 0; i < values.length; i++) {
            values[i] = random.nextFloat() - 0.5f;
        }
        return values;
    }

    @Benchmark
    public void matmul() {
        kernels.matmul(n, n, n, a, b, y);
    }

    @Benchmark
    public void softmax() {
        kernels.softmax(x, -1, z);
    }

    @Benchmark
    public void gelu() {
        kernels.gelu(x, z);
    }

    @Benchmark
    public void adamW() {
        kernels.adamW(z, x, m, v, 1, new Kernels.AdamW(1e-3f));
    }

    @TearDown(Level.Trial)
    public void close() {
        kernels.close();
    }
}
