package dev.hadal.examples;

import dev.hadal.backend.Backends;
import dev.hadal.compress.Agreement;
import dev.hadal.compress.Calibration;
import dev.hadal.compress.Int8;
import dev.hadal.compress.RangeRule;
import dev.hadal.compress.ToInt8;
import dev.hadal.data.Batch;
import dev.hadal.data.Dataset;
import dev.hadal.model.Model;
import dev.hadal.optim.Clip;
import dev.hadal.optim.Optimizer;
import dev.hadal.optim.Schedule;
import dev.hadal.run.Predictor;
import dev.hadal.train.Fit;
import dev.hadal.train.Trainer;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.StringJoiner;

/**
 * What 8 bits cost: ResNet-20 and a depthwise network, each trained from several seeds, quantized in every way, and compared
 * with themselves in f32 on all 10,000 test images. What has been computed once is kept in the directory; with {@code kept} the
 * tables show that alone.
 *
 * <pre>{@code   QuantizationAccuracy [DIRECTORY [SEEDS [resnet20|mobilenet|all [kept]]]]}</pre>
 */
public final class QuantizationAccuracy {
    private static final int EPOCHS = 8;
    private static final int MORE_EPOCHS = 2;
    private static final int CALIBRATION = 512;
    private static final int BATCH = 100;
    private static final String F32 = "f32";

    private final Path directory;
    private final Backends backends = Backends.automatic().withThreads(1);
    private final FashionModels models;
    private final PrintStream out;
    private final boolean kept;

    private QuantizationAccuracy(Path directory, boolean kept, PrintStream out) throws IOException {
        this.directory = directory;
        this.kept = kept;
        this.models = new FashionModels(directory, backends);
        this.out = out;
    }

    public static void main(String[] args) throws IOException {
        Path directory = Path.of(args.length > 0 ? args[0] : "target/fashion-models");
        int seeds = args.length > 1 ? Integer.parseInt(args[1]) : 3;
        QuantizationAccuracy accuracy = new QuantizationAccuracy(directory, args.length > 3, System.out);
        for (FashionModels.Kind kind : FashionModels.Kind.values()) {
            if (args.length < 3 || args[2].equals("all") || args[2].equals(kind.toString())) {
                accuracy.table(kind, seeds);
            }
        }
    }

    /** A way to make another network of a trained one. */
    private interface Way {
        Model apply(Model trained, long seed);
    }

    private Map<String, Way> ways() {
        Map<String, Way> ways = new LinkedHashMap<>();
        ways.put(F32, (m, seed) -> m);
        ways.put(
                "min-max, biases as they are",
                (m, seed) -> quantized(m, false, ranges(RangeRule.minMax()).corrected(false)));
        ways.put("min-max", (m, seed) -> quantized(m, false, ranges(RangeRule.minMax())));
        ways.put("percentile 99.99", (m, seed) -> quantized(m, false, ranges(RangeRule.percentile(99.99))));
        ways.put("least squares", (m, seed) -> quantized(m, false, ranges(RangeRule.leastSquares())));
        ways.put("entropy", (m, seed) -> quantized(m, false, ranges(RangeRule.entropy())));
        ways.put("least squares, equalized", (m, seed) -> quantized(m, true, ranges(RangeRule.leastSquares())));
        ways.put("aware training", (m, seed) -> aware(m, Int8.settings(), seed));
        ways.put(
                "aware training, learned steps",
                (m, seed) -> aware(m, Int8.settings().learnedSteps(), seed));
        ways.put(F32 + ", as much more training", (m, seed) -> trained(m, seed));
        return ways;
    }

    private static Int8 ranges(RangeRule rule) {
        return Int8.settings().ranges(rule);
    }

    private Calibration calibration(Model trained, boolean equalized) {
        Dataset samples = models.train().take(CALIBRATION);
        return Calibration.of(trained, samples, equalized, backends, Calibration.Listener.NONE);
    }

    private Model quantized(Model trained, boolean equalized, Int8 settings) {
        return calibration(trained, equalized).quantize(settings).model();
    }

    private Model aware(Model trained, Int8 settings, long seed) {
        return trained(calibration(trained, false).fakeQuantized(settings), seed)
                .apply(new ToInt8());
    }

    /** Some epochs more, at a small rate. */
    private Model trained(Model model, long seed) {
        try (Trainer trainer = Trainer.of(model)
                .optimizer(
                        Optimizer.adamw().rate(Schedule.cosine(5e-4).warmup(30)).weightDecay(0.05))
                .clip(Clip.globalNorm(1))
                .batch(64)
                .seed(seed)
                .backends(backends)
                .build()) {
            trainer.fit(models.train(), Fit.epochs(MORE_EPOCHS).augment(models.augmentation()));
            return trainer.model();
        }
    }

    // ---- measuring ----

    private void table(FashionModels.Kind kind, int seeds) throws IOException {
        Map<String, List<boolean[]>> right = new LinkedHashMap<>();
        List<Model> trained = new ArrayList<>();
        for (int seed = 1; seed <= seeds; seed++) {
            trained.add(models.model(kind, seed, EPOCHS, out));
        }
        for (Map.Entry<String, Way> way : ways().entrySet()) { // first what takes seconds, then what takes minutes
            for (int seed = 1; seed <= seeds; seed++) {
                add(right, kind, seed, way.getKey(), trained.get(seed - 1), way.getValue());
            }
        }
        print(kind, right);
    }

    private void add(
            Map<String, List<boolean[]>> right, FashionModels.Kind kind, long seed, String name, Model trained, Way way)
            throws IOException {
        Path file = directory.resolve(kind + "-seed-" + seed + "-" + name.replaceAll("[^a-z0-9.]+", "-") + ".right");
        if (!Files.exists(file) && kept) {
            return;
        } else if (!Files.exists(file)) {
            long start = System.nanoTime();
            boolean[] answers = right(way.apply(trained, seed));
            Files.write(file, bytes(answers));
            out.printf(
                    Locale.ROOT,
                    "%s, seed %d, %s: %.2f %%, %.0f s%n",
                    kind,
                    seed,
                    name,
                    100 * share(answers),
                    (System.nanoTime() - start) / 1e9);
        }
        byte[] bytes = Files.readAllBytes(file);
        boolean[] answers = new boolean[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            answers[i] = bytes[i] == '1';
        }
        right.computeIfAbsent(name, n -> new ArrayList<>()).add(answers);
    }

    private static byte[] bytes(boolean[] answers) {
        byte[] bytes = new byte[answers.length];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) (answers[i] ? '1' : '0');
        }
        return bytes;
    }

    /** On which test images a network is right. */
    private boolean[] right(Model model) {
        boolean[] right = new boolean[models.test().size()];
        int classes = models.test().classes();
        try (Predictor predictor = Predictor.of(model, backends)) {
            for (int from = 0; from < right.length; from += BATCH) {
                int[] indices = new int[Math.min(BATCH, right.length - from)];
                for (int i = 0; i < indices.length; i++) {
                    indices[i] = from + i;
                }
                Batch batch = models.test().batch(indices);
                float[] scores = predictor.predict(batch.x()).floats();
                for (int i = 0; i < indices.length; i++) {
                    int best = 0;
                    for (int c = 1; c < classes; c++) {
                        best = scores[i * classes + c] > scores[i * classes + best] ? c : best;
                    }
                    right[from + i] = best == batch.target().ints()[i];
                }
            }
        }
        return right;
    }

    private static double share(boolean[] right) {
        int count = 0;
        for (boolean r : right) {
            count += r ? 1 : 0;
        }
        return (double) count / right.length;
    }

    private void print(FashionModels.Kind kind, Map<String, List<boolean[]>> right) {
        List<boolean[]> exact = right.getOrDefault(F32, List.of());
        out.printf(
                Locale.ROOT,
                "%n| %s, %d seeds | accuracy | lost, each seed | lost | alike | McNemar, all seeds |%n",
                kind,
                exact.size());
        out.println("| --- | --- | --- | --- | --- | --- |");
        right.forEach((name, seeds) -> {
            StringJoiner accuracies = new StringJoiner(", ");
            StringJoiner losses = new StringJoiner(", ");
            Agreement all = new Agreement(0, 0, 0, 0);
            double sum = 0;
            for (int s = 0; s < seeds.size(); s++) {
                Agreement one = Agreement.of(exact.get(s), seeds.get(s));
                all = all.and(one);
                sum += share(seeds.get(s));
                accuracies.add(String.format(Locale.ROOT, "%.2f", 100 * share(seeds.get(s))));
                losses.add(String.format(Locale.ROOT, "%.2f", 100 * one.loss()));
            }
            out.printf(
                    Locale.ROOT,
                    "| %s | %.2f %% (%s) | %s | %.2f ± %.2f | %.2f %% | p = %.2g |%n",
                    name,
                    100 * sum / seeds.size(),
                    accuracies,
                    losses,
                    100 * all.loss(),
                    100 * all.error(),
                    100 * all.share(),
                    all.p());
        });
    }
}
