package dev.hadal.train;

import dev.hadal.data.Batch;
import dev.hadal.data.Batches;
import dev.hadal.data.Batching;
import dev.hadal.data.Dataset;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** One call of {@link Trainer#fit}: the loop over epochs and batches, and all that is measured on the way. */
final class Fitting {
    private static final String START = "fit/start_step";
    private static final String EPOCH = "fit/epoch";
    private static final String BATCH = "fit/batch";
    private static final String BATCHES = "fit/batches_per_epoch";
    private static final String LOSSES = "fit/losses";
    private static final String SAMPLES = "fit/samples";
    private static final String NORMS = "fit/norms";
    private static final String STEPS = "fit/steps";

    private final Trainer trainer;
    private final Fit how;
    private final Batches batches;
    private final int batchSize;
    private final Progress progress;
    private final @Nullable BestEpoch best;
    /** Whose checkpoint is kept as the best. */
    private final @Nullable BestEpoch kept;

    private long start;
    // Of the present epoch.
    private Measured measured = new Measured(List.of());
    private double norms;
    private int steps;

    private Fitting(Trainer trainer, Fit how, Batches batches, int batchSize) {
        this.trainer = trainer;
        this.how = how;
        this.batches = batches;
        this.batchSize = batchSize;
        progress = new Progress(trainer, how.epochs(), batches.samplesPerEpoch());
        best = how.earlyStopping() == null ? null : new BestEpoch(how.earlyStopping(), how);
        String monitor = how.checkpoints() == null ? null : how.checkpoints().best();
        kept = monitor == null ? null : new BestEpoch(EarlyStopping.on(monitor).patience(Integer.MAX_VALUE), how);
    }

    static List<Epoch> run(Trainer trainer, Dataset data, Fit how) {
        Batching usual = Batching.of(trainer.batch()).seed(trainer.seed()).shuffled(true);
        Batching batching = how.batching().apply(usual);
        try (Batches batches = batching.open(data)) {
            trainer.check(data.size(), batches.fields());
            if (how.validation() != null) {
                trainer.check(how.validation().size(), how.validation().fields());
            }
            return new Fitting(trainer, how, batches, batching.size()).run();
        }
    }

    private List<Epoch> run() {
        start = trainer.steps();
        measured = new Measured(how.metrics());
        int firstBatch = resume();
        long steps = (long) how.epochs() * batches.batchesPerEpoch();
        trainer.planSteps(start + steps);
        progress.plan(start, steps);
        try {
            tell(l -> l.onTrainStart(progress));
            while (progress.epoch() < how.epochs() && progress.stopReason() == null) {
                epoch(firstBatch);
                firstBatch = 0;
                measured = new Measured(how.metrics());
                norms = 0;
                steps = 0;
            }
            if (best != null) {
                best.restore(trainer);
            }
        } catch (RuntimeException | Error e) {
            end(e);
            throw e;
        }
        end(null);
        return List.copyOf(progress.history());
    }

    private void epoch(int firstBatch) {
        progress.startEpoch(progress.epoch() + 1);
        progress.sawSamples(firstBatch * batchSize);
        batches.startEpoch(progress.epoch() - 1, firstBatch);
        int samples = 0;
        long begin = System.nanoTime();
        while (batches.hasNext() && !stopped()) {
            Batch batch = batches.next();
            trainer.step(batch);
            measured.add(trainer.loss(), trainer, batch);
            norms += trainer.gradientNorm();
            steps++;
            samples += batch.size();
            progress.sawSamples(batch.size());
            tell(l -> l.onStep(progress));
            if (batches.hasNext() && savesAfter(trainer.steps())) {
                save();
            }
        }
        if (samples == 0) {
            return;
        }
        double seconds = (System.nanoTime() - begin) * 1e-9;
        boolean complete = !batches.hasNext();
        if (!complete && how.checkpoints() != null) {
            save();
        }
        Map<String, Double> values = measured.values("");
        if (complete && how.validation() != null) {
            Measured validation = new Measured(how.metrics());
            if (validation.addAll(trainer, how.validation(), this::stopped)) {
                values.putAll(validation.values(Epoch.VALIDATION));
            }
        }
        values.put(Epoch.RATE, trainer.rate());
        values.put(Epoch.GRADIENT_NORM, norms / steps);
        values.put(Epoch.SAMPLES_PER_SECOND, samples / seconds);
        if (complete) {
            trainer.endEpoch(values);
        }
        Epoch epoch = new Epoch(progress.epoch(), how.epochs(), complete, values);
        progress.add(epoch);
        if (best != null && complete) {
            best.see(epoch, progress);
        }
        tell(l -> l.onEpoch(progress, epoch));
        if (complete) {
            saveEpoch(epoch);
        }
    }

    // ---- checkpoints ----

    /** Goes on from the newest checkpoint, if so wanted and there is one; gives the batch of the epoch to begin with. */
    private int resume() {
        Checkpoint from = how.checkpoints() == null || !how.checkpoints().resume()
                ? null
                : how.checkpoints().newest().orElse(null);
        if (from == null) {
            return 0;
        }
        if (!from.fact(BATCHES).equals(String.valueOf(batches.batchesPerEpoch()))) {
            throw new IllegalArgumentException(
                    "an epoch of these data has " + batches.batchesPerEpoch() + " batches, but the checkpoint's had "
                            + from.fact(BATCHES) + "; it belongs to other data or batches");
        }
        trainer.resume(from);
        start = Long.parseLong(from.fact(START));
        for (int number = 1; from.facts().containsKey(history(number, "of")); number++) {
            progress.add(epoch(number, from));
        }
        for (BestEpoch b : new BestEpoch[] {best, kept}) {
            if (b != null) {
                b.resume(progress, from);
            }
        }
        if (from.facts().containsKey(STEPS)) {
            measured.resume(Double.parseDouble(from.fact(LOSSES)), Long.parseLong(from.fact(SAMPLES)));
            norms = Double.parseDouble(from.fact(NORMS));
            steps = Integer.parseInt(from.fact(STEPS));
        }
        progress.startEpoch(Integer.parseInt(from.fact(EPOCH)) - 1);
        return Integer.parseInt(from.fact(BATCH));
    }

    private static Epoch epoch(int number, Checkpoint from) {
        Map<String, Double> values = new LinkedHashMap<>();
        String prefix = history(number, "");
        from.facts().forEach((name, value) -> {
            if (name.startsWith(prefix) && !name.equals(history(number, "of"))) {
                values.put(name.substring(prefix.length()), Double.valueOf(value));
            }
        });
        return new Epoch(number, Integer.parseInt(from.fact(history(number, "of"))), true, values);
    }

    private boolean savesAfter(long step) {
        Checkpoints saved = how.checkpoints();
        return saved != null && saved.everySteps() > 0 && step % saved.everySteps() == 0;
    }

    /** Saves the run in the middle of an epoch, with the sums that the epoch's numbers come from. */
    private void save() {
        Map<String, String> sums = new LinkedHashMap<>();
        sums.put(LOSSES, String.valueOf(measured.losses()));
        sums.put(SAMPLES, String.valueOf(measured.samples()));
        sums.put(NORMS, String.valueOf(norms));
        sums.put(STEPS, String.valueOf(steps));
        Checkpoint here = checkpoint(progress.epoch(), batches.nextIndex()).with(Map.of(), sums);
        Objects.requireNonNull(how.checkpoints()).save(here);
    }

    private void saveEpoch(Epoch epoch) {
        Checkpoints saved = how.checkpoints();
        if (saved != null) {
            boolean better = kept != null && kept.see(epoch, progress);
            Checkpoint checkpoint = checkpoint(epoch.number() + 1, 0);
            saved.save(checkpoint);
            if (better) {
                saved.saveBest(checkpoint);
            }
        }
    }

    private Checkpoint checkpoint(int epoch, int batch) {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put(START, String.valueOf(start));
        facts.put(EPOCH, String.valueOf(epoch));
        facts.put(BATCH, String.valueOf(batch));
        facts.put(BATCHES, String.valueOf(batches.batchesPerEpoch()));
        for (Epoch e : progress.history()) {
            facts.put(history(e.number(), "of"), String.valueOf(e.of()));
            e.values().forEach((name, value) -> facts.put(history(e.number(), name), String.valueOf(value)));
        }
        return trainer.checkpoint().with(best == null ? Map.of() : best.tensors(), facts);
    }

    private static String history(int epoch, String name) {
        return "fit/history/" + epoch + "/" + name;
    }

    private boolean stopped() {
        if (how.stopping().getAsBoolean()) {
            progress.stop("cancelled");
        }
        return progress.stopReason() != null;
    }

    private void tell(Consumer<Listener> event) {
        how.listeners().forEach(event);
    }

    /** Tells every listener that it is over, even if one of them fails. */
    private void end(@Nullable Throwable cause) {
        RuntimeException first = null;
        for (Listener listener : how.listeners()) {
            try {
                listener.onTrainEnd(progress);
            } catch (RuntimeException e) {
                if (cause != null) {
                    cause.addSuppressed(e);
                } else if (first != null) {
                    first.addSuppressed(e);
                } else {
                    first = e;
                }
            }
        }
        if (first != null) {
            throw first;
        }
    }
}
