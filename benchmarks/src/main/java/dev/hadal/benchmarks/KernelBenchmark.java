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
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
        value = 1,
        jvmArgsAppend = {"--add-modules", "jdk.incubator.vector", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"})
public class KernelBenchmark {

    @Param({"onednn", "java"})
    public String backend;

    @Param({
        "matmul 16×16×16",
        "matmul 64×64×64",
        "matmul 128×128×128",
        "matmul 256×256×256",
        "matmul 512×512×512",
        "matmul 1024×1024×1024",
        "matmul 2048×2048×2048",
        "convolution 3×3 [32,8,28,28]",
        "convolution 3×3, backward [32,8,28,28]",
        "batch norm, both ways [32,8,28,28]",
        "max pool 2×2 [32,8,28,28]",
        "convolution 3×3 [32,32,28,28]",
        "convolution 3×3, backward [32,32,28,28]",
        "batch norm, both ways [32,32,28,28]",
        "max pool 2×2 [32,32,28,28]",
        "convolution 3×3 [32,64,28,28]",
        "convolution 3×3, backward [32,64,28,28]",
        "batch norm, both ways [32,64,28,28]",
        "max pool 2×2 [32,64,28,28]",
        "convolution 3×3 [8,64,56,56]",
        "convolution 3×3, backward data [8,64,56,56]",
        "convolution 3×3, backward weights [8,64,56,56]",
        "convolution 3×3 [8,128,28,28]",
        "convolution 3×3, backward data [8,128,28,28]",
        "convolution 3×3, backward weights [8,128,28,28]",
        "convolution 3×3 [8,256,14,14]",
        "convolution 3×3, backward data [8,256,14,14]",
        "convolution 3×3, backward weights [8,256,14,14]",
        "layer norm [16,1024]",
        "layer norm, backward [16,1024]",
        "RMS norm [16,1024]",
        "softmax [16,1024]",
        "softmax, backward [16,1024]",
        "cross-entropy [16,1024]",
        "relu [16,1024]",
        "gelu [16,1024]",
        "silu [16,1024]",
        "dropout [16,1024]",
        "transpose [16,1024]",
        "embedding 16 of [32000,256]",
        "layer norm [256,1024]",
        "layer norm, backward [256,1024]",
        "RMS norm [256,1024]",
        "softmax [256,1024]",
        "softmax, backward [256,1024]",
        "cross-entropy [256,1024]",
        "relu [256,1024]",
        "gelu [256,1024]",
        "silu [256,1024]",
        "dropout [256,1024]",
        "transpose [256,1024]",
        "embedding 256 of [32000,256]",
        "layer norm [2048,1024]",
        "layer norm, backward [2048,1024]",
        "RMS norm [2048,1024]",
        "softmax [2048,1024]",
        "softmax, backward [2048,1024]",
        "cross-entropy [2048,1024]",
        "relu [2048,1024]",
        "gelu [2048,1024]",
        "silu [2048,1024]",
        "dropout [2048,1024]",
        "transpose [2048,1024]",
        "embedding 2048 of [32000,256]",
        "LSTM [32,32,32]",
        "LSTM [32,32,128]",
        "LSTM [32,32,512]",
        "AdamW 1,000",
        "AdamW 100,000",
        "AdamW 1,000,000",
        "AdamW 10,000,000"
    })
    public String workload;

    private Workload.Ready ready;

    @Setup(Level.Trial)
    public void prepare() {
        ready = Workload.named(workload).prepare(Backends.of(backend).withThreads(1));
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
