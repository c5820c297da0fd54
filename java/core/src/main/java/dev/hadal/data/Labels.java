package dev.hadal.data;

/** What makes a label valid. */
final class Labels {
    private Labels() {}

    static int[] checked(int[] labels, int classes) {
        if (classes < 1) {
            throw new IllegalArgumentException("at least one class is needed, got " + classes);
        }
        for (int i = 0; i < labels.length; i++) {
            if (!valid(labels[i], classes)) {
                throw new IllegalArgumentException("label " + i + " is " + range(labels[i], classes));
            }
        }
        return labels;
    }

    static boolean valid(int label, int classes) {
        return 0 <= label && label < classes;
    }

    /** "12, outside 0…9": the end of a message. */
    static String range(int label, int classes) {
        return label + ", outside 0…" + (classes - 1);
    }
}
