package dev.hadal.compress;

import dev.hadal.tensor.Shape;
import java.util.List;
import java.util.Locale;
import java.util.StringJoiner;

/** What {@link Sparsify} makes of each weight of a network, and why. Printed, it is a table. */
public record SparsityReport(List<Row> rows) {

    /**
     * A weight.
     *
     * @param zeros how many of its values are zero
     * @param height of the blocks of outputs that are fastest or, where none is faster than dense, fit its zeros best; 0 if no sparse kernel takes it
     * @param kept the share of its values that lie in blocks which are not all zero
     * @param breakEven the share of values with which sparse would be as fast as dense
     * @param otherwise why no sparse kernel takes it; else empty
     */
    public record Row(
            String weight, Shape shape, long zeros, int height, double kept, double breakEven, String otherwise) {

        /** Whether it is computed with as blocks. */
        public boolean sparse() {
            return height > 0 && kept < breakEven;
        }

        /** About how many times as fast as dense blocks would be, by the measured break-even; 0 if it has no blocks. */
        public double speedUp() {
            return height == 0 ? 0 : kept == 0 ? Double.POSITIVE_INFINITY : breakEven / kept;
        }

        /** In words. */
        public String verdict() {
            if (height == 0) {
                return "dense: " + otherwise;
            }
            String blocks = String.format(Locale.ROOT, "%.3g %% kept in %d×1 blocks", 100 * kept, height);
            return sparse()
                    ? String.format(
                            Locale.ROOT, "sparse: %s, about %.1f times as fast", blocks, Math.min(speedUp(), 99))
                    : String.format(
                            Locale.ROOT,
                            "dense is faster: %s, and no more than %.0f %% would be as fast",
                            blocks,
                            100 * breakEven);
        }
    }

    public SparsityReport {
        rows = List.copyOf(rows);
    }

    /** A line for each weight. */
    @Override
    public String toString() {
        int width = rows.stream().mapToInt(row -> row.weight.length()).max().orElse(0);
        String format = "%-" + Math.max(width, "weight".length()) + "s  %-14s  %8s  %s";
        StringJoiner lines = new StringJoiner("\n");
        lines.add(String.format(Locale.ROOT, format, "weight", "shape", "zeros", "computed"));
        for (Row row : rows) {
            double share = row.shape.size() == 0 ? 0 : 100.0 * row.zeros / row.shape.size();
            String zeros = String.format(Locale.ROOT, "%.1f %%", share);
            lines.add(String.format(Locale.ROOT, format, row.weight, row.shape.toString(), zeros, row.verdict()));
        }
        return lines.toString();
    }
}
