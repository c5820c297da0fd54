package dev.hadal.cli;

import dev.hadal.onednn.Peak;
import dev.hadal.tensor.DType;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * What one core can do at most, measured: additions and multiplications in a second when nothing but registers is
 * touched, and bytes in a second through as much memory as some work touches, which may lie in a cache. NaN where nothing
 * native could measure it.
 *
 * @param f32 of f32, in FLOP/s
 * @param bf16 of bf16 products that are added in f32, in FLOP/s
 * @param streams from bytes touched to bytes per second
 */
record Ceilings(double f32, double bf16, TreeMap<Long, Double> streams, int threads) {
    private static final long MEMORY = 1L << 28;

    Ceilings(double f32, double bf16, Map<Long, Double> streams, int threads) {
        this(f32, bf16, new TreeMap<>(streams), threads);
    }

    static final Ceilings UNKNOWN = new Ceilings(Double.NaN, Double.NaN, Map.of(MEMORY, Double.NaN), 1);

    static Ceilings measure(int threads) {
        Map<Long, Double> streams = new TreeMap<>();
        for (long bytes = 1L << 12; bytes <= MEMORY; bytes <<= 2) {
            streams.put(bytes, Peak.STREAM.measure(bytes).orElse(Double.NaN));
        }
        double vectors = Peak.BF16.measure(0).orElse(Double.NaN);
        return new Ceilings(
                Peak.F32.measure(0).orElse(Double.NaN),
                Peak.TILE_BF16.measure(0).orElse(vectors),
                streams,
                threads);
    }

    /** The least time that some work can take; NaN where that is not known. */
    double leastSeconds(Workload workload) {
        Workload.Cost cost = workload.cost();
        double peak = workload.type() == DType.BF16 ? bf16 : f32;
        double least =
                cost.flops() > 0 ? cost.flops() / peak : cost.bytes() > 0 ? cost.bytes() / stream(cost) : Double.NaN;
        return least / threads;
    }

    /** That of the next smaller size at which it was measured. */
    private double stream(Workload.Cost cost) {
        Map.Entry<Long, Double> nearest = streams.floorEntry((long) cost.bytes());
        return (nearest == null ? streams.firstEntry() : nearest).getValue();
    }

    @Override
    public String toString() {
        return Double.isNaN(f32)
                ? "not known without native libraries"
                : String.format(
                        Locale.ROOT,
                        "%.0f GFLOP/s in f32 and %.0f in bf16 in registers, %.1f GB/s to memory, up to %.0f in caches,"
                                + " for each thread",
                        1e-9 * f32,
                        1e-9 * bf16,
                        1e-9 * streams.lastEntry().getValue(),
                        1e-9
                                * streams.values().stream()
                                        .mapToDouble(s -> s)
                                        .max()
                                        .orElse(Double.NaN));
    }
}
