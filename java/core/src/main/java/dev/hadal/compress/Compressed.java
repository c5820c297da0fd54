package dev.hadal.compress;

import dev.hadal.model.Model;
import java.util.List;
import java.util.Locale;
import java.util.StringJoiner;

/**
 * A compressed model and how it came to be. Printed, it is a line for each model that was measured.
 *
 * @param model the chosen one
 * @param metric by which quality is measured
 * @param budget how much of it might be lost
 * @param tried what was measured: the model as it was first, then each that was made of it
 * @param chosen which of them the model is
 * @param layers each layer with weights, as it was and as it is
 */
public record Compressed(
        Model model, String metric, double budget, List<Candidate> tried, int chosen, List<Layer> layers) {

    /**
     * A model that was measured.
     *
     * @param what was done to make it
     * @param within whether it keeps within the budget
     */
    public record Candidate(String what, Cost cost, boolean within) {}

    /**
     * A layer with weights.
     *
     * @param path of the layer
     * @param before the shape of its largest weight
     * @param after the same in the compressed model
     * @param type of that weight's values in the compressed model
     * @param bytesBefore of all its weights
     * @param pruningLoss of quality when half of its output channels alone are pruned, untrained; NaN where that cannot be
     * @param int8Loss of quality when it alone computes in int8; NaN where it never does
     */
    public record Layer(
            String path,
            String before,
            String after,
            String type,
            long bytesBefore,
            long bytesAfter,
            double pruningLoss,
            double int8Loss) {}

    public Compressed {
        tried = List.copyOf(tried);
        layers = List.copyOf(layers);
    }

    /** What the model cost at first. */
    public Cost before() {
        return tried.get(0).cost();
    }

    /** What the compressed model costs. */
    public Cost after() {
        return tried.get(chosen).cost();
    }

    /** A line for each model that was measured. */
    @Override
    public String toString() {
        StringJoiner lines = new StringJoiner("\n");
        for (int i = 0; i < tried.size(); i++) {
            Candidate c = tried.get(i);
            lines.add(String.format(
                    Locale.ROOT,
                    "%s %s: %s %.4f, %,d bytes on disk, %,d + %,d in memory, p50 %.1f µs, p99 %.1f µs%s",
                    i == chosen ? ">" : " ",
                    c.what,
                    metric,
                    c.cost.quality(),
                    c.cost.fileBytes(),
                    c.cost.weightBytes(),
                    c.cost.sessionBytes(),
                    c.cost.p50() * 1e6,
                    c.cost.p99() * 1e6,
                    c.within ? "" : " (beyond the budget)"));
        }
        return lines.toString();
    }
}
