package dev.hadal.benchmarks;

import dev.hadal.backend.Backends;
import dev.hadal.cli.Workload;
import dev.hadal.tensor.DType;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Training steps on two threads, against those of two independent processes of one thread, each pinned to a core of its
 * own: what the cores give together if nothing is shared but memory. For an idle Linux machine of two cores or more.
 *
 * <pre>{@code
 * mvn -q package -DskipTests && java -cp benchmarks/target/benchmarks.jar dev.hadal.benchmarks.Scaling
 * }</pre>
 */
public final class Scaling {
    private static final int ROUNDS = 3;
    private static final double WARM_UP = 2;
    private static final double SECONDS = 3;
    private static final List<Workload> STEPS = List.of(Workload.mlp(DType.F32), Workload.cnn(DType.F32));

    /** Without arguments everything; with a workload's name and a count of threads, one process' part of it. */
    public static void main(String... arguments) throws IOException, InterruptedException {
        if (arguments.length == 2) {
            System.out.println(stepsPerSecond(Workload.named(arguments[0]), Integer.parseInt(arguments[1])));
            return;
        }
        System.out.println("| training step | two threads, steps/s | two processes, steps/s together | ratio |");
        System.out.println("| --- | --- | --- | --- |");
        for (Workload step : STEPS) {
            List<Double> threads = new ArrayList<>();
            List<Double> processes = new ArrayList<>();
            for (int round = 0; round < ROUNDS; round++) {
                threads.add(together(step, 2, "0,1"));
                processes.add(together(step, 1, "0", "1"));
            }
            double one = Median.of(threads);
            double two = Median.of(processes);
            System.out.printf(Locale.ROOT, "| %s | %.1f | %.1f | %.2f |%n", step, one, two, one / two);
        }
    }

    /** Starts a process on each of the sets of cores, at once, and adds up what they reach. */
    private static double together(Workload step, int threads, String... cores)
            throws IOException, InterruptedException {
        List<Process> processes = new ArrayList<>();
        for (String set : cores) {
            processes.add(new ProcessBuilder(
                            "taskset",
                            "-c",
                            set,
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                            "-cp",
                            System.getProperty("java.class.path"),
                            Scaling.class.getName(),
                            step.toString(),
                            String.valueOf(threads))
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start());
        }
        double sum = 0;
        for (Process process : processes) {
            try (BufferedReader lines =
                    new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
                String line = lines.readLine();
                if (process.waitFor() != 0 || line == null) {
                    throw new IOException("a process failed: " + process.info());
                }
                sum += Double.parseDouble(line);
            }
        }
        return sum;
    }

    private static double stepsPerSecond(Workload step, int threads) {
        try (Workload.Ready ready = step.prepare(Backends.of("onednn").withThreads(threads))) {
            steps(ready, WARM_UP);
            return steps(ready, SECONDS) / SECONDS;
        }
    }

    private static int steps(Workload.Ready ready, double seconds) {
        int steps = 0;
        for (long start = System.nanoTime(); System.nanoTime() - start < seconds * 1e9; steps++) {
            ready.run();
        }
        return steps;
    }

    private Scaling() {}
}
