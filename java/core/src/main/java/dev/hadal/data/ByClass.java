package dev.hadal.data;

import java.util.stream.IntStream;

/** The samples of a data set, sorted by their class. */
final class ByClass {
    /** Class by class; within one, in the order of the data. */
    private final int[] members;
    /** Where each class begins, and one more: where the last one ends. */
    private final int[] starts;

    private final int[] labels;

    ByClass(Dataset data) {
        Field target = data.field(Dataset.TARGET);
        if (target.classes() == 0 || target.shape().size() != 1) {
            throw new IllegalArgumentException("one class index for a sample is needed, but the field is " + target);
        }
        labels = new int[data.size()];
        starts = new int[target.classes() + 1];
        for (int i = 0; i < labels.length; i++) {
            labels[i] = data.label(i);
            if (!Labels.valid(labels[i], target.classes())) {
                throw new IllegalArgumentException("label " + i + " is " + Labels.range(labels[i], target.classes()));
            }
            starts[labels[i] + 1]++;
        }
        for (int c = 1; c < starts.length; c++) {
            starts[c] += starts[c - 1];
        }
        members = new int[labels.length];
        int[] next = starts.clone();
        for (int i = 0; i < labels.length; i++) {
            members[next[labels[i]]++] = i;
        }
    }

    int classes() {
        return starts.length - 1;
    }

    int count(int label) {
        return starts[label + 1] - starts[label];
    }

    /** The n-th sample of a class. */
    int member(int label, int n) {
        return members[starts[label] + n];
    }

    int label(int sample) {
        return labels[sample];
    }

    /** The classes that have samples. */
    int[] present() {
        return IntStream.range(0, classes()).filter(c -> count(c) > 0).toArray();
    }

    /**
     * How many of {@code total} samples to take from each class so that its share stays as near as it can: ⌊share⌋, and
     * one more for the classes with the largest remainders (Hamilton's method).
     */
    int[] shares(int total) {
        int[] shares = new int[classes()];
        long[] remainders = new long[classes()];
        int left = total;
        for (int c = 0; c < shares.length; c++) {
            long share = (long) total * count(c);
            shares[c] = labels.length == 0 ? 0 : (int) (share / labels.length);
            remainders[c] = labels.length == 0 ? 0 : share % labels.length;
            left -= shares[c];
        }
        while (left-- > 0) {
            int largest = 0;
            for (int c = 1; c < shares.length; c++) {
                largest = remainders[c] > remainders[largest] ? c : largest;
            }
            shares[largest]++;
            remainders[largest] = -1;
        }
        return shares;
    }
}
