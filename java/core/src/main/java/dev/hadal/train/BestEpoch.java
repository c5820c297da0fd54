package dev.hadal.train;

import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Watches for early stopping: which epoch was best, and with which weights. */
final class BestEpoch {
    private static final String TENSORS = "best/";

    private final EarlyStopping rule;
    private final boolean higherIsBetter;
    private @Nullable Epoch best;
    private Map<String, Tensor> model = Map.of();

    BestEpoch(EarlyStopping rule, Fit how) {
        this.rule = rule;
        boolean validation = rule.monitor().startsWith(Epoch.VALIDATION);
        String name = validation ? rule.monitor().substring(Epoch.VALIDATION.length()) : rule.monitor();
        List<Metric> known = new ArrayList<>(how.metrics().isEmpty() ? List.of(Metrics.accuracy()) : how.metrics());
        known.add(Metric.of(Epoch.LOSS, false, () -> {
            throw new AssertionError("the trainer measures the loss");
        }));
        higherIsBetter = known.stream()
                .filter(m -> m.name().equals(name) && (!validation || how.validation() != null))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("early stopping monitors '" + rule.monitor()
                        + "', but what is measured is " + known
                        + (how.validation() == null
                                ? ", and nothing on validation data: name some by validateOn"
                                : ", and the same behind '" + Epoch.VALIDATION + "'")))
                .higherIsBetter();
    }

    /** Takes in an epoch that has just ended; whether it is the best so far. */
    boolean see(Epoch epoch, Progress progress) {
        if (improves(epoch)) {
            best = epoch;
            model = rule.restoreBest() ? progress.trainer().predicting() : Map.of();
            return true;
        }
        Epoch before = Objects.requireNonNull(best);
        if (epoch.number() - before.number() >= rule.patience()) {
            progress.stop(String.format(
                    Locale.ROOT,
                    "%s has not improved since epoch %d, where it was %.4g",
                    rule.monitor(),
                    before.number(),
                    before.get(rule.monitor())));
        }
        return false;
    }

    private boolean improves(Epoch epoch) {
        if (best == null) {
            return true;
        }
        double value = epoch.get(rule.monitor());
        double before = best.get(rule.monitor());
        double gain = higherIsBetter ? value - before : before - value;
        return !Double.isNaN(value) && (Double.isNaN(before) || gain > rule.minimalImprovement());
    }

    /** What a checkpoint keeps of it: the best weights. */
    Map<String, Tensor> tensors() {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        model.forEach((name, value) -> tensors.put(TENSORS + name, value));
        return tensors;
    }

    /** Sees the epochs before the checkpoint again, and takes the best weights from it. */
    void resume(Progress progress, Checkpoint from) {
        for (Epoch epoch : progress.history()) {
            see(epoch, progress);
        }
        Map<String, Tensor> kept = new LinkedHashMap<>();
        from.tensors().forEach((name, value) -> {
            if (name.startsWith(TENSORS)) {
                kept.put(name.substring(TENSORS.length()), value);
            }
        });
        model = kept;
    }

    /** Puts the best weights back, if so wanted and there are any. */
    void restore(Trainer trainer) {
        trainer.restore(model);
    }
}
