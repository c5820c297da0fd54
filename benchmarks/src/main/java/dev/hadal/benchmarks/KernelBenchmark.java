package dev.hadal.benchmarks;

import dev.hadal.backend.Backends;
import dev.hadal.cli.Workload;
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
 * Each kernel family, native against pure Java, on operands from small to large, of random values. One thread, so that
 * the figures compare with a core's peak.
 */
@State(Scope.Benchmark)
@SuppressWarnings("NullAway.Init") // JMH sets the fields
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
        value = 1,
        jvmArgsAppend = {"--add-modules", "jdk.incubator.vector", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"})
public class KernelBenchmark {

    @Param({"onednn", "java"})
    public String backend;

    @Param({
        "gemm 16",
        "gemm 128",
        "gemm 512",
        "gemm 1024",
        "convolution 8",
        "convolution 32",
        "convolution 64",
        "convolution backward 8",
        "convolution backward 32",
        "convolution backward 64",
        "batch norm 8",
        "batch norm 32",
        "batch norm 64",
        "adamw 1000",
        "adamw 100000",
        "adamw 10000000"
    })
    public String workload;

    private Workload.Ready ready;

    @Setup(Level.Trial)
    public void prepare() {
        int space = workload.lastIndexOf(' ');
        int size = Integer.parseInt(workload.substring(space + 1));
        Workload chosen = switch (workload.substring(0, space)) {
            case "gemm" -> Workload.gemm(size);
            case "convolution" -> Workload.convolution(size);
            case "convolution backward" -> Workload.convolutionBackward(size);
            case "batch norm" -> Workload.batchNorm(size);
            case "adamw" -> Workload.adamw(size);
            default -> throw new IllegalArgumentException("no workload '" + workload + "'");
        };
        ready = chosen.prepare(Backends.of(backend).withThreads(1));
    }

    @Benchmark
    public void run() {
        ready.run();
    }

    @TearDown(Level.Trial)
    public void close() {
        ready.close();
    }
}
