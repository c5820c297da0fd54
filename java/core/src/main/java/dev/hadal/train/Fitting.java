package dev.hadal.train;

import dev.hadal.data.Batch;
import dev.hadal.data.Batches;
import dev.hadal.data.Batching;
import dev.hadal.data.Dataset;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** One call of {@link Trainer#fit}: the loop over epochs and batches, and all that is measured on the way. */
final class Fitting {
    private final Trainer trainer;
    private final Fit how;
    private final Batches batches;
    private final Progress progress;
    private final @Nullable BestEpoch best;

    private Fitting(Trainer trainer, Fit how, Batches batches) {
        this.trainer = trainer;
        this.how = how;
        this.batches = batches;
        progress = new Progress(trainer, how.epochs(), batches.samplesPerEpoch());
        best = how.earlyStopping() == null ? null : new BestEpoch(how.earlyStopping(), how);
    }

    static List<Epoch> run(Trainer trainer, Dataset data, Fit how) {
        Batching usual = Batching.of(trainer.batch()).seed(trainer.seed()).shuffled(true);
        try (Batches batches = how.batching().apply(usual).open(data)) {
            trainer.check(data.size(), batches.fields());
            if (how.validation() != null) {
                trainer.check(how.validation().size(), how.validation().fields());
            }
            return new Fitting(trainer, how, batches).run();
        }
    }

    private List<Epoch> run() {
        trainer.planSteps(trainer.steps() + (long) how.epochs() * batches.batchesPerEpoch());
        try {
            tell(l -> l.onTrainStart(progress));
            while (progress.epoch() < how.epochs() && progress.stopReason() == null) {
                epoch();
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

    private void epoch() {
        progress.startEpoch(progress.epoch() + 1);
        batches.startEpoch(progress.epoch() - 1);
        Measured measured = new Measured(how.metrics());
        double norms = 0;
        int steps = 0;
        long start = System.nanoTime();
        while (batches.hasNext() && !stopped()) {
            Batch batch = batches.next();
            trainer.step(batch);
            measured.add(trainer.loss(), trainer, batch);
            norms += trainer.gradientNorm();
            steps++;
            progress.sawSamples(batch.size());
            tell(l -> l.onStep(progress));
        }
        if (steps == 0) {
            return;
        }
        double seconds = (System.nanoTime() - start) * 1e-9;
        boolean complete = !batches.hasNext();
        Map<String, Double> values = measured.values("");
        if (complete && how.validation() != null) {
            Measured validation = new Measured(how.metrics());
            if (validation.addAll(trainer, how.validation(), this::stopped)) {
                values.putAll(validation.values(Epoch.VALIDATION));
            }
        }
        values.put(Epoch.RATE, trainer.rate());
        values.put(Epoch.GRADIENT_NORM, norms / steps);
        values.put(Epoch.SAMPLES_PER_SECOND, progress.samples() / seconds);
        if (complete) {
            trainer.endEpoch(values);
        }
        Epoch epoch = new Epoch(progress.epoch(), how.epochs(), complete, values);
        progress.add(epoch);
        if (best != null && complete) {
            best.see(epoch, progress);
        }
        tell(l -> l.onEpoch(progress, epoch));
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
