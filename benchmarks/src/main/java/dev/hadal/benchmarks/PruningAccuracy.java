package dev.hadal.benchmarks;

import dev.hadal.compress.ChannelPruning;
import dev.hadal.compress.Pruning;
import dev.hadal.train.Listener;
import dev.hadal.compress.Sparsity;
import dev.hadal.model.Model;
import dev.hadal.train.Trainer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What pruning costs in accuracy: ResNet-20 on Fashion-MNIST, trained from several seeds, then pruned in several ways with
 * so many extra epochs, beside the dense network after the same extra epochs. Accuracies are of all 10,000 test images;
 * agreement with the dense network is McNemar's, over all seeds. Results are kept, so that a run that is stopped goes on.
 *
 * <pre>{@code
 * mvn -q package -DskipTests && java -cp benchmarks/target/benchmarks.jar dev.hadal.benchmarks.PruningAccuracy
 * }</pre>
 */
public final class PruningAccuracy {
    private static final int WIDTH = Integer.getInteger("width", 16);
    private static final int EPOCHS = Integer.getInteger("epochs", 12);
    private static final int EXTRA = Integer.getInteger("extra", 8);
    private static final int SEEDS = Integer.getInteger("seeds", 3);
    private static final double RATE = Double.parseDouble(System.getProperty("rate", "3e-3"));
    private static final String DENSE = "dense, as trained";
    private static final String DENSE_MORE = "dense, extra epochs";

    private final TrainedResNet networks;

    private PruningAccuracy(TrainedResNet networks) {
        this.networks = networks;
    }

    /** A way to go on from the trained network. */
    private interface Way {
        Model from(PruningAccuracy all, Model trained, long seed);
    }

    private static Map<String, Way> ways() {
        Map<String, Way> ways = new LinkedHashMap<>();
        ways.put(DENSE, (all, trained, seed) -> trained);
        ways.put(DENSE_MORE, (all, trained, seed) -> all.more(trained, seed, null));
        Pruning most = Pruning.magnitude(0.9);
        ways.put("90 %, at once, no extra epochs", (all, trained, seed) -> trained.apply(most));
        ways.put("90 %, at once", (all, trained, seed) -> all.more(trained, seed, most));
        ways.put("90 %, gradually", (all, trained, seed) -> all.more(trained, seed, most.cubic()));
        ways.put("half ramp 90", (all, trained, seed) -> all.more(trained, seed, most.cubic(0, 157 * EXTRA / 2)));
        ways.put("third ramp 90", (all, trained, seed) -> all.more(trained, seed, most.cubic(0, 157 * EXTRA / 3)));
        ways.put("half of the channels gradually", (all, trained, seed) -> all.channels(trained, seed, ChannelPruning.of(0.5).cubic(0, 157 * EXTRA / 3)));
        ways.put("half of the channels at once", (all, trained, seed) -> all.channels(trained, seed, ChannelPruning.of(0.5)));
        ways.put("90 % of each layer, gradually", (all, trained, seed) ->
                all.more(trained, seed, most.perLayer().cubic()));
        ways.put("2:4, at once", (all, trained, seed) -> all.more(trained, seed, Pruning.nOfM(2, 4)));
        ways.put("16x1 blocks, 75 %, gradually", (all, trained, seed) ->
                all.more(trained, seed, Pruning.blocks(16, 0.75).cubic()));
        ways.put("32x1 blocks, 75 %, gradually", (all, trained, seed) ->
                all.more(trained, seed, Pruning.blocks(32, 0.75).cubic()));
        return ways;
    }

    private Model channels(Model trained, long seed, ChannelPruning pruning) {
        return pruning.apply(more(trained, seed, pruning));
    }

    private Model more(Model trained, long seed, @org.jspecify.annotations.Nullable Listener pruning) {
        try (Trainer trainer = networks.settings(Trainer.of(trained), RATE, seed).build()) {
            trainer.fit(
                    networks.train(),
                    pruning == null ? networks.fit(EXTRA) : networks.fit(EXTRA).listener(pruning));
            return trainer.model();
        }
    }

    /** Arguments are parts of the names of the ways to run; all without. */
    public static void main(String... arguments) throws IOException {
        PruningAccuracy all = new PruningAccuracy(new TrainedResNet(WIDTH, EPOCHS));
        Map<String, List<boolean[]>> results = new LinkedHashMap<>();
        Map<String, Double> shares = new LinkedHashMap<>();
        for (Map.Entry<String, Way> way : ways().entrySet()) {
            boolean wanted = arguments.length == 0;
            for (String part : arguments) {
                wanted |= way.getKey().contains(part);
            }
            List<boolean[]> right = new ArrayList<>();
            for (long seed = 1; wanted && seed <= SEEDS; seed++) {
                Model model = all.result(way.getKey(), way.getValue(), seed);
                right.add(all.networks.right(all.networks.predictions(model)));
                shares.put(way.getKey(), Sparsity.of(model).share());
            }
            if (wanted) {
                results.put(way.getKey(), right);
            }
        }
        System.out.printf(Locale.ROOT, "ResNet-20 of width %d, %d epochs and %d more, %d seeds%n", WIDTH, EPOCHS, EXTRA, SEEDS);
        System.out.println("| network | zeros | accuracy, mean (least … most) | against dense | only dense right, only it right, p |");
        System.out.println("| --- | --- | --- | --- | --- |");
        results.forEach((name, right) -> System.out.println(line(name, shares.get(name), right, results.get(DENSE_MORE))));
    }

    private static String line(String name, double zeros, List<boolean[]> right, @org.jspecify.annotations.Nullable List<boolean[]> dense) {
        double[] accuracies = right.stream().mapToDouble(PruningAccuracy::percent).toArray();
        double mean = mean(accuracies);
        String line = String.format(
                Locale.ROOT,
                "| %s | %.1f %% | %.2f (%.2f … %.2f) |",
                name,
                100 * zeros,
                mean,
                java.util.Arrays.stream(accuracies).min().orElseThrow(),
                java.util.Arrays.stream(accuracies).max().orElseThrow());
        if (dense == null) {
            return line + " | |";
        }
        Paired paired = Paired.of(dense, right);
        return line + String.format(
                Locale.ROOT,
                " %+.2f | %d, %d, %.2g |",
                mean - mean(dense.stream().mapToDouble(PruningAccuracy::percent).toArray()),
                paired.onlyFirst(),
                paired.onlySecond(),
                paired.probability());
    }

    private static double mean(double[] values) {
        return java.util.Arrays.stream(values).average().orElseThrow();
    }

    private static double percent(boolean[] right) {
        int count = 0;
        for (boolean r : right) {
            count += r ? 1 : 0;
        }
        return 100.0 * count / right.length;
    }

    private Model result(String name, Way way, long seed) throws IOException {
        String plain = name.replaceAll("[^0-9a-z]+", "-") + "-extra" + EXTRA + "-rate" + RATE;
        Path file = networks.file(seed, "-" + plain + ".safetensors");
        if (!Files.exists(file)) {
            long begin = System.nanoTime();
            Model model = way.from(this, networks.model(seed), seed);
            model.save(file);
            System.err.printf(Locale.ROOT, "%s, seed %d: %.2f %% after %.0f s%n", name, seed,
                    percent(networks.right(networks.predictions(model))), (System.nanoTime() - begin) * 1e-9);
        }
        return Model.load(file);
    }
}
