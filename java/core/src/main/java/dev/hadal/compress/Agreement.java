package dev.hadal.compress;

import java.util.Locale;

/**
 * Two classifiers on the same samples: on how many both are right, only one of them, or neither. Where accuracies differ by
 * less than their own standard error, which samples they differ on still tells them apart.
 */
public record Agreement(int both, int first, int second, int neither) {

    /**
     * @param first which samples the first classifier is right on
     * @param second the same of the second
     * @throws IllegalArgumentException if there is no sample, or their numbers differ
     */
    public static Agreement of(boolean[] first, boolean[] second) {
        if (first.length == 0 || first.length != second.length) {
            throw new IllegalArgumentException(
                    "paired answers to the same samples are needed, got " + first.length + " and " + second.length);
        }
        int[] counts = new int[4];
        for (int i = 0; i < first.length; i++) {
            counts[(first[i] ? 0 : 2) + (second[i] ? 0 : 1)]++;
        }
        return new Agreement(counts[0], counts[1], counts[2], counts[3]);
    }

    /** Both together, as of more samples. */
    public Agreement and(Agreement other) {
        return new Agreement(both + other.both, first + other.first, second + other.second, neither + other.neither);
    }

    public int samples() {
        return both + first + second + neither;
    }

    /** By how much the second is less often right, as a share of all samples. */
    public double loss() {
        return (double) (first - second) / samples();
    }

    /** The share of samples that both are right on or both are wrong on. */
    public double share() {
        return (double) (both + neither) / samples();
    }

    /** The standard error of {@link #loss}: √(b + c − (b − c)²/n)/n, of b and c samples that only one is right on. */
    public double error() {
        double n = samples();
        double b = first, c = second;
        return Math.sqrt(b + c - (b - c) * (b - c) / n) / n;
    }

    /**
     * McNemar's exact test (McNemar 1947): how likely so uneven a split is, or a more uneven one, if the two are equally
     * good. Of the b + c samples that only one is right on, each is then the first's as likely as the second's:
     * p = min(1, 2·Σ_{k ≤ min(b,c)} C(b + c, k)/2^{b + c}).
     */
    public double p() {
        int n = first + second;
        double logTerm = -n * Math.log(2);
        double sum = Math.exp(logTerm);
        for (int k = 1; k <= Math.min(first, second); k++) {
            logTerm += Math.log((double) (n - k + 1) / k);
            sum += Math.exp(logTerm);
        }
        return Math.min(1, 2 * sum);
    }

    @Override
    public String toString() {
        return String.format(
                Locale.ROOT,
                "%.2f points lost (± %.2f), %.2f %% alike, only first %d, only second %d, McNemar p = %.3g",
                100 * loss(),
                100 * error(),
                100 * share(),
                first,
                second,
                p());
    }
}
