package dev.hadal.data;

import dev.hadal.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;

/** What makes labels valid, and what makes tensors samples of one batch. */
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

    /** How many samples the tensors hold, each along its first axis. */
    static int samples(Map<String, Tensor> tensors) {
        String first = null;
        int samples = 0;
        for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
            Tensor tensor = entry.getValue();
            if (tensor.shape().rank() == 0) {
                throw new IllegalArgumentException(entry.getKey() + ": [N,…] is needed, got a scalar");
            }
            int here = tensor.shape().get(0);
            if (first != null && here != samples) {
                throw new IllegalArgumentException(
                        first + " has " + samples + " samples, but " + entry.getKey() + " has " + here);
            }
            first = first == null ? entry.getKey() : first;
            samples = here;
        }
        if (first == null) {
            throw new IllegalArgumentException("at least one field is needed, got none");
        }
        return samples;
    }

    static Map<String, Tensor> inOrder(String name1, Tensor tensor1, String name2, Tensor tensor2) {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put(name1, tensor1);
        tensors.put(name2, tensor2);
        return tensors;
    }
}
