package dev.hadal.train;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Map.Entry;

/**
 * What one pass over the training data came to.
 *
 * @param number from 1 on
 * @param of how many there will be
 * @param complete whether all of the data were seen; training that is stopped ends with an epoch that is not complete
 * @param values the numbers by name, in this order: {@value #LOSS} and the metrics of the training data, the same of the
 *     validation data behind {@value #VALIDATION}, {@value #RATE}, {@value #GRADIENT_NORM} and
 *     {@value #SAMPLES_PER_SECOND}
 */
public record Epoch(int number, int of, boolean complete, Map<String, Double> values) {
    /** The mean over the samples, each as it was before its update. */
    public static final String LOSS = "loss";
    /** The learning rate of the last step. */
    public static final String RATE = "rate";
    /** The mean over the steps, before clipping. */
    public static final String GRADIENT_NORM = "gradient_norm";
    /** Of training alone, without validation. */
    public static final String SAMPLES_PER_SECOND = "samples_per_second";
    /** What the names of the validation data's numbers begin with. */
    public static final String VALIDATION = "val_";

    private static final List<String> SHARES = List.of("accuracy", "top_");

    public Epoch {
        values = Collections.unmodifiableMap(new LinkedHashMap<>(values));
    }

    /** A number by its name, say {@code "val_accuracy"}; NaN if there is none. */
    public double get(String name) {
        return values.getOrDefault(name, Double.NaN);
    }

    public double loss() {
        return get(LOSS);
    }

    /** Of the training samples, as augmented, each before its update. */
    public double accuracy() {
        return get("accuracy");
    }

    public double validationLoss() {
        return get(VALIDATION + LOSS);
    }

    public double validationAccuracy() {
        return get(VALIDATION + "accuracy");
    }

    public double rate() {
        return get(RATE);
    }

    public double gradientNorm() {
        return get(GRADIENT_NORM);
    }

    public double samplesPerSecond() {
        return get(SAMPLES_PER_SECOND);
    }

    /** All of it in one line. */
    @Override
    public String toString() {
        StringBuilder line = new StringBuilder("epoch " + number + "/" + of + (complete ? "" : " (stopped)"));
        for (Entry<String, Double> e : values.entrySet()) {
            line.append("   ").append(words(e.getKey(), e.getValue()));
        }
        return line.toString();
    }

    private static String words(String name, double value) {
        boolean validation = name.startsWith(VALIDATION);
        String plain = validation ? name.substring(VALIDATION.length()) : name;
        boolean share = SHARES.stream().anyMatch(plain::startsWith);
        String words = (validation ? "validation " : "") + plain.replace('_', ' ');
        return switch (name) {
            case SAMPLES_PER_SECOND -> String.format(Locale.ROOT, "%.0f samples/s", value);
            case RATE -> String.format(Locale.ROOT, "rate %.2e", value);
            case GRADIENT_NORM -> String.format(Locale.ROOT, "gradient norm %.3f", value);
            default -> String.format(Locale.ROOT, share ? "%s %.2f %%" : "%s %.4f", words, share ? 100 * value : value);
        };
    }
}
