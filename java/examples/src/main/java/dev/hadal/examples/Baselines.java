package dev.hadal.examples;

import dev.hadal.data.Dataset;

/** What can be had without a network. */
final class Baselines {
    private Baselines() {}

    /** The share of test samples that the class with the nearest mean, in the Euclidean distance, is right for. */
    static double nearestCentroid(Dataset train, Dataset test) {
        int size = train.shape().size();
        double[][] centroids = new double[train.classes()][size];
        int[] counts = new int[train.classes()];
        for (int i = 0; i < train.size(); i++) {
            float[] x = train.batch(i).x().floats();
            int label = train.label(i);
            counts[label]++;
            for (int f = 0; f < size; f++) {
                centroids[label][f] += (x[f] - centroids[label][f]) / counts[label];
            }
        }
        int right = 0;
        for (int i = 0; i < test.size(); i++) {
            float[] x = test.batch(i).x().floats();
            int nearest = 0;
            for (int c = 1; c < centroids.length; c++) {
                nearest = distance(x, centroids[c]) < distance(x, centroids[nearest]) ? c : nearest;
            }
            right += nearest == test.label(i) ? 1 : 0;
        }
        return (double) right / test.size();
    }

    private static double distance(float[] x, double[] centroid) {
        double sum = 0;
        for (int f = 0; f < x.length; f++) {
            sum += (x[f] - centroid[f]) * (x[f] - centroid[f]);
        }
        return sum;
    }

    /**
     * The cross-entropy of a text's characters, in nats, each told the one before it: the counts of pairs in the training
     * text, with a tenth more of every pair.
     */
    static double bigram(int[] train, int[] test, int symbols) {
        double more = 0.1;
        double[][] pairs = new double[symbols][symbols];
        double[] firsts = new double[symbols];
        for (int i = 1; i < train.length; i++) {
            pairs[train[i - 1]][train[i]]++;
            firsts[train[i - 1]]++;
        }
        double sum = 0;
        for (int i = 1; i < test.length; i++) {
            sum -= Math.log((pairs[test[i - 1]][test[i]] + more) / (firsts[test[i - 1]] + more * symbols));
        }
        return sum / (test.length - 1);
    }
}
