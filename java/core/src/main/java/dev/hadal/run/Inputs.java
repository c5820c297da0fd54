package dev.hadal.run;

import dev.hadal.graph.Type;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Checks what enters a plan, before anything native sees it. */
public final class Inputs {

    /**
     * Checks one value of a batch.
     *
     * @param sample the type of one sample
     * @param samples how many are expected; 0 for any number from 1 on
     * @throws IllegalArgumentException if the value is missing, or is not [N, one sample's shape]
     */
    public static void check(String name, Type sample, @Nullable Tensor value, int samples) {
        if (value == null) {
            throw new IllegalArgumentException("'" + name + "' is missing: " + text(sample) + " is needed");
        }
        if (value.dtype() != sample.dtype() || !value.shape().isBatchOf(sample.shape())) {
            throw new IllegalArgumentException("'" + name + "' takes " + text(sample) + " with N >= 1, not " + value);
        }
        if (samples != 0 && value.shape().get(0) != samples) {
            throw new IllegalArgumentException(
                    "'" + name + "' has " + value.shape().get(0) + " samples, but what comes before it has " + samples);
        }
    }

    /**
     * Checks a batch against the types of one sample.
     *
     * @return N, the number of samples
     * @throws IllegalArgumentException if a value is missing, is not [N, one sample's shape], or has another N
     */
    public static int samples(Map<String, Type> wanted, Map<String, Tensor> batch) {
        int samples = 0;
        for (Map.Entry<String, Type> e : wanted.entrySet()) {
            Tensor value = batch.get(e.getKey());
            check(e.getKey(), e.getValue(), value, samples);
            samples = value == null ? samples : value.shape().get(0);
        }
        return samples;
    }

    private static String text(Type sample) {
        Shape shape = sample.shape();
        return sample.dtype() + (shape.rank() == 0 ? "[N]" : shape.toString().replaceFirst("\\[", "[N,"));
    }

    private Inputs() {}
}
