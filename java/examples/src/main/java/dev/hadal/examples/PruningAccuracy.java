package dev.hadal.examples;

import dev.hadal.backend.Backends;
import dev.hadal.compress.Agreement;
import dev.hadal.compress.ChannelPruning;
import dev.hadal.compress.Pruning;
import dev.hadal.compress.Sparsity;
import dev.hadal.data.Batch;
import dev.hadal.data.Batches;
import dev.hadal.data.Batching;
import dev.hadal.model.Model;
import dev.hadal.optim.Clip;
import dev.hadal.optim.Optimizer;
import dev.hadal.optim.Schedule;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.Tensor;
import dev.hadal.train.Checkpoints;
import dev.hadal.train.Fit;
import dev.hadal.train.Listener;
import dev.hadal.train.Trainer;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What pruning costs in accuracy: the quickstart's ResNet-20 on Fashion-MNIST, trained from several seeds, then pruned in
 * several ways with so many extra epochs, beside the dense network after the same extra epochs. Accuracies are of all
 * 10,000 test images; which images only one of the two recognises is counted over all seeds. A directory keeps what was
 * trained, so that a run that is stopped goes on.
 */
final class PruningAccuracy {
    private static final String DENSE = "dense";
    private static final int TEST_BATCH = 250;
    private static final int SEEDS = 3;
    private static final int EPOCHS = 10;
    private static final int EXTRA = 20;
    private static final double RATE = 1e-2;

    private final FashionModels networks;
    private final Path directory;
    private final Backends backends;
    private final PrintStream out;

    private PruningAccuracy(FashionModels networks, Path directory, Backends backends, PrintStream out) {
        this.networks = networks;
        this.directory = directory;
        this.backends = backends;
        this.out = out;
    }

    /** A way to go on from the trained network. */
    private interface Way {
        Model from(Run run);
    }

    /**
     * A training to come.
     *
     * @param name of the way, the seed and the epochs
     */
    private record Run(Model trained, long seed, String name) {}

    private Map<String, Way> ways() {
        Map<String, Way> ways = new LinkedHashMap<>();
        ways.put("as trained", run -> run.trained);
        ways.put(DENSE, run -> more(run, null));
        Pruning most = Pruning.magnitude(0.9);
        ways.put("90 % of weights, at once, no extra epochs", run -> run.trained.apply(most));
        ways.put("90 % of weights, at once", run -> more(run, most));
        ways.put("90 % of weights, gradually", run -> more(run, most.cubic()));
        ways.put(
                "90 % of each layer, gradually",
                run -> more(run, most.perLayer().cubic()));
        ways.put("2:4, at once", run -> more(run, Pruning.nOfM(2, 4)));
        ways.put(
                "75 % in 16x1 blocks, gradually",
                run -> more(run, Pruning.blocks(16, 0.75).cubic()));
        ways.put(
                "75 % in 32x1 blocks, gradually",
                run -> more(run, Pruning.blocks(32, 0.75).cubic()));
        ChannelPruning half = ChannelPruning.of(0.5);
        ways.put("half the channels, at once, no extra epochs", run -> run.trained.apply(half));
        ways.put("half the channels, at once", run -> half.apply(more(run, half)));
        ways.put("half the channels, gradually", run -> half.apply(more(run, half.cubic())));
        return ways;
    }

    private Model more(Run run, @Nullable Listener pruning) {
        Fit fit = Fit.epochs(EXTRA)
                .augment(networks.augmentation())
                .checkpoints(
                        Checkpoints.in(directory.resolve(run.name)).keepLast(1).resuming());
        try (Trainer trainer = Trainer.of(run.trained)
                .optimizer(Optimizer.adamw()
                        .rate(Schedule.cosine(RATE).warmup(100))
                        .weightDecay(0.05))
                .clip(Clip.globalNorm(1))
                .batch(64)
                .seed(run.seed)
                .backends(backends)
                .build()) {
            trainer.fit(networks.train(), pruning == null ? fit : fit.listener(pruning));
            return trainer.model();
        }
    }

    private Model result(String name, Way way, long seed) throws IOException {
        String plain = name.replaceAll("[^0-9a-z]+", "-");
        String run = String.format(
                Locale.ROOT, "pruned-%s-%d-and-%d-epochs-rate-%s-seed-%d", plain, EPOCHS, EXTRA, RATE, seed);
        Path file = directory.resolve(run + ".safetensors");
        if (!Files.exists(file)) {
            out.println(run);
            Model trained = networks.model(FashionModels.Kind.RESNET20, seed, EPOCHS, out);
            way.from(new Run(trained, seed, run)).save(file);
        }
        return Model.load(file);
    }

    /** Which test images a network recognises. */
    private boolean[] right(Model model) {
        boolean[] right = new boolean[networks.test().size()];
        int at = 0;
        try (Predictor predictor = Predictor.of(model, backends);
                Batches batches = Batching.of(TEST_BATCH).open(networks.test())) {
            batches.startEpoch(0);
            while (batches.hasNext()) {
                Batch batch = batches.next();
                Tensor y = predictor.predict(batch.x());
                int classes = y.shape().get(1);
                for (int i = 0; i < batch.size(); i++) {
                    int best = 0;
                    for (int c = 1; c < classes; c++) {
                        best = y.floats()[i * classes + c] > y.floats()[i * classes + best] ? c : best;
                    }
                    right[at++] = best == batch.target().ints()[i];
                }
            }
        }
        return right;
    }

    /** The answers of the networks of all seeds, one after the other. */
    private static boolean[] together(List<boolean[]> answers) {
        boolean[] all = new boolean[answers.stream().mapToInt(a -> a.length).sum()];
        int at = 0;
        for (boolean[] a : answers) {
            System.arraycopy(a, 0, all, at, a.length);
            at += a.length;
        }
        return all;
    }

    private static double percent(boolean[] right) {
        int count = 0;
        for (boolean r : right) {
            count += r ? 1 : 0;
        }
        return 100.0 * count / right.length;
    }

    /** One way's row of the table. */
    private record Row(String name, Model model, List<boolean[]> right) {

        String line(@Nullable Row dense) {
            double[] accuracies =
                    right.stream().mapToDouble(PruningAccuracy::percent).toArray();
            String line = String.format(
                    Locale.ROOT,
                    "| %s | %,d | %.1f %% | %.2f (%.2f … %.2f) |",
                    name,
                    model.parameters(),
                    100 * Sparsity.of(model).share(),
                    Arrays.stream(accuracies).average().orElseThrow(),
                    Arrays.stream(accuracies).min().orElseThrow(),
                    Arrays.stream(accuracies).max().orElseThrow());
            if (dense == null || dense.equals(this)) {
                return line + " | | |";
            }
            Agreement agreement = Agreement.of(together(dense.right), together(right));
            return line
                    + String.format(
                            Locale.ROOT,
                            " %.2f ± %.2f | %d, %d | %.2g |",
                            100 * agreement.loss(),
                            100 * agreement.error(),
                            agreement.first(),
                            agreement.second(),
                            agreement.p());
        }
    }

    private List<String> table(List<String> wanted) throws IOException {
        List<Row> rows = new ArrayList<>();
        for (Map.Entry<String, Way> way : ways().entrySet()) {
            if (wanted.isEmpty() || wanted.stream().anyMatch(way.getKey()::contains)) {
                List<boolean[]> right = new ArrayList<>();
                Model model = null;
                for (long seed = 1; seed <= SEEDS; seed++) {
                    model = result(way.getKey(), way.getValue(), seed);
                    right.add(right(model));
                    out.printf(
                            Locale.ROOT,
                            "%s, seed %d: %.2f %%%n",
                            way.getKey(),
                            seed,
                            percent(right.get((int) seed - 1)));
                }
                rows.add(new Row(way.getKey(), Objects.requireNonNull(model), right));
            }
        }
        Row dense = rows.stream().filter(r -> r.name.equals(DENSE)).findFirst().orElse(null);
        List<String> lines = new ArrayList<>(List.of(
                "| network | parameters | zeros | accuracy: mean (least … most) | points lost | only dense right, only it | p |",
                "| --- | --- | --- | --- | --- | --- | --- |"));
        rows.forEach(row -> lines.add(row.line(dense)));
        return lines;
    }

    /** Arguments are a directory, and parts of the names of the ways, of which all run unless some are named. */
    public static void main(String... arguments) throws IOException {
        Path directory = Files.createDirectories(Path.of(arguments.length > 0 ? arguments[0] : "target/models"));
        Backends backends = Backends.automatic().withThreads(1);
        FashionModels networks = new FashionModels(directory, backends);
        List<String> table = new PruningAccuracy(networks, directory, backends, System.out)
                .table(List.of(arguments).subList(Math.min(1, arguments.length), arguments.length));
        System.out.printf("ResNet-20: %d epochs and %d more, %d seeds%n", EPOCHS, EXTRA, SEEDS);
        table.forEach(System.out::println);
    }
}
