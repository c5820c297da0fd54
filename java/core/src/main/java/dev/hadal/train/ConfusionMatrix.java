package dev.hadal.train;

import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * How often a sample of one class is taken for each class: {@code trainer.measure(test, Metrics.confusionMatrix())}. As
 * a number it is the accuracy; printed, it is a table.
 */
public final class ConfusionMatrix implements Metric.Accumulator {
    private final List<String> names;
    private long[][] counts = new long[0][0];

    ConfusionMatrix(String... names) {
        this.names = List.of(names);
    }

    @Override
    public void add(Tensor output, Tensor target) {
        ClassTargets batch = new ClassTargets(output, target);
        int[] rows = batch.rows();
        int classes = batch.classes();
        if (counts.length == 0) {
            if (!names.isEmpty() && names.size() != classes) {
                throw new IllegalArgumentException("the network tells " + classes + " classes apart, but the names are "
                        + names.size() + ": " + names);
            }
            counts = new long[classes][classes];
        }
        for (int i : rows) {
            counts[batch.label(i)][batch.predicted(i)]++;
        }
    }

    /** The accuracy. */
    @Override
    public double value() {
        long right = 0;
        long all = 0;
        for (int c = 0; c < counts.length; c++) {
            right += counts[c][c];
            all += support(c);
        }
        return all == 0 ? Double.NaN : (double) right / all;
    }

    /** How many classes there are; 0 before the first batch. */
    public int classes() {
        return counts.length;
    }

    /** How many samples of the class {@code target} were taken for the class {@code predicted}. */
    public long count(int target, int predicted) {
        return counts[target][predicted];
    }

    /** How many samples are of that class. */
    public long support(int label) {
        long sum = 0;
        for (long count : counts[label]) {
            sum += count;
        }
        return sum;
    }

    /** How many samples were taken for that class. */
    public long predictions(int label) {
        long sum = 0;
        for (long[] row : counts) {
            sum += row[label];
        }
        return sum;
    }

    /** The share of those taken for the class that are of it; 0 if none was. */
    public double precision(int label) {
        return ratio(counts[label][label], predictions(label));
    }

    /** The share of the class's samples that were taken for it; 0 if it has none. */
    public double recall(int label) {
        return ratio(counts[label][label], support(label));
    }

    /** 2·TP/(2·TP + FP + FN), the harmonic mean of precision and recall; 0 where the class does not occur. */
    public double f1(int label) {
        return ratio(2 * counts[label][label], support(label) + predictions(label));
    }

    /**
     * The F1 of all classes; NaN without samples.
     *
     * @throws IllegalStateException if {@code BINARY} is asked for where there are more than two classes
     */
    public double f1(Metrics.Average average) {
        if (counts.length == 0) {
            return Double.NaN;
        }
        return switch (average) {
            case BINARY -> {
                if (counts.length != 2) {
                    throw new IllegalStateException(
                            "binary F1 is for two classes, not " + counts.length + "; use the macro or micro average");
                }
                yield f1(1);
            }
            // Each false positive of one class is a false negative of another: both means are the accuracy.
            case MICRO -> value();
            case MACRO -> macroF1();
        };
    }

    private double macroF1() {
        double sum = 0;
        int occurring = 0;
        for (int c = 0; c < counts.length; c++) {
            sum += f1(c);
            occurring += support(c) + predictions(c) > 0 ? 1 : 0;
        }
        return occurring == 0 ? Double.NaN : sum / occurring;
    }

    private static double ratio(long part, long whole) {
        return whole == 0 ? 0 : (double) part / whole;
    }

    /** A row for each target, a column for each answer, and behind them each class's precision, recall and F1. */
    @Override
    public String toString() {
        List<List<String>> rows = new ArrayList<>();
        List<String> head = new ArrayList<>(List.of("target \\ predicted"));
        for (int c = 0; c < counts.length; c++) {
            head.add(name(c));
        }
        head.addAll(List.of("precision", "recall", "F1"));
        rows.add(head);
        for (int t = 0; t < counts.length; t++) {
            List<String> row = new ArrayList<>(List.of(name(t)));
            for (long count : counts[t]) {
                row.add(Long.toString(count));
            }
            for (double number : new double[] {precision(t), recall(t), f1(t)}) {
                row.add(String.format(Locale.ROOT, "%.4f", number));
            }
            rows.add(row);
        }
        return table(rows);
    }

    private String name(int label) {
        return names.isEmpty() ? Integer.toString(label) : names.get(label);
    }

    /** Names to the left, numbers to the right. */
    private static String table(List<List<String>> rows) {
        int columns = rows.get(0).size();
        StringBuilder text = new StringBuilder();
        for (List<String> row : rows) {
            for (int c = 0; c < columns; c++) {
                int at = c;
                int width = rows.stream()
                        .mapToInt(r -> r.get(at).codePointCount(0, r.get(at).length()))
                        .max()
                        .orElse(0);
                String cell = row.get(c);
                String padding = " ".repeat(width - cell.codePointCount(0, cell.length()));
                text.append(c == 0 ? cell + padding : "  " + padding + cell);
            }
            text.append('\n');
        }
        return text.toString();
    }
}
