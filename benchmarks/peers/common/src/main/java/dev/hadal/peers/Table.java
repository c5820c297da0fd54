package dev.hadal.peers;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Prints what {@code benchmarks/peers/run} measured as a table: medians over the rounds, and how many times as fast Hadal
 * is, with the least and the most of any round.
 *
 * <p>Each line of the file is a row, an entrant, seconds, samples, what ran, a remark.
 */
public final class Table {
    private Table() {}

    /** How seconds are shown. */
    private enum Unit {
        STEPS("%.1f steps/s") {
            @Override
            double of(double seconds) {
                return 1 / seconds;
            }
        },
        NANOS_A_WEIGHT("%.2f ns a weight") {
            @Override
            double of(double seconds) {
                return seconds * 1e9 / Work.WEIGHTS;
            }
        },
        MICROS("%.2f µs") {
            @Override
            double of(double seconds) {
                return seconds * 1e6;
            }
        },
        MILLIS("%.1f ms") {
            @Override
            double of(double seconds) {
                return seconds * 1e3;
            }
        },
        SECONDS("%.2f s") {
            @Override
            double of(double seconds) {
                return seconds;
            }
        };

        private final String format;

        Unit(String format) {
            this.format = format;
        }

        abstract double of(double seconds);

        String show(double seconds) {
            return String.format(Locale.ROOT, format, of(seconds));
        }
    }

    private record Row(String name, String title, Unit unit) {}

    private static final List<Row> ROWS = List.of(
            new Row("mlp-f32", "MLP, training step, f32", Unit.STEPS),
            new Row("mlp-bf16", "MLP, training step, bf16", Unit.STEPS),
            new Row("cnn-f32", "CNN, training step, f32", Unit.STEPS),
            new Row("cnn-bf16", "CNN, training step, bf16", Unit.STEPS),
            new Row("cnn-vector", "CNN, training step, f32; Hadal in Java with the Vector API", Unit.STEPS),
            new Row("cnn-java", "CNN, training step, f32; Hadal in Java without it", Unit.STEPS),
            new Row("adam", "Adam, 10,000,000 weights", Unit.NANOS_A_WEIGHT),
            new Row("add", "sum of two floats and two floats, a call", Unit.MICROS),
            new Row("matmul16", "16×16 matrix product, a call", Unit.MICROS),
            new Row("start", "JVM start to first prediction of a saved MLP; Hadal in Java", Unit.SECONDS),
            new Row("start-native", "JVM start to first prediction of a saved MLP; Hadal on oneDNN", Unit.SECONDS),
            new Row("mlp1-f32", "MLP, prediction of one sample, f32", Unit.MICROS),
            new Row("mlp1-int8", "MLP, prediction of one sample, int8", Unit.MICROS),
            new Row("resnet50-1-f32", "ResNet-50, prediction of one image, f32", Unit.MILLIS),
            new Row("resnet50-8-f32", "ResNet-50, prediction of eight images, f32", Unit.MILLIS),
            new Row("resnet50-1-bf16", "ResNet-50, prediction of one image, bf16", Unit.MILLIS),
            new Row("resnet50-8-bf16", "ResNet-50, prediction of eight images, bf16", Unit.MILLIS),
            new Row("resnet50-1-int8", "ResNet-50, prediction of one image, int8", Unit.MILLIS),
            new Row("resnet50-8-int8", "ResNet-50, prediction of eight images, int8", Unit.MILLIS));

    /** What an entrant measured in a row, a value for each round. */
    private record Measured(String what, List<Double> seconds) {
        double median() {
            double[] sorted =
                    seconds.stream().mapToDouble(Double::doubleValue).sorted().toArray();
            int half = sorted.length / 2;
            return sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
        }

        /** How many times as fast as the other one: by the medians, and the extremes of the rounds. */
        String speedOver(Measured other) {
            double[] ratios = new double[Math.min(seconds.size(), other.seconds.size())];
            Arrays.setAll(ratios, i -> other.seconds.get(i) / seconds.get(i));
            Arrays.sort(ratios);
            double ratio = other.median() / median();
            return String.format(Locale.ROOT, "**%.2f** (%.2f–%.2f)", ratio, ratios[0], ratios[ratios.length - 1]);
        }
    }

    public static void main(String[] args) throws IOException {
        Map<String, Map<String, Measured>> measured = read(Path.of(args[0]));
        System.out.println("| work | Hadal | another library | | Hadal is times as fast |");
        System.out.println("| --- | --- | --- | --- | --- |");
        for (Row row : ROWS) {
            Map<String, Measured> entrants = measured.getOrDefault(row.name, Map.of());
            Measured hadal = entrants.entrySet().stream()
                    .filter(e -> e.getKey().startsWith("hadal"))
                    .map(Map.Entry::getValue)
                    .findFirst()
                    .orElse(null);
            for (Map.Entry<String, Measured> e : entrants.entrySet()) {
                if (e.getKey().startsWith("hadal")) {
                    continue;
                }
                Measured other = e.getValue();
                System.out.println("| "
                        + String.join(
                                " | ",
                                row.title,
                                hadal == null ? "–" : row.unit.show(hadal.median()),
                                other.what,
                                row.unit.show(other.median()),
                                hadal == null ? "–" : hadal.speedOver(other))
                        + " |");
            }
        }
        System.out.println();
        System.out.println(measured.values().stream()
                .flatMap(entrants -> entrants.values().stream())
                .map(m -> m.seconds.size())
                .distinct()
                .sorted()
                .map(String::valueOf)
                .collect(Collectors.joining(", ", "Rounds: ", ".")));
    }

    private static Map<String, Map<String, Measured>> read(Path file) throws IOException {
        Map<String, Map<String, Measured>> rows = new LinkedHashMap<>();
        for (String line : Files.readAllLines(file)) {
            String[] fields = line.split("\t", -1);
            rows.computeIfAbsent(fields[0], row -> new LinkedHashMap<>())
                    .computeIfAbsent(fields[1], entrant -> new Measured(fields[4], new ArrayList<>()))
                    .seconds
                    .add(Double.parseDouble(fields[2]));
        }
        return rows;
    }
}
