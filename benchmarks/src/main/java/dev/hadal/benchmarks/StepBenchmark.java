package dev.hadal.benchmarks;

import dev.hadal.backend.Backends;
import dev.hadal.cli.Workload;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.AuxCounters;
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

/** Whole training steps in a second, and the memory that they take. */
@State(Scope.Benchmark)
@SuppressWarnings("NullAway.Init") // JMH sets the fields
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(
        value = 1,
        jvmArgsAppend = {"--add-modules", "jdk.incubator.vector", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"})
public class StepBenchmark {

    @Param({"onednn", "java"})
    public String backend;

    @Param({"1", "2"})
    public int threads;

    @Param({
        "training step, MLP 784-1024-1024-10 batch of 128",
        "training step, CNN 32-64-128-10 batch of 64",
        "training step, MLP 784-1024-1024-10 batch of 128 bf16",
        "training step, CNN 32-64-128-10 batch of 64 bf16"
    })
    public String workload;

    private Workload.Ready ready;

    /** In MiB. */
    @AuxCounters(AuxCounters.Type.EVENTS)
    @State(Scope.Thread)
    public static class Memory {
        /** What activations and gradients on their way take: the plan's slab. */
        public double session;

        /** What the process has taken at most, Java's heap and the libraries included. */
        public double peakResident;
    }

    @Setup(Level.Trial)
    public void prepare() {
        ready = Workload.named(workload).prepare(Backends.of(backend).withThreads(threads));
    }

    @Benchmark
    public void run(Memory memory) {
        ready.run();
        memory.session = ready.plan().sessionBytes() * 0x1p-20;
        memory.peakResident = Processes.peakResident();
    }

    @TearDown(Level.Trial)
    public void close() {
        ready.close();
    }
}
