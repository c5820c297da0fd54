package dev.hadal.compress;

import dev.hadal.model.Model;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.StringJoiner;

/** How many zeros the weights of a network hold that {@link Pruning} prunes, layer by layer. Printed, it is a table. */
public record Sparsity(List<Row> rows) {

    /** A weight. */
    public record Row(String weight, Shape shape, long size, long zeros) {
        /** The share of zeros. */
        public double share() {
            return size == 0 ? 0 : (double) zeros / size;
        }
    }

    public Sparsity {
        rows = List.copyOf(rows);
    }

    public static Sparsity of(Model model) {
        List<Row> rows = new ArrayList<>();
        for (ProductWeight w : ProductWeight.of(model.graph())) {
            rows.add(new Row(w.name(), w.shape(), w.shape().size(), zeros(value(model, w.name()))));
        }
        return new Sparsity(rows);
    }

    /**
     * A mask for each weight of the network that has zeros and is pruned by {@link Pruning}: 0 where it is zero, else 1. So
     * a pruned network that was saved can be trained further: {@code trainer.mask(Sparsity.masks(model))}.
     */
    public static Map<String, Tensor> masks(Model model) {
        Map<String, Tensor> masks = new LinkedHashMap<>();
        for (ProductWeight w : ProductWeight.of(model.graph())) {
            Tensor value = value(model, w.name());
            if (zeros(value) > 0) {
                float[] mask = new float[value.shape().size()];
                for (int i = 0; i < mask.length; i++) {
                    mask[i] = value.floats()[i] == 0 ? 0 : 1;
                }
                masks.put(w.name(), Tensor.of(value.shape(), mask));
            }
        }
        return masks;
    }

    private static Tensor value(Model model, String name) {
        return Objects.requireNonNull(model.values().get(name));
    }

    private static long zeros(Tensor value) {
        long zeros = 0;
        for (float v : value.floats()) {
            zeros += v == 0 ? 1 : 0;
        }
        return zeros;
    }

    /** The share of zeros of all these weights together. */
    public double share() {
        return total().share();
    }

    private Row total() {
        long size = rows.stream().mapToLong(Row::size).sum();
        long zeros = rows.stream().mapToLong(Row::zeros).sum();
        return new Row("total", Shape.SCALAR, size, zeros);
    }

    /** A line for each weight between head and total. */
    @Override
    public String toString() {
        int width = rows.stream().mapToInt(row -> row.weight.length()).max().orElse(0);
        StringJoiner lines = new StringJoiner("\n");
        String format = "%-" + Math.max(width, "weight".length()) + "s  %-14s  %12s  %12s  %8s";
        lines.add(String.format(Locale.ROOT, format, "weight", "shape", "values", "zeros", "share"));
        rows.forEach(row -> lines.add(line(format, row, row.shape.toString())));
        return lines.add(line(format, total(), "")).toString();
    }

    private static String line(String format, Row row, String shape) {
        return String.format(
                Locale.ROOT,
                format,
                row.weight,
                shape,
                String.format(Locale.ROOT, "%,d", row.size),
                String.format(Locale.ROOT, "%,d", row.zeros),
                String.format(Locale.ROOT, "%.2f %%", 100 * row.share()));
    }
}
