package dev.hadal.train;

import dev.hadal.tensor.Tensor;
import java.util.Arrays;

/** The area under the ROC curve from the sum of ranks (Mann and Whitney 1947). */
final class RocAuc implements Metric.Accumulator {
    /**
     * For each class, the scores of all samples; of two classes, the last one's alone. As floats, for the sum in a softmax
     * depends on the order of its terms: in their last bits, equal probabilities differ.
     */
    private float[][] scores = new float[0][];

    private int[] labels = new int[64];
    private int samples;

    @Override
    public void add(Tensor output, Tensor target) {
        ClassTargets batch = new ClassTargets(output, target);
        int[] rows = batch.rows();
        int classes = batch.classes();
        if (scores.length == 0) {
            scores = new float[classes][labels.length];
        }
        makeRoom(Math.addExact(samples, rows.length));
        double[] logs = new double[classes];
        for (int i : rows) {
            labels[samples] = batch.label(i);
            if (classes == 2) {
                scores[1][samples] = batch.score(i, 1) - batch.score(i, 0);
            } else {
                batch.logSoftmax(i, logs);
                for (int c = 0; c < classes; c++) {
                    scores[c][samples] = (float) logs[c];
                }
            }
            samples++;
        }
    }

    private void makeRoom(int count) {
        if (count > labels.length) {
            int length = (int) Math.min(Integer.MAX_VALUE - 8L, Math.max(count, 2L * labels.length));
            labels = Arrays.copyOf(labels, length);
            for (int c = 0; c < scores.length; c++) {
                scores[c] = Arrays.copyOf(scores[c], length);
            }
        }
    }

    @Override
    public double value() {
        double sum = 0;
        int defined = 0;
        for (int c = scores.length == 2 ? 1 : 0; c < scores.length; c++) {
            long positive = countOf(c);
            if (positive > 0 && positive < samples) {
                sum += area(c, positive);
                defined++;
            }
        }
        return defined == 0 ? Double.NaN : sum / defined;
    }

    private long countOf(int label) {
        return Arrays.stream(labels, 0, samples).filter(l -> l == label).count();
    }

    private double area(int label, long positive) {
        float[] score = scores[label];
        float[] of = new float[(int) positive];
        float[] rest = new float[samples - of.length];
        for (int i = 0, p = 0, r = 0; i < samples; i++) {
            if (Float.isNaN(score[i])) {
                return Double.NaN;
            }
            if (labels[i] == label) {
                of[p++] = score[i];
            } else {
                rest[r++] = score[i];
            }
        }
        Arrays.sort(of);
        Arrays.sort(rest);
        // Twice the number of pairs in which the class scores higher, and once that of equal ones.
        double halves = 0;
        int below = 0;
        int upTo = 0;
        for (float x : of) {
            while (below < rest.length && rest[below] < x) {
                below++;
            }
            while (upTo < rest.length && rest[upTo] <= x) {
                upTo++;
            }
            halves += (double) below + upTo;
        }
        return halves / (2.0 * of.length * rest.length);
    }
}
