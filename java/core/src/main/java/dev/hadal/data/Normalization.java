package dev.hadal.data;

import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Brings each channel to mean 0 and deviation 1:
 *
 * <pre>
 *   x ← (x − mean) / deviation
 * </pre>
 *
 * A channel is one index of a sample's first axis: a colour plane of [C,H,W], one column of a table's [F].
 */
public record Normalization(List<Float> mean, List<Float> deviation) {
    private static final String PREFIX = "normalization.";
    private static final String MEAN = ".mean";
    private static final String DEVIATION = ".deviation";

    public Normalization {
        mean = List.copyOf(mean);
        deviation = List.copyOf(deviation);
        if (mean.size() != deviation.size()) {
            throw new IllegalArgumentException(
                    mean.size() + " means, but " + deviation.size() + " deviations; one of each per channel is needed");
        }
        for (int c = 0; c < mean.size(); c++) {
            float m = mean.get(c), d = deviation.get(c);
            if (!(Float.isFinite(m) && Float.isFinite(d) && d > 0)) {
                throw new IllegalArgumentException("channel " + c + " has mean " + m + " and deviation " + d
                        + ", but a finite mean and a positive deviation are needed");
            }
        }
    }

    /** For samples of one channel. */
    public static Normalization of(float mean, float deviation) {
        return new Normalization(List.of(mean), List.of(deviation));
    }

    /**
     * The mean and the deviation (of the population: divided by the count) of every channel over all samples. A channel
     * that never varies is only centred. Samples are merged pairwise (Chan, Golub and LeVeque 1979), in double:
     *
     * <pre>
     *   δ = mean_b − mean_a
     *   mean ← mean_a + δ·n_b/n
     *   M₂   ← M₂_a + M₂_b + δ²·n_a·n_b/n      deviation = √(M₂/n)
     * </pre>
     */
    public static Normalization learn(Dataset data) {
        return learn(data, Dataset.X);
    }

    /** The same, of another f32 field. */
    public static Normalization learn(Dataset data, String field) {
        Shape shape = data.field(field).shape();
        int channels = channels(shape);
        int plane = shape.size() / Math.max(channels, 1);
        if (data.size() == 0 || plane == 0) {
            throw new IllegalArgumentException("a data set of " + data.size() + " samples of " + shape
                    + " has no values to learn a normalisation from");
        }
        double[] mean = new double[channels], m2 = new double[channels];
        Batch batch = new Batch(data.fields(), 1);
        Row row = new Row(batch);
        float[] sample = batch.get(field).floats();
        for (int i = 0; i < data.size(); i++) {
            data.read(i, row);
            double na = (double) i * plane, nb = plane, n = na + nb;
            for (int c = 0; c < channels; c++) {
                double meanB = mean(sample, c * plane, plane);
                double m2B = squares(sample, c * plane, plane, meanB);
                double delta = meanB - mean[c];
                mean[c] += delta * nb / n;
                m2[c] += m2B + delta * delta * na * nb / n;
            }
        }
        double n = (double) data.size() * plane;
        List<Float> means = new ArrayList<>(), deviations = new ArrayList<>();
        for (int c = 0; c < channels; c++) {
            float deviation = (float) Math.sqrt(m2[c] / n);
            means.add((float) mean[c]);
            deviations.add(deviation > 0 ? deviation : 1);
        }
        return new Normalization(means, deviations);
    }

    /**
     * As text, to be saved with a model's weights: {@code normalization.x.mean} and {@code normalization.x.deviation} for
     * the field x, each a list of numbers that give every bit back.
     */
    public Map<String, String> toMap(String field) {
        Map<String, String> map = new LinkedHashMap<>();
        map.put(PREFIX + field + MEAN, text(mean));
        map.put(PREFIX + field + DEVIATION, text(deviation));
        return map;
    }

    /**
     * The normalisations, by their fields, that {@link #toMap} put among other text.
     *
     * @throws IllegalArgumentException if one is incomplete or damaged; the message names it
     */
    public static Map<String, Normalization> fromMap(Map<String, String> map) {
        Map<String, Normalization> found = new LinkedHashMap<>();
        for (String key : map.keySet()) {
            boolean isMean = key.endsWith(MEAN);
            if (key.startsWith(PREFIX) && (isMean || key.endsWith(DEVIATION))) {
                int end = key.length() - (isMean ? MEAN : DEVIATION).length();
                if (end > PREFIX.length()) {
                    String field = key.substring(PREFIX.length(), end);
                    found.computeIfAbsent(field, f -> read(map, PREFIX + f));
                }
            }
        }
        return found;
    }

    private static Normalization read(Map<String, String> map, String key) {
        try {
            return new Normalization(numbers(map, key + MEAN), numbers(map, key + DEVIATION));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(key + ": " + e.getMessage(), e);
        }
    }

    private static List<Float> numbers(Map<String, String> map, String key) {
        String text = map.get(key);
        if (text == null) {
            throw new IllegalArgumentException(key + " is missing");
        }
        List<Float> numbers = new ArrayList<>();
        for (String number : text.isEmpty() ? new String[0] : text.split(" ", -1)) {
            try {
                numbers.add(Float.parseFloat(number));
            } catch (NumberFormatException e) {
                throw new IllegalArgumentException(key + " has \"" + number + "\" where a number is needed", e);
            }
        }
        return numbers;
    }

    private static String text(List<Float> numbers) {
        return numbers.stream().map(String::valueOf).collect(Collectors.joining(" "));
    }

    /** Normalises one sample in place. */
    public void apply(float[] values, int offset, Shape shape) {
        int plane = 1;
        for (int axis = 1; axis < shape.rank(); axis++) {
            plane *= shape.get(axis);
        }
        for (int c = 0; c < mean.size(); c++) {
            float m = mean.get(c), d = deviation.get(c);
            int from = offset + c * plane;
            for (int i = from; i < from + plane; i++) {
                values[i] = (values[i] - m) / d;
            }
        }
    }

    /** What one value of a channel becomes: black, say, to fill the edge of a shifted image with. */
    public float apply(float value, int channel) {
        return (value - mean.get(channel)) / deviation.get(channel);
    }

    void check(Shape shape) {
        if (channels(shape) != mean.size()) {
            throw new IllegalArgumentException("samples of " + shape + " have " + channels(shape)
                    + " channels, but this normalisation is for " + mean.size());
        }
    }

    @Override
    public String toString() {
        return "(x - " + mean + ") / " + deviation;
    }

    private static int channels(Shape shape) {
        return shape.rank() == 0 ? 1 : shape.get(0);
    }

    private static double mean(float[] x, int from, int count) {
        double sum = 0;
        for (int i = from; i < from + count; i++) {
            sum += x[i];
        }
        return sum / count;
    }

    private static double squares(float[] x, int from, int count, double mean) {
        double sum = 0;
        for (int i = from; i < from + count; i++) {
            sum += (x[i] - mean) * (x[i] - mean);
        }
        return sum;
    }
}
