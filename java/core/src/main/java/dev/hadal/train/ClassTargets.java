package dev.hadal.train;

import dev.hadal.op.CrossEntropy;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Tensor;
import java.util.stream.IntStream;

/**
 * A batch of answers to "which class?". The outputs are logits or probabilities [N,…,C], with a class index for each row
 * of C, or a distribution over the classes, of which the likeliest counts; or one logit for each target, which says that
 * class 1 is likelier than class 0.
 */
final class ClassTargets {
    private final float[] outputs;
    private final Tensor target;
    private final int rows;
    private final int columns;
    private final boolean distributions;

    ClassTargets(Tensor output, Tensor target) {
        outputs = output.floats();
        this.target = target;
        int rank = output.shape().rank();
        int last = rank < 2 ? 1 : output.shape().get(rank - 1);
        distributions =
                target.dtype() == DType.F32 && last > 1 && target.shape().equals(output.shape());
        rows = distributions ? outputs.length / last : target.shape().size();
        columns = rows == 0 ? 1 : outputs.length / rows;
        if (rows == 0 ? outputs.length > 0 : outputs.length == 0 || outputs.length != (long) rows * columns) {
            throw new IllegalArgumentException("this metric takes outputs F32[N,…,C] with a target of class indices for"
                    + " each row, or one output for each target, not " + output + " with targets " + target);
        }
    }

    /** The rows that count: those whose target is not {@link CrossEntropy#IGNORE}, as in the loss. */
    int[] rows() {
        return IntStream.range(0, rows)
                .filter(i -> target.dtype() != DType.I32 || target.ints()[i] != CrossEntropy.IGNORE)
                .toArray();
    }

    /** C, or 2 where there is one output for two classes. */
    int classes() {
        return columns == 1 ? 2 : columns;
    }

    /** The target of a row. */
    int label(int row) {
        if (distributions) {
            return largest(target.floats(), row);
        }
        float label = target.dtype() == DType.I32 ? target.ints()[row] : target.floats()[row];
        if (label != (int) label || label < 0 || label >= classes()) {
            throw new IllegalArgumentException(
                    "target " + label + " of row " + row + " is no class index: 0 … " + (classes() - 1) + " are");
        }
        return (int) label;
    }

    /** The class with the largest output of a row, the first of several; NaN is never the largest. */
    int predicted(int row) {
        if (columns == 1) {
            return outputs[row] > 0 ? 1 : 0;
        }
        return largest(outputs, row);
    }

    private int largest(float[] values, int row) {
        int from = row * columns;
        int best = 0;
        for (int c = 1; c < columns; c++) {
            float largest = values[from + best];
            best = values[from + c] > largest || Float.isNaN(largest) ? c : best;
        }
        return best;
    }

    /** How much speaks for a class: its output. With one output for two classes, that output or its negative. */
    float score(int row, int label) {
        return columns > 1 ? outputs[row * columns + label] : label == 1 ? outputs[row] : -outputs[row];
    }

    /** How many classes come before that one: with larger outputs, or equal ones and a smaller index. NaN comes last. */
    int rank(int row, int label) {
        if (columns == 1) {
            return predicted(row) == label ? 0 : 1;
        }
        float own = score(row, label);
        int before = 0;
        for (int c = 0; c < columns; c++) {
            float other = score(row, c);
            before += other > own || (c < label && other == own) || (Float.isNaN(own) && c != label) ? 1 : 0;
        }
        return before;
    }

    /** The logarithms of the classes' probabilities, from the row's logits. */
    void logSoftmax(int row, double[] into) {
        double max = Double.NEGATIVE_INFINITY;
        for (int c = 0; c < into.length; c++) {
            into[c] = columns > 1 ? outputs[row * columns + c] : c * (double) outputs[row];
            max = Math.max(max, into[c]);
        }
        double sum = 0;
        for (double logit : into) {
            sum += Math.exp(logit - max);
        }
        for (int c = 0; c < into.length; c++) {
            into[c] = into[c] - max - Math.log(sum);
        }
    }

    /** −Σ target·logarithm, or minus the target's logarithm, of a row with these. */
    double crossEntropy(int row, double[] logs) {
        if (!distributions) {
            return -logs[label(row)];
        }
        double sum = 0;
        for (int c = 0; c < columns; c++) {
            sum -= target.floats()[row * columns + c] * logs[c];
        }
        return sum;
    }
}
