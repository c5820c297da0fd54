package dev.hadal.nn;

import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.op.CrossEntropy;

/** What training makes small: a scalar of a network's output and the truth. */
public interface Loss {

    /** The type of the truth for a batch of outputs. */
    Type labels(Type output);

    /** Appends the loss, a mean over the batch: []. */
    Value apply(Value output, Value labels);

    /** Softmax and cross-entropy of logits [N,C] and class indices i32 [N]. */
    static Loss crossEntropy() {
        return crossEntropy(0);
    }

    /** The same with smoothed labels. */
    static Loss crossEntropy(double smoothing) {
        return new Loss() {
            @Override
            public Type labels(Type output) {
                return Type.i32(output.shape().get(0));
            }

            @Override
            public Value apply(Value output, Value labels) {
                return new CrossEntropy((float) smoothing).of(output, labels);
            }
        };
    }
}
