package dev.hadal.optim;

import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** What PyTorch 1.13 made of the same problems: see scripts/fixtures/optimizers.py. */
final class PyTorch {
    private record Entry(List<Integer> shape, double[] values) {}

    private static final Map<String, Entry> ENTRIES = read();

    private static Map<String, Entry> read() {
        Map<String, Entry> entries = new LinkedHashMap<>();
        try (BufferedReader lines = new BufferedReader(new InputStreamReader(
                Objects.requireNonNull(PyTorch.class.getResourceAsStream("pytorch.txt")), StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String head = line.substring(0, line.indexOf(':'));
                String name = head.replaceAll("( \\d+)+$", "");
                List<Integer> shape = Arrays.stream(
                                head.substring(name.length()).trim().split(" "))
                        .filter(d -> !d.isEmpty())
                        .map(Integer::valueOf)
                        .toList();
                double[] values = Arrays.stream(
                                line.substring(line.indexOf(':') + 1).trim().split(" "))
                        .mapToDouble(Double::parseDouble)
                        .toArray();
                entries.put(name, new Entry(shape, values));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return entries;
    }

    static double[] values(String name) {
        return Objects.requireNonNull(ENTRIES.get(name), name).values;
    }

    static Tensor tensor(String name) {
        double[] values = values(name);
        float[] narrow = new float[values.length];
        for (int i = 0; i < narrow.length; i++) {
            narrow[i] = (float) values[i];
        }
        return Tensor.of(new Shape(Objects.requireNonNull(ENTRIES.get(name)).shape), narrow);
    }

    static int[] integers(String name) {
        return Arrays.stream(values(name)).mapToInt(v -> (int) v).toArray();
    }

    private PyTorch() {}
}
