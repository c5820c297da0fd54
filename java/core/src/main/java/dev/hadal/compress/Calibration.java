package dev.hadal.compress;

import dev.hadal.backend.Backends;
import dev.hadal.data.Dataset;
import dev.hadal.graph.Node;
import dev.hadal.graph.Value;
import dev.hadal.model.Model;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/** What the values of a network are like on the samples of a data set. */
final class Calibration {
    private final Map<Value, Observation> observations = new LinkedHashMap<>();

    /** Told how far calibration has come. */
    public interface Listener {
        /** Tells nobody. */
        Listener NONE = (done, all) -> {};

        void samples(int done, int all);
    }

    private Calibration() {}

    /**
     * Runs over the data once, and a second time if it is to be known how values are spread between their extremes.
     *
     * @param values f32 values of the model's graph, which have a batch axis
     * @throws IllegalArgumentException if a value is NaN or infinite; the message names it
     */
    static Calibration run(
            Model model,
            Collection<Value> values,
            Dataset data,
            boolean spread,
            Backends backends,
            Listener listener) {
        Calibration calibration = new Calibration();
        values.forEach(v -> calibration.observations.put(v, new Observation()));
        Watch watch = new Watch(model, values);
        int rounds = spread ? 2 : 1;
        watch.run(
                data,
                backends,
                (done, all) -> listener.samples(done, rounds * all),
                (value, seen) -> calibration.of(value).add(name(value), seen.floats(), seen.shape()));
        if (spread) {
            watch.run(
                    data,
                    backends,
                    (done, all) -> listener.samples(all + done, rounds * all),
                    (value, seen) -> calibration.of(value).count(seen.floats()));
        }
        return calibration;
    }

    private static String name(Value value) {
        Node node = value.node();
        return (node.path().isEmpty() ? "" : "layer " + node.path() + ": ") + node.op();
    }

    Observation of(Value value) {
        return Objects.requireNonNull(observations.get(value), () -> value + " was not observed");
    }
}
