package dev.hadal.train;

import dev.hadal.data.Augmentation;
import dev.hadal.data.Dataset;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** How long to train, and what to do meanwhile: {@code Fit.epochs(6).augment(flip()).validateOn(test)}. */
public record Fit(
        int epochs, Augmentation augmentation, @Nullable Dataset validation, List<Listener> listeners) {

    public Fit {
        listeners = List.copyOf(listeners);
        if (epochs < 1) {
            throw new IllegalArgumentException("training takes at least one epoch, not " + epochs);
        }
    }

    /** That many passes over the data, each in another order. */
    public static Fit epochs(int count) {
        return new Fit(count, Augmentation.none(), null, List.of());
    }

    /** Changes every training sample at random, every time it is seen. */
    public Fit augment(Augmentation change) {
        return new Fit(epochs, change, validation, listeners);
    }

    /** Measures the accuracy on these data after each epoch. */
    public Fit validateOn(Dataset data) {
        return new Fit(epochs, augmentation, data, listeners);
    }

    public Fit listener(Listener listener) {
        List<Listener> all = new ArrayList<>(listeners);
        all.add(listener);
        return new Fit(epochs, augmentation, validation, all);
    }
}
