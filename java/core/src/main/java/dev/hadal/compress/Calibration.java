package dev.hadal.compress;

import dev.hadal.backend.Backends;
import dev.hadal.data.Dataset;
import dev.hadal.graph.Node;
import dev.hadal.graph.Value;
import dev.hadal.model.DropIdentities;
import dev.hadal.model.DropUnused;
import dev.hadal.model.FoldBatchNorm;
import dev.hadal.model.FoldConstants;
import dev.hadal.model.Fuse;
import dev.hadal.model.Model;
import dev.hadal.optim.Selection;
import dev.hadal.run.Kernels;
import dev.hadal.tensor.DType;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * A trained network made ready to be quantized, and what its values are like on some samples of its data: a few hundred do.
 * Its batch norms are folded. One calibration serves any number of {@link Int8} settings.
 *
 * <pre>{@code
 *   Calibration calibration = Calibration.of(model, train.take(512));
 *   Model small = calibration.quantize(Int8.settings()).model();
 * }</pre>
 */
public final class Calibration {
    private final Model model;
    private final Backends backends;
    private final Map<Value, Observation> observations;

    /** Told how far calibration has come. */
    public interface Listener {
        /** Tells nobody. */
        Listener NONE = (done, all) -> {};

        /** So many samples of all have been looked at; each is looked at twice. */
        void samples(int done, int all);
    }

    private Calibration(Model model, Backends backends, Map<Value, Observation> observations) {
        this.model = model;
        this.backends = backends;
        this.observations = observations;
    }

    /** On the best backend here. */
    public static Calibration of(Model model, Dataset data) {
        return of(model, data, false, Backends.automatic(), Listener.NONE);
    }

    /**
     * Runs the network over the data.
     *
     * @param equalized whether the ranges of neighbouring layers are evened out first: see {@link Equalization}
     * @throws IllegalArgumentException if there are no samples, they are not what the network takes, or a value is NaN or
     *     infinite for one of them; the message names the layer
     */
    public static Calibration of(Model model, Dataset data, boolean equalized, Backends backends, Listener listener) {
        Model folded = folded(model);
        Model ready = equalized ? folded.apply(new Equalization()) : folded;
        requireFinite(ready);
        return new Calibration(
                ready, backends, observe(ready, Region.candidates(ready.graph()), data, backends, listener));
    }

    /** Without what matters in training alone, batch norms within the products before them. */
    private static Model folded(Model model) {
        return model.apply(new DropUnused())
                .apply(new DropIdentities())
                .apply(new FoldConstants(Kernels::compute))
                .apply(new FoldBatchNorm());
    }

    private static void requireFinite(Model model) {
        model.values().forEach((name, tensor) -> {
            if (tensor.dtype() == DType.F32) {
                for (float v : tensor.floats()) {
                    if (!Float.isFinite(v)) {
                        throw new IllegalArgumentException(
                                "'" + name + "' holds " + v + "; a network with such weights cannot be quantized");
                    }
                }
            }
        });
    }

    /** Two rounds: how far values reach, and then how they are spread in between. */
    static Map<Value, Observation> observe(
            Model model, Collection<Value> values, Dataset data, Backends backends, Listener listener) {
        Map<Value, Observation> observations = new LinkedHashMap<>();
        values.forEach(v -> observations.put(v, new Observation()));
        Watch watch = new Watch(model, values);
        watch.run(data, backends, (done, all) -> listener.samples(done, 2 * all), (value, seen) -> {
            Objects.requireNonNull(observations.get(value)).add(name(value), seen.floats(), seen.shape());
        });
        watch.run(data, backends, (done, all) -> listener.samples(all + done, 2 * all), (value, seen) -> {
            Objects.requireNonNull(observations.get(value)).count(seen.floats());
        });
        return observations;
    }

    private static String name(Value value) {
        Node node = value.node();
        return (node.path().isEmpty() ? "" : "layer " + node.path() + ": ") + node.op();
    }

    /** The network that is quantized, in f32. */
    public Model model() {
        return model;
    }

    /** The paths of the layers whose products can be quantized, in order: what {@link Int8#keep} may name. */
    public List<String> layers() {
        return new Region(model.graph(), Selection.ALL)
                .units().stream()
                        .filter(u -> Fuse.isProduct(u.root().op()))
                        .map(u -> u.root().path())
                        .distinct()
                        .toList();
    }

    Observation observation(Value value) {
        return Objects.requireNonNull(observations.get(value), () -> value + " was not observed");
    }

    /** The network in 8 bits. */
    public QuantizedModel quantize(Int8 settings) {
        FakeQuantized fake = FakeQuantized.of(this, settings);
        return new QuantizedModel(this, fake, fake.model().apply(new ToInt8()));
    }

    /**
     * The network in f32 with its values on the grids of 8 bits, to be trained on: {@code Trainer.of(model)}. {@link ToInt8}
     * makes of what it has become the network in 8 bits. As batch norms are folded, a small learning rate is enough.
     */
    public Model fakeQuantized(Int8 settings) {
        return FakeQuantized.of(this, settings).model();
    }

    Backends backends() {
        return backends;
    }
}
