package dev.hadal.nn;

import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.op.CrossEntropy;
import dev.hadal.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** What training makes small: a scalar of a network's output and the truth. */
public interface Loss {

    /** The type of the truth for a batch of outputs. */
    Type target(Type output);

    /**
     * Checks the truth of a batch before any kernel sees it.
     *
     * @param target of the type that {@link #target} gives, but for the batch's size
     * @throws IllegalArgumentException if a value is none that the loss is defined for
     */
    default void check(Type output, Tensor target) {}

    /** Appends the loss, a mean over the batch: []. */
    Value apply(Value output, Value target);

    /**
     * The same with each sample's terms multiplied by its weight.
     *
     * @param sampleWeights f32 [N], or null if all samples count alike
     * @throws IllegalArgumentException if there are weights, but this loss takes none
     */
    default Value apply(Value output, Value target, @Nullable Value sampleWeights) {
        if (sampleWeights != null) {
            throw new IllegalArgumentException("this loss takes no sample weights; a loss of your own does if it"
                    + " overrides apply(output, target, sampleWeights)");
        }
        return apply(output, target);
    }

    /** Softmax and cross-entropy of logits [N,C] and class indices i32 [N]. */
    static Loss crossEntropy() {
        return crossEntropy(0);
    }

    /** The same with smoothed labels. */
    static Loss crossEntropy(double smoothing) {
        return new Loss() {
            @Override
            public Type target(Type output) {
                return Type.i32(output.shape().get(0));
            }

            @Override
            public void check(Type output, Tensor target) {
                int classes = output.shape().get(1);
                int[] labels = target.ints();
                for (int i = 0; i < labels.length; i++) {
                    if (labels[i] < 0 || labels[i] >= classes) {
                        throw new IllegalArgumentException(
                                "label " + labels[i] + " of sample " + i + " is outside 0 … " + (classes - 1));
                    }
                }
            }

            @Override
            public Value apply(Value output, Value target) {
                return new CrossEntropy((float) smoothing).of(output, target);
            }
        };
    }
}
