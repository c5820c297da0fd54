package dev.hadal.peers;

import java.util.Random;

/**
 * The batches that every entrant trains on, in turn: noise, with a little of a pattern that tells the class.
 *
 * @param images each [batch, 28·28]
 * @param classes each [batch], of ten
 */
public record Work(int batch, float[][] images, int[][] classes) {
    /** The perceptron 784-1024-1024-10 takes batches of 128. */
    public static final int[] MLP = {784, 1024, 1024, 10};

    /** Weights of the optimizer's row. */
    public static final int WEIGHTS = 10_000_000;

    /** Small enough that gradients have not shrunk to nothing when the time is up. */
    public static final double RATE = 1e-4;

    private static final int BATCHES = 32;
    private static final int PIXELS = 28 * 28;
    private static final float PATTERN = 0.2f;

    /** For the perceptron. */
    public static Work mlp() {
        return of(128);
    }

    /**
     * For the convolutional network: 3×3 kernels 1→32, ReLU, 3×3 kernels 32→64, ReLU, max pool 2, linear 9216→128, ReLU,
     * linear 128→10; nothing is padded.
     */
    public static Work cnn() {
        return of(64);
    }

    private static Work of(int batch) {
        Random random = new Random(1);
        float[] patterns = random(10 * PIXELS);
        float[][] images = new float[BATCHES][batch * PIXELS];
        int[][] classes = new int[BATCHES][batch];
        for (int b = 0; b < BATCHES; b++) {
            for (int i = 0; i < batch; i++) {
                classes[b][i] = random.nextInt(10);
                for (int p = 0; p < PIXELS; p++) {
                    float pattern = patterns[classes[b][i] * PIXELS + p];
                    images[b][i * PIXELS + p] = (float) random.nextGaussian() + PATTERN * pattern;
                }
            }
        }
        return new Work(batch, images, classes);
    }

    /** The classes of a batch as distributions, [batch, 10]. */
    public float[] oneHot(int b) {
        float[] distributions = new float[batch * 10];
        for (int i = 0; i < batch; i++) {
            distributions[i * 10 + classes[b][i]] = 1;
        }
        return distributions;
    }

    /** Normally distributed. */
    public static float[] random(int n) {
        Random random = new Random(2);
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
