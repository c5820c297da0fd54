package dev.hadal.benchmarks;

import java.util.List;

/**
 * The samples on which two classifiers disagree (McNemar 1947): those that only the first has right, and those that only
 * the second has.
 */
record Paired(long onlyFirst, long onlySecond) {

    static Paired of(List<boolean[]> first, List<boolean[]> second) {
        long a = 0;
        long b = 0;
        for (int k = 0; k < first.size(); k++) {
            for (int i = 0; i < first.get(k).length; i++) {
                a += first.get(k)[i] && !second.get(k)[i] ? 1 : 0;
                b += second.get(k)[i] && !first.get(k)[i] ? 1 : 0;
            }
        }
        return new Paired(a, b);
    }

    /**
     * How probable a difference as large as this one or larger is, if both were equally good: twice the tail of a fair
     * coin's n = a + b throws, Σ_{k ≤ min(a, b)} C(n, k)·2⁻ⁿ.
     */
    double probability() {
        long n = onlyFirst + onlySecond;
        double logTerm = -n * Math.log(2);
        double sum = 0;
        for (long k = 0; k <= Math.min(onlyFirst, onlySecond); k++) {
            sum += Math.exp(logTerm);
            logTerm += Math.log((double) (n - k) / (k + 1));
        }
        return Math.min(1, 2 * sum);
    }
}
