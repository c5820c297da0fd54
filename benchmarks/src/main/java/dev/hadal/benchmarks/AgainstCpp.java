package dev.hadal.benchmarks;

import dev.hadal.backend.Backends;
import dev.hadal.cli.Workload;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/**
 * What a plan costs beyond the primitives that it runs: matrix products and convolutions through a plan, against the same
 * primitives of oneDNN called from C++, in turns.
 *
 * <pre>{@code
 * mvn -q package -DskipTests
 * taskset -c 1 java -cp benchmarks/target/benchmarks.jar dev.hadal.benchmarks.AgainstCpp benchmarks/native-harness
 * }</pre>
 */
public final class AgainstCpp {
    private static final int ROUNDS = 3;
    private static final double WARM_UP = 0.3;
    private static final double SECONDS = 0.4;

    /** By the harness' names. */
    private static Map<String, Workload> cases() {
        Map<String, Workload> cases = new LinkedHashMap<>();
        for (DType type : List.of(DType.F32, DType.BF16)) {
            String suffix = "/" + type.name().toLowerCase(Locale.ROOT);
            for (int n : new int[] {512, 1024, 2048}) {
                cases.put("matmul/%1$dx%1$dx%1$d".formatted(n) + suffix + "/plain", Workload.gemm(n, type));
            }
            for (Shape images : List.of(Shape.of(8, 64, 56, 56), Shape.of(8, 128, 28, 28), Shape.of(8, 256, 14, 14))) {
                String size = String.join(
                        "x", images.dims().stream().map(String::valueOf).toList());
                String name = "convolution/" + size + "/";
                cases.put(name + "forward" + suffix, Workload.convolution(images, type));
                cases.put(name + "backward_data" + suffix, Workload.convolutionBackwardData(images, type));
                cases.put(name + "backward_weights" + suffix, Workload.convolutionBackwardWeights(images, type));
            }
        }
        return cases;
    }

    /** Takes the harness' command as its argument. */
    public static void main(String... arguments) throws IOException, InterruptedException {
        Map<String, List<Double>> there = new LinkedHashMap<>();
        Map<String, List<Double>> here = new LinkedHashMap<>();
        for (int round = 0; round < ROUNDS; round++) {
            for (Map.Entry<String, Workload> c : cases().entrySet()) {
                there.computeIfAbsent(c.getKey(), k -> new ArrayList<>()).add(micros(arguments[0], c.getKey()));
                here.computeIfAbsent(c.getKey(), k -> new ArrayList<>()).add(micros(c.getValue()));
            }
        }
        System.out.println("| primitive | C++, µs | plan, µs | plan's speed / C++'s |");
        System.out.println("| --- | --- | --- | --- |");
        there.forEach((name, times) -> {
            double cpp = Median.of(times);
            double plan = Median.of(Objects.requireNonNull(here.get(name)));
            System.out.printf(Locale.ROOT, "| %s | %.0f | %.0f | %.3f |%n", name, cpp, plan, cpp / plan);
        });
    }

    /** The median that the harness prints for this case. */
    private static double micros(String harness, String name) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(harness, name)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IOException(harness + " " + name + " failed");
        }
        return output.lines()
                .map(line -> line.split("\t"))
                .filter(cells -> cells.length > 2 && cells[0].equals("oneDNN") && cells[1].equals(name))
                .mapToDouble(cells -> Double.parseDouble(cells[2]))
                .findFirst()
                .orElseThrow(() -> new IOException(harness + " printed no line for " + name + ":\n" + output));
    }

    private static double micros(Workload workload) {
        try (Workload.Ready ready = workload.prepare(Backends.of("onednn").withThreads(1))) {
            for (long start = System.nanoTime(); System.nanoTime() - start < WARM_UP * 1e9; ) {
                ready.run();
            }
            List<Double> times = new ArrayList<>();
            for (long start = System.nanoTime(); System.nanoTime() - start < SECONDS * 1e9; ) {
                long before = System.nanoTime();
                ready.run();
                times.add((System.nanoTime() - before) * 1e-3);
            }
            return Median.of(times);
        }
    }

    private AgainstCpp() {}
}
