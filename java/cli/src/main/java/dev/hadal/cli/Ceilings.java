package dev.hadal.cli;

import java.util.Locale;

/**
 * What one core can do at most, measured: additions and multiplications in a second when nothing but registers is
 * touched, and bytes in a second between core and memory. NaN where nothing native could measure it.
 *
 * @param f32 of f32, in FLOP/s
 * @param bf16 of bf16 products that are added in f32, in FLOP/s
 * @param stream four reads for three writes, in bytes/s
 */
record Ceilings(double f32, double bf16, double stream, int threads) {
    static final Ceilings UNKNOWN = new Ceilings(Double.NaN, Double.NaN, Double.NaN, 1);

    static Ceilings measure(int threads) {
        return UNKNOWN;
    }

    /** The least time that some work can take; NaN where that is not known. */
    double leastSeconds(Workload workload) {
        Workload.Cost cost = workload.cost();
        double peak = workload.type().equals("bf16") ? bf16 : f32;
        double least = cost.flops() > 0 ? cost.flops() / peak : cost.bytes() > 0 ? cost.bytes() / stream : Double.NaN;
        return least / threads;
    }

    @Override
    public String toString() {
        return Double.isNaN(f32)
                ? "not known without native libraries"
                : String.format(
                        Locale.ROOT,
                        "%.0f GFLOP/s in f32 and %.0f in bf16 in registers, %.1f GB/s to memory, for each thread",
                        1e-9 * f32,
                        1e-9 * bf16,
                        1e-9 * stream);
    }
}
