package dev.hadal.compress;

import dev.hadal.backend.Backends;
import dev.hadal.compress.Compressed.Candidate;
import dev.hadal.compress.Compressed.Layer;
import dev.hadal.data.Dataset;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Node;
import dev.hadal.graph.Value;
import dev.hadal.model.Model;
import dev.hadal.nn.Loss;
import dev.hadal.optim.Clip;
import dev.hadal.optim.Optimizer;
import dev.hadal.optim.Schedule;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.Tensor;
import dev.hadal.train.Fit;
import dev.hadal.train.Metric;
import dev.hadal.train.Metrics;
import dev.hadal.train.Trainer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Makes a trained network smaller and faster, within a budget of the quality that may be lost:
 *
 * <pre>{@code
 *   Compressed small = Compression.within(0.005).compress(model, train, validation);
 *   small.model().save(file);
 * }</pre>
 *
 * <p>First it measures what each layer suffers when half of its channels, or its precision, is taken from it alone. Then it
 * takes channels out while training on, the most that was asked for first, spares the layers that suffer most, and computes
 * in int8; where that costs too much, it trains on the int8 grids, then keeps the layers that suffer most in f32. If the
 * budget is exceeded, it tries again with fewer channels taken out, and without any at last. Of all that keep within the
 * budget it chooses the one whose latency times size is least. The validation data decide: the network must not have been
 * trained on them, and a final test wants others.
 *
 * @param budget how much of the metric may be lost: 0.005 is half a point of accuracy
 * @param metric by which quality is measured
 * @param loss of the training in between
 * @param shares of channels to take out, one try after another
 * @param fit how to train after channels have been taken out, without checkpoints
 * @param rate the highest learning rate of that training
 * @param log told what is being done
 */
public record Compression(
        double budget,
        Metric metric,
        Loss loss,
        List<Double> shares,
        Fit fit,
        double rate,
        Backends backends,
        long seed,
        Consumer<String> log) {
    private static final int BATCH = 64;
    private static final int CALIBRATION = 512;
    private static final int PROBE = 1000;
    /** Channels that fast kernels like to have a multiple of. */
    private static final int MULTIPLE = 4;
    /** A layer that suffers so many times as much as the middle one, when half its channels go, keeps all in later tries. */
    private static final double SPARED = 4;

    /** Of the rate, for the training on the int8 grids: batch norms are folded there. */
    private static final double INT8_RATE = 0.1;

    public Compression {
        shares = List.copyOf(shares);
        if (!(budget >= 0) || budget > 1e9) {
            throw new IllegalArgumentException(
                    "a budget is how much of the metric may be lost, such as 0.005, not " + budget);
        }
        if (fit.checkpoints() != null) {
            throw new IllegalArgumentException("a compression trains several networks, one after another, which cannot"
                    + " share checkpoints; leave them out of its Fit");
        }
        for (double share : shares) {
            if (!(share > 0 && share < 1)) {
                throw new IllegalArgumentException(
                        "shares of channels to take out lie between 0 and 1, but one is " + share);
            }
        }
    }

    /**
     * Half, then a third, of the channels; four epochs of training after each; the accuracy counts, and the cross-entropy is
     * trained on.
     */
    public static Compression within(double budget) {
        return new Compression(
                budget,
                Metrics.accuracy(),
                Loss.crossEntropy(),
                List.of(0.5, 1 / 3.0),
                Fit.epochs(4),
                2e-3,
                Backends.automatic(),
                1,
                text -> {});
    }

    /** Measures quality by another metric; the budget is in its unit. */
    public Compression metric(Metric other) {
        return new Compression(budget, other, loss, shares, fit, rate, backends, seed, log);
    }

    /** Trains on another loss. */
    public Compression loss(Loss other) {
        return new Compression(budget, metric, other, shares, fit, rate, backends, seed, log);
    }

    /** Takes these shares of the channels out, one try after another; none to keep them all. */
    public Compression channels(double... others) {
        List<Double> all = new ArrayList<>();
        for (double share : others) {
            all.add(share);
        }
        return new Compression(budget, metric, loss, all, fit, rate, backends, seed, log);
    }

    /** How to train after channels have been taken out: epochs, augmentation, listeners. */
    public Compression fit(Fit other) {
        return new Compression(budget, metric, loss, shares, other, rate, backends, seed, log);
    }

    /** The highest learning rate of that training, of AdamW on a cosine. */
    public Compression rate(double other) {
        return new Compression(budget, metric, loss, shares, fit, other, backends, seed, log);
    }

    public Compression backends(Backends other) {
        return new Compression(budget, metric, loss, shares, fit, rate, other, seed, log);
    }

    public Compression seed(long other) {
        return new Compression(budget, metric, loss, shares, fit, rate, backends, other, log);
    }

    /** Tells what is being done, a line at a time. */
    public Compression log(Consumer<String> other) {
        return new Compression(budget, metric, loss, shares, fit, rate, backends, seed, other);
    }

    /**
     * Compresses a network of one input and one output.
     *
     * @param train to train and calibrate with: fields {@code x} and {@code target}
     * @param validation to measure with; these data decide
     * @throws IllegalArgumentException if a data set is empty or is not what the network takes
     */
    public Compressed compress(Model model, Dataset train, Dataset validation) {
        if (train.size() < 1 || validation.size() < 1) {
            throw new IllegalArgumentException(
                    "compressing takes data to train with and others to measure with, but got " + train.size() + " and "
                            + validation.size() + " samples");
        }
        return new Search(model, train, validation).run();
    }

    /** One compression. */
    private final class Search {
        private final Model original;
        private final Dataset train;
        private final Dataset validation;
        private final Dataset calibration;
        private final Dataset probe;
        private final List<Candidate> tried = new ArrayList<>();
        private final List<Model> models = new ArrayList<>();
        private final Map<String, Double> pruningLosses = new LinkedHashMap<>();
        private final Map<String, Double> int8Losses = new LinkedHashMap<>();

        Search(Model original, Dataset train, Dataset validation) {
            this.original = original;
            this.train = train;
            this.validation = validation;
            calibration = train.take(Math.min(CALIBRATION, train.size()));
            probe = train.take(Math.min(PROBE, train.size()));
        }

        Compressed run() {
            measured("as it was", original);
            scan();
            boolean enough = false;
            for (int i = 0; i < shares.size() && !enough && !pruningLosses.isEmpty(); i++) {
                enough = pruned(shares.get(i), i > 0);
            }
            if (!enough) {
                int8("", original);
            }
            int chosen = chosen();
            return new Compressed(models.get(chosen), metric.name(), budget, tried, chosen, layers(models.get(chosen)));
        }

        /** The one that is within the budget and whose latency times size is least. */
        private int chosen() {
            int best = 0;
            for (int i = 1; i < tried.size(); i++) {
                best = tried.get(i).within() && price(i) < price(best) ? i : best;
            }
            return best;
        }

        private double price(int candidate) {
            Cost cost = tried.get(candidate).cost();
            return cost.p50() * cost.fileBytes();
        }

        private boolean measured(String what, Model model) {
            log.accept("measuring: " + what);
            Cost cost = Cost.of(model, validation, metric, backends);
            boolean within = tried.isEmpty() || lost(tried.get(0).cost().quality(), cost.quality()) <= budget;
            tried.add(new Candidate(what, cost, within));
            models.add(model);
            return within;
        }

        private double lost(double before, double after) {
            return metric.higherIsBetter() ? before - after : after - before;
        }

        // ---- what each layer suffers ----

        private void scan() {
            double whole = quality(original);
            ChannelGroups groups = ChannelGroups.of(original);
            for (ChannelGroups.Group group : groups.list()) {
                ChannelPruning half = ChannelPruning.of(0.5).exclude("**");
                for (ChannelGroups.Axis axis : group.weights()) {
                    half = half.include(axis.name());
                }
                double loss = lost(whole, quality(original.apply(half)));
                group.weights().stream()
                        .filter(axis -> axis.role() == Role.WEIGHT && axis.axis() == 0)
                        .forEach(axis -> pruningLosses.merge(axis.name(), loss, Math::max));
                log.accept(text("half of %s alone: %+.4f", group.weights().get(0), -loss));
            }
            Calibration ranges = calibrated(original);
            for (String layer : ranges.layers()) {
                Int8 alone = Int8.settings();
                for (String other : ranges.layers()) {
                    alone = other.equals(layer) ? alone : alone.keep(other);
                }
                double loss = lost(whole, quality(ranges.quantize(alone).model()));
                int8Losses.put(layer, loss);
                log.accept(text("%s alone in int8: %+.4f", layer, -loss));
            }
        }

        private double quality(Model model) {
            try (Predictor predictor = Predictor.of(model, backends)) {
                return Metrics.measure(predictor, probe, metric.start()).value();
            }
        }

        // ---- fewer channels ----

        /** Whether a model of fewer channels, in int8, keeps within the budget. */
        private boolean pruned(double share, boolean sparing) {
            ChannelPruning pruning = ChannelPruning.of(share).multipleOf(MULTIPLE);
            if (sparing) {
                for (Map.Entry<String, Double> weight : pruningLosses.entrySet()) {
                    pruning = weight.getValue() > SPARED * median() ? pruning.exclude(weight.getKey()) : pruning;
                }
            }
            String what = text("%.0f %% of the channels out%s", 100 * share, sparing ? ", some layers spared" : "");
            log.accept("training: " + what);
            Model smaller = pruning.apply(trained(original, rate, fit.listener(pruning.cubic())));
            measured(what, smaller);
            return int8(what + ", ", smaller);
        }

        private double median() {
            List<Double> sorted = pruningLosses.values().stream().sorted().toList();
            return Math.max(budget, sorted.get(sorted.size() / 2));
        }

        private Model trained(Model model, double highest, Fit how) {
            try (Trainer trainer = Trainer.of(model)
                    .loss(loss)
                    .optimizer(Optimizer.adamw()
                            .rate(Schedule.cosine(highest).warmup(50))
                            .weightDecay(0.01))
                    .clip(Clip.globalNorm(1))
                    .batch(Math.min(BATCH, train.size()))
                    .seed(seed)
                    .backends(backends)
                    .build()) {
                trainer.fit(train, how);
                return trainer.model();
            }
        }

        // ---- int8 ----

        private Calibration calibrated(Model model) {
            return Calibration.of(model, calibration, false, backends, Calibration.Listener.NONE);
        }

        /** In int8; if that costs too much, after training on the grids; if that does, too, with layers kept in f32. */
        private boolean int8(String before, Model model) {
            Calibration ranges = calibrated(model);
            if (ranges.layers().isEmpty()) {
                return false;
            }
            if (measured(before + "int8", ranges.quantize(Int8.settings()).model())) {
                return true;
            }
            log.accept("training on the int8 grids");
            Model onGrids = trained(ranges.fakeQuantized(Int8.settings()), INT8_RATE * rate, once());
            if (measured(before + "int8 after training on its grids", onGrids.apply(new ToInt8()))) {
                return true;
            }
            List<String> worst = ranges.layers().stream()
                    .sorted(Comparator.comparingDouble(layer -> -int8Losses.getOrDefault(layer, 0.0)))
                    .toList();
            Int8 sparing = Int8.settings();
            for (int kept = 0; kept < Math.max(1, worst.size() / 4); kept++) {
                sparing = sparing.keep(worst.get(kept));
            }
            String what = before + "int8 but for " + Math.max(1, worst.size() / 4) + " layers";
            return measured(what, ranges.quantize(sparing).model());
        }

        private Fit once() {
            return new Fit(1, fit.batching(), null, List.of(), null, null, fit.stopping(), fit.listeners());
        }

        // ---- layers ----

        private List<Layer> layers(Model compressed) {
            Map<String, Long> before = bytes(original);
            Map<String, Long> after = bytes(compressed);
            List<Layer> layers = new ArrayList<>();
            for (ProductWeight weight : ProductWeight.of(original.graph())) {
                String path = path(original, weight.name());
                Tensor now = compressed.values().get(weight.name());
                layers.add(new Layer(
                        path,
                        weight.shape().toString(),
                        now == null ? "-" : now.shape().toString(),
                        now == null ? "-" : now.dtype().name().toLowerCase(Locale.ROOT),
                        before.getOrDefault(path, 0L),
                        after.getOrDefault(path, 0L),
                        pruningLosses.getOrDefault(weight.name(), Double.NaN),
                        int8Losses.getOrDefault(path, Double.NaN)));
            }
            return layers;
        }

        /** The layer that reads a weight. */
        private static String path(Model model, String weight) {
            Graph graph = model.graph();
            return graph.nodes().stream()
                    .filter(n -> n.inputs().contains(graph.leaf(weight)))
                    .map(Node::path)
                    .findFirst()
                    .orElse("");
        }

        private static Map<String, Long> bytes(Model model) {
            Map<String, Long> bytes = new LinkedHashMap<>();
            for (Node node : model.graph().nodes()) {
                for (Value v : node.inputs()) {
                    if (v.node().op() instanceof Leaf leaf && leaf.role() == Role.WEIGHT) {
                        bytes.merge(node.path(), leaf.type().bytes(), Long::sum);
                    }
                }
            }
            return bytes;
        }
    }

    private static String text(String format, Object... arguments) {
        return String.format(Locale.ROOT, format, arguments);
    }
}
