package dev.hadal.run;

import dev.hadal.graph.Type;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.Map;

/** Checks what enters a plan, before anything native sees it. */
public final class Inputs {

    /**
     * Checks a batch against the types of one sample.
     *
     * @return N, the number of samples
     * @throws IllegalArgumentException if a value is missing, is not [N, one sample's shape], or has another N
     */
    public static int samples(Map<String, Type> wanted, Map<String, Tensor> batch) {
        int samples = 0;
        for (Map.Entry<String, Type> e : wanted.entrySet()) {
            String name = e.getKey();
            Type sample = e.getValue();
            Tensor value = batch.get(name);
            if (value == null) {
                throw new IllegalArgumentException(
                        "'" + name + "' is missing: a batch takes " + text(wanted) + ", but has " + batch.keySet());
            }
            if (value.dtype() != sample.dtype() || !value.shape().isBatchOf(sample.shape())) {
                throw new IllegalArgumentException(
                        "'" + name + "' takes " + text(sample) + " with N >= 1, not " + value);
            }
            int n = value.shape().get(0);
            if (samples != 0 && n != samples) {
                throw new IllegalArgumentException(
                        "'" + name + "' has " + n + " samples, but what comes before it has " + samples);
            }
            samples = n;
        }
        return samples;
    }

    private static String text(Type sample) {
        Shape shape = sample.shape();
        return sample.dtype() + (shape.rank() == 0 ? "[N]" : shape.toString().replaceFirst("\\[", "[N,"));
    }

    private static String text(Map<String, Type> wanted) {
        StringBuilder text = new StringBuilder();
        wanted.forEach((name, type) -> text.append(text.length() == 0 ? "" : ", ")
                .append(name)
                .append(' ')
                .append(text(type)));
        return text.toString();
    }

    private Inputs() {}
}
