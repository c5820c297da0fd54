package dev.hadal.train;

import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Watches for early stopping: which epoch was best, and with which weights. */
final class BestEpoch {
    private final EarlyStopping rule;
    private final boolean higherIsBetter;
    private @Nullable Epoch best;
    private @Nullable Map<String, Tensor> values;

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

    /** Takes in an epoch that has just ended. */
    void see(Epoch epoch, Progress progress) {
        double value = epoch.get(rule.monitor());
        double before = best == null ? Double.NaN : best.get(rule.monitor());
        double gain = higherIsBetter ? value - before : before - value;
        if (best == null || (!Double.isNaN(value) && (Double.isNaN(before) || gain > rule.minimalImprovement()))) {
            best = epoch;
            values = rule.restoreBest() ? progress.trainer().predicting() : null;
        } else if (epoch.number() - best.number() >= rule.patience()) {
            progress.stop(String.format(
                    Locale.ROOT,
                    "%s has not improved since epoch %d, where it was %.4g",
                    rule.monitor(),
                    best.number(),
                    before));
        }
    }

    /** Puts the best weights back, if so wanted and there are any. */
    void restore(Trainer trainer) {
        if (values != null) {
            trainer.restore(values);
        }
    }
}
