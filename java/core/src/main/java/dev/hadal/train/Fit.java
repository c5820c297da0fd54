package dev.hadal.train;

import dev.hadal.data.Augmentation;
import dev.hadal.data.Batching;
import dev.hadal.data.Dataset;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * How long to train, and what to do meanwhile: {@code Fit.epochs(6).augment(flip()).validateOn(test)}.
 *
 * @param batching how the training data are cut into batches, from what is usual
 * @param metrics what to measure beside the loss; if none is named, the accuracy where targets are class indices
 * @param stopping asked after each step and each batch of validation data: whether to end here
 */
public record Fit(
        int epochs,
        UnaryOperator<Batching> batching,
        @Nullable Dataset validation,
        List<Metric> metrics,
        @Nullable EarlyStopping earlyStopping,
        @Nullable Checkpoints checkpoints,
        BooleanSupplier stopping,
        List<Listener> listeners) {

    public Fit {
        metrics = List.copyOf(metrics);
        listeners = List.copyOf(listeners);
        if (epochs < 1) {
            throw new IllegalArgumentException("training takes at least one epoch, not " + epochs);
        }
        if (metrics.stream().map(Metric::name).distinct().count() < metrics.size()) {
            throw new IllegalArgumentException("two metrics have the same name: " + metrics);
        }
    }

    /** That many passes over the data, each in another order. */
    public static Fit epochs(int count) {
        return new Fit(count, batching -> batching, null, List.of(), null, null, () -> false, List.of());
    }

    /** Changes every training sample at random, every time it is seen. */
    public Fit augment(Augmentation change) {
        return batching(batching -> batching.augmentation(change));
    }

    /**
     * Changes how the training data are cut into batches, which by default are shuffled and of the trainer's size: {@code
     * batching(b -> b.balanced(true).threads(2))}.
     */
    public Fit batching(UnaryOperator<Batching> change) {
        UnaryOperator<Batching> both = usual -> change.apply(batching.apply(usual));
        return new Fit(epochs, both, validation, metrics, earlyStopping, checkpoints, stopping, listeners);
    }

    /** Measures the loss and the metrics on these data after each epoch. */
    public Fit validateOn(Dataset data) {
        return new Fit(epochs, batching, data, metrics, earlyStopping, checkpoints, stopping, listeners);
    }

    /** Measures these, on training and validation data; names must differ. */
    public Fit metrics(Metric... measured) {
        return new Fit(
                epochs, batching, validation, List.of(measured), earlyStopping, checkpoints, stopping, listeners);
    }

    /** Ends training when a number no longer improves. */
    public Fit earlyStopping(EarlyStopping rule) {
        return new Fit(epochs, batching, validation, metrics, rule, checkpoints, stopping, listeners);
    }

    /** Saves the run while it trains, and resumes it if so wanted. */
    public Fit checkpoints(Checkpoints saved) {
        return new Fit(epochs, batching, validation, metrics, earlyStopping, saved, stopping, listeners);
    }

    /**
     * Ends training after the step that runs once the condition holds. Another thread can cancel so, by an {@code
     * AtomicBoolean cancelled} and {@code stopWhen(cancelled::get)}; or a clock.
     */
    public Fit stopWhen(BooleanSupplier condition) {
        BooleanSupplier either = () -> stopping.getAsBoolean() || condition.getAsBoolean();
        return new Fit(epochs, batching, validation, metrics, earlyStopping, checkpoints, either, listeners);
    }

    /** Tells one more listener; they are told in the order in which they came. */
    public Fit listener(Listener listener) {
        List<Listener> all = new ArrayList<>(listeners);
        all.add(listener);
        return new Fit(epochs, batching, validation, metrics, earlyStopping, checkpoints, stopping, all);
    }
}
