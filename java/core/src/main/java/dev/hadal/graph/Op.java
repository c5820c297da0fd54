package dev.hadal.graph;

import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What is computed, never how: a record of attributes that knows its type rule, its gradient and its name. An op
 * knows no backend and no pass.
 */
public interface Op {
    /** The stable name, by which files, messages and kernels know the op; such as {@code batch_norm}. */
    String name();

    /**
     * The types of the results.
     *
     * @throws TypeException if the operands do not fit
     */
    List<Type> infer(List<Type> inputs);

    /**
     * Appends the nodes that compute the gradient.
     *
     * @param node this op's place in the graph
     * @param dy the gradient of each result, null where nothing depends on it
     * @return the gradient of each operand, null where there is none
     */
    default List<@Nullable Value> gradient(Node node, List<@Nullable Value> dy) {
        throw new IllegalStateException(
                node + " lies between the loss and what is to be trained, but " + name() + " has no gradient");
    }

    /**
     * Appends this op to the graph of its operands.
     *
     * @throws IllegalArgumentException if one is null, or they do not fit
     */
    default List<Value> call(Value... inputs) {
        for (Value v : inputs) {
            if (v != null) {
                return v.graph().append(this, Arrays.asList(inputs));
            }
        }
        throw new IllegalArgumentException(name() + " needs an operand, whose graph it can be part of");
    }

    /** Appends this op, and returns its first result. */
    default Value of(Value... inputs) {
        return call(inputs).get(0);
    }
}
