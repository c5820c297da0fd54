package dev.hadal.compress;

import dev.hadal.data.Dataset;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Value;
import dev.hadal.op.Quantization;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.StringJoiner;

/** A row for each value that is in 8 bits, in the network's order; {@code println} shows them as a table. */
public record QuantizationReport(List<Row> rows) {

    /**
     * One value.
     *
     * @param layer the path of the layer that gives it, or the input's name
     * @param what the ops that give it
     * @param grid what it is rounded to
     * @param min the smallest value in calibration
     * @param max the largest
     * @param cutOff the share of values in calibration that the grid does not reach
     * @param decibels the signal-to-noise ratio against the same value of the network in f32, all that was rounded before it
     *     included: 10·log₁₀(Σx²/Σ(x − x̂)²)
     */
    public record Row(
            String layer, String what, Quantization grid, float min, float max, double cutOff, double decibels) {}

    public QuantizationReport {
        rows = List.copyOf(rows);
    }

    static QuantizationReport of(Calibration calibration, FakeQuantized fake, Dataset samples) {
        Map<Value, Noise> noise = noise(calibration, fake, samples);
        List<Row> rows = new ArrayList<>();
        fake.grids().keySet().stream()
                .sorted((a, b) -> Integer.compare(a.node().id(), b.node().id()))
                .forEach(v -> {
                    Quantization grid = Objects.requireNonNull(fake.grids().get(v));
                    Observation seen = calibration.observation(v);
                    boolean leaf = v.node().op() instanceof Leaf;
                    Range reach = Range.of(grid.real(grid.least(), 0), grid.real(grid.greatest(), 0));
                    rows.add(new Row(
                            leaf ? v.node().op().name() : v.node().path(),
                            leaf ? "input" : fake.region().unit(v.node()).op().name(),
                            grid,
                            seen.min(),
                            seen.max(),
                            seen.histogram().outside(widened(reach, grid)),
                            Objects.requireNonNull(noise.get(v)).decibels()));
                });
        return new QuantizationReport(rows);
    }

    /** What rounds to an end of the grid is not cut off. */
    private static Range widened(Range reach, Quantization grid) {
        double half = 0.5 * grid.scale(0);
        return Range.of(reach.min() - half, Math.min(Float.MAX_VALUE, reach.max() + half));
    }

    /** Squares of a value, and of what is wrong with its rounded form. */
    private static final class Noise {
        private double signal;
        private double error;

        void add(float[] x, float[] rounded) {
            for (int i = 0; i < x.length; i++) {
                double e = (double) x[i] - rounded[i];
                signal += (double) x[i] * x[i];
                error += e * e;
            }
        }

        double decibels() {
            return error == 0 ? Double.POSITIVE_INFINITY : 10 * Math.log10(signal / error);
        }
    }

    /** Runs both networks on the same samples, a few at a time. */
    private static Map<Value, Noise> noise(Calibration calibration, FakeQuantized fake, Dataset samples) {
        Map<Value, Noise> noise = new HashMap<>();
        Map<Value, Value> originals = new LinkedHashMap<>();
        fake.grids().keySet().forEach(v -> {
            noise.put(v, new Noise());
            originals.put(Objects.requireNonNull(fake.values().get(v)), v);
        });
        Watch exact = new Watch(calibration.model(), noise.keySet());
        Watch rounded = new Watch(fake.model(), originals.keySet());
        int piece = Math.min(exact.batch(), rounded.batch());
        for (int from = 0; from < samples.size(); from += piece) {
            int[] indices = new int[Math.min(piece, samples.size() - from)];
            for (int i = 0; i < indices.length; i++) {
                indices[i] = from + i;
            }
            Dataset few = samples.subset(indices);
            Map<Value, Tensor> truth = new HashMap<>();
            exact.run(few, calibration.backends(), Calibration.Listener.NONE, truth::put);
            rounded.run(few, calibration.backends(), Calibration.Listener.NONE, (v, tensor) -> {
                Value original = Objects.requireNonNull(originals.get(v));
                Objects.requireNonNull(noise.get(original))
                        .add(Objects.requireNonNull(truth.get(original)).floats(), tensor.floats());
            });
        }
        return noise;
    }

    @Override
    public String toString() {
        StringJoiner lines = new StringJoiner("\n");
        String format = "%-16s  %-28s  %-24s  %10s  %10s  %9s  %7s";
        lines.add(
                String.format(Locale.ROOT, format, "layer", "computed by", "grid", "min", "max", "cut off", "SNR, dB"));
        for (Row row : rows) {
            lines.add(String.format(
                    Locale.ROOT,
                    format,
                    row.layer,
                    row.what,
                    row.grid,
                    String.format(Locale.ROOT, "%.4g", row.min),
                    String.format(Locale.ROOT, "%.4g", row.max),
                    String.format(Locale.ROOT, "%.3f %%", 100 * row.cutOff),
                    String.format(Locale.ROOT, "%.1f", row.decibels)));
        }
        return lines.toString();
    }
}
