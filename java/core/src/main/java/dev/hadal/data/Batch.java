package dev.hadal.data;

import dev.hadal.tensor.Tensor;

/** Some samples, x: [B,…] in f32, and their labels: [B] in i32. */
public record Batch(Tensor x, Tensor labels) {

    /** How many samples. */
    public int size() {
        return labels.shape().get(0);
    }
}
