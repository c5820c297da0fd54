package dev.hadal.benchmarks;

import dev.hadal.backend.Backends;
import dev.hadal.cli.Workload;
import dev.hadal.tensor.DType;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * How few weights must be kept for a sparse product to be as fast as the dense one, both through a plan of oneDNN's backend:
 * by type, rows of x, and height of the blocks, for 1024×1024 weights. {@code Sparsify} has its figures from here.
 *
 * <pre>{@code
 * mvn -q package -DskipTests
 * taskset -c 1 java -cp benchmarks/target/benchmarks.jar dev.hadal.benchmarks.SparseBreakEven
 * }</pre>
 */
public final class SparseBreakEven {
    private static final ThreadMXBean THREAD = ManagementFactory.getThreadMXBean();
    private static final int WIDTH = 1024;
    private static final double[] KEPT = {0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1};
    private static final double WARM_UP = 0.05;
    private static final double SECONDS = 0.1;

    /** Takes the numbers of rows; 1, 16 and 256 unless told. */
    public static void main(String... arguments) {
        List<Integer> rows = arguments.length == 0
                ? List.of(1, 16, 256)
                : List.of(arguments).stream().map(Integer::valueOf).toList();
        System.out.println("| type | rows | block | dense, µs | sparse at 10 %, µs | speed-up | as fast with kept |");
        System.out.println("| --- | --- | --- | --- | --- | --- | --- |");
        for (DType type : List.of(DType.F32, DType.BF16)) {
            for (int n : rows) {
                for (int height : new int[] {1, 4, 8, 16, 32}) {
                    print(type, n, height);
                }
            }
        }
    }

    private static void print(DType type, int rows, int height) {
        double dense = micros(Workload.dense(rows, WIDTH, type));
        double atTenth = 0;
        double even = 1;
        double before = 0;
        for (int i = 0; i < KEPT.length; i++) {
            double ratio = micros(Workload.sparse(rows, WIDTH, height, KEPT[i], type)) / dense;
            atTenth = KEPT[i] == 0.1 ? ratio * dense : atTenth;
            if (ratio >= 1) { // on the line from the point before
                double from = i == 0 ? 0 : KEPT[i - 1];
                even = from + (KEPT[i] - from) * (1 - before) / (ratio - before);
                break;
            }
            before = ratio;
        }
        System.out.printf(
                Locale.ROOT,
                "| %s | %d | %d×1 | %.1f | %.1f | %.1f | %.0f %% |%n",
                type,
                rows,
                height,
                dense,
                atTenth,
                dense / atTenth,
                100 * even);
    }

    /** The median, of the thread's own time, of which a busy neighbour takes less than of the clock's. */
    private static double micros(Workload workload) {
        try (Workload.Ready ready = workload.prepare(Backends.of("onednn").withThreads(1))) {
            for (long start = System.nanoTime(); System.nanoTime() - start < WARM_UP * 1e9; ) {
                ready.run();
            }
            List<Double> times = new ArrayList<>();
            for (long start = System.nanoTime(); System.nanoTime() - start < SECONDS * 1e9; ) {
                long before = THREAD.getCurrentThreadCpuTime();
                ready.run();
                times.add((THREAD.getCurrentThreadCpuTime() - before) * 1e-3);
            }
            return Median.of(times);
        }
    }

    private SparseBreakEven() {}
}
