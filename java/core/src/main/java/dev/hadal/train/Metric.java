package dev.hadal.train;

import dev.hadal.model.Model;
import dev.hadal.tensor.Tensor;
import java.util.function.Supplier;

/**
 * A number that says how well a network does on some data; {@link Metrics} has the usual ones. It is not averaged over
 * batches: an {@link Accumulator} takes in every batch and then gives the number for all of them together.
 */
public interface Metric {

    /** What the number is called in an {@link Epoch}; of validation data, behind {@value Epoch#VALIDATION}. */
    String name();

    /** The network's output that it looks at; its target is what the loss compares that output with. */
    default String output() {
        return Model.OUTPUT;
    }

    /** The same of another output, named {@code output/name}. */
    default Metric on(String output) {
        Metric metric = this;
        return new Metric() {
            @Override
            public String name() {
                return output + "/" + metric.name();
            }

            @Override
            public String output() {
                return output;
            }

            @Override
            public boolean higherIsBetter() {
                return metric.higherIsBetter();
            }

            @Override
            public Accumulator start() {
                return metric.start();
            }
        };
    }

    /** Whether more is better, for those who wait for it to improve. */
    default boolean higherIsBetter() {
        return true;
    }

    /** A fresh one for each pass over the data. */
    Accumulator start();

    /** What one pass over the data has shown so far. */
    interface Accumulator {

        /**
         * Takes in a batch. The tensors are only valid during the call: their memory is used again for the next batch.
         *
         * @param output what the network gives, [N,…]
         * @param target what it should give, [N,…]
         */
        void add(Tensor output, Tensor target);

        /** The number for all batches so far; NaN where there is none. */
        double value();
    }

    /** A metric of that name. */
    static Metric of(String name, boolean higherIsBetter, Supplier<? extends Accumulator> start) {
        return new Metric() {
            @Override
            public String name() {
                return name;
            }

            @Override
            public boolean higherIsBetter() {
                return higherIsBetter;
            }

            @Override
            public Accumulator start() {
                return start.get();
            }

            @Override
            public String toString() {
                return name;
            }
        };
    }
}
