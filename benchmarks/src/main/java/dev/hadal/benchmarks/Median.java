package dev.hadal.benchmarks;

import java.util.List;

/** Of what was measured: half is less. */
final class Median {

    static double of(List<Double> values) {
        double[] sorted =
                values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        return sorted[sorted.length / 2];
    }

    private Median() {}
}
