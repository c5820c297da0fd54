package dev.hadal.op;

import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.List;

/** How an optimizer changes weights: what it remembers of each, and the nodes of one step. */
public interface UpdateRule {

    /** What the rule remembers of each weight, by name; zero at first. */
    List<String> moments();

    /**
     * Appends one step.
     *
     * @param w the weights: one tensor, or the flat block of many if the rule does not need {@link #wholeTensors}
     * @param g their gradient, of the same shape
     * @param moments as {@link #moments} names them, of the same shape
     * @param norm the global norm of the gradient; if it is not finite, the results must be the old values
     * @param hyper the {@link Hyper} block
     * @return the new w, then the new moments
     */
    List<Value> update(Value w, Value g, List<Value> moments, Value norm, Value hyper);

    /**
     * Fills in the run-time scalars that depend on how many updates there were.
     *
     * @param t the update's number, from 1 on
     */
    default void correct(long t, float[] hyper) {}

    /** Whether each step must see one tensor by itself, because its elements are not independent of each other. */
    default boolean wholeTensors() {
        return false;
    }

    /** Whether the rule is for weights of that shape. */
    default boolean trains(Shape w) {
        return true;
    }

    /** 1 / (1 − βᵗ), of the float that a kernel reads: the bias correction of a running average. */
    static float correction(float beta, long t) {
        return (float) (1 / (1 - Math.pow(beta, (double) t)));
    }
}
