package dev.hadal.nn;

import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.op.CrossEntropy;
import org.jspecify.annotations.Nullable;

/** What training makes small: a scalar of a network's output and the truth. */
public interface Loss {

    /** The type of the truth for a batch of outputs. */
    Type target(Type output);

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
            public Value apply(Value output, Value target) {
                return new CrossEntropy((float) smoothing).of(output, target);
            }
        };
    }
}
