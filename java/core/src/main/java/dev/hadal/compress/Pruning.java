package dev.hadal.compress;

import dev.hadal.model.Model;
import dev.hadal.model.Pass;
import dev.hadal.optim.Glob;
import dev.hadal.optim.Selection;
import dev.hadal.tensor.Tensor;
import dev.hadal.train.Listener;
import dev.hadal.train.Progress;
import dev.hadal.train.Trainer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Sets the smallest weights to zero, and keeps them there: {@code fit(data,
 * Fit.epochs(8).listener(Pruning.magnitude(0.9).cubic()))}. Without a schedule all are pruned before the first step, and
 * the training that follows mends what it can; as a {@link Pass} it prunes a model that is not trained any further. Pruned
 * are the weights of linear layers, convolutions and recurrent layers; biases, norms, embeddings and what is frozen are not.
 *
 * <p>What is pruned has a mask in the trainer, {@link Trainer#masks}, and stays zero; so a run that is resumed goes on with
 * the same masks. {@link Sparsity} tells how many zeros there are. Early stopping that restores an epoch from before the
 * end of the schedule loses what the weights learned to do without the others.
 *
 * @param grain what is pruned as a whole
 * @param share of the weights to prune, from 0 to less than 1
 * @param eachLayer whether each layer loses this share; else the smallest of all layers are pruned
 * @param ramp when; null for at once
 * @param selection the weights that may be pruned
 */
public record Pruning(
        Grain grain,
        double share,
        boolean eachLayer,
        @Nullable Ramp ramp,
        Selection selection) implements Listener, Pass {

    /** What is pruned as a whole. */
    public sealed interface Grain {}

    /** Each weight by itself, by its size. */
    public record Single() implements Grain {}

    /**
     * Of each m consecutive inputs of an output all but the n largest: columns m·k … m·k + m − 1 of a row of a linear layer,
     * or these channels at one place of a convolution's kernel. A rest of fewer than m inputs stays.
     */
    public record NOfM(int n, int m) implements Grain {
        public NOfM {
            if (n < 1 || m <= n) {
                throw new IllegalArgumentException("n of m weights are kept, with 0 < n < m, not " + n + " of " + m);
            }
        }
    }

    /**
     * Blocks of so many consecutive outputs of one input, by the mean of their squares: rows r·k … r·k + r − 1 of a column
     * of a linear layer, or these channels of a convolution at one place of one input channel's kernel. The last block of
     * a layer, or of a convolution's group, is smaller if the outputs are no multiple.
     */
    public record Blocks(int rows) implements Grain {
        public Blocks {
            if (rows < 1) {
                throw new IllegalArgumentException("a block holds at least one row, not " + rows);
            }
        }
    }

    /**
     * A gradual pruning, from no weight to the whole share between two steps of a training (Zhu and Gupta 2017):
     *
     * <pre>
     *   sₜ = s·(1 − (1 − (t − from)/(to − from))³)
     * </pre>
     *
     * @param from the step of this training before which nothing is pruned
     * @param to the step after which everything is; negative for half of the training
     */
    public record Ramp(long from, long to) {
        /** How often weights are pruned on the way. */
        private static final int TIMES = 100;

        public Ramp {
            if (from < 0 || (to >= 0 && to <= from)) {
                throw new IllegalArgumentException(
                        "weights are pruned from a step to a later one, not from " + from + " to " + to);
            }
        }

        /** The share to prune after a step; NaN where nothing is to be pruned then. */
        double share(double whole, long step, long steps) {
            long end = to >= 0 ? to : Math.max(from + 1, steps / 2);
            long every = Math.max(1, (end - from) / TIMES);
            if (step <= from || step > end || (step < end && (step - from) % every != 0)) {
                return Double.NaN;
            }
            double rest = 1 - (double) (step - from) / (end - from);
            return whole * (1 - rest * rest * rest);
        }
    }

    public Pruning {
        if (!(share >= 0 && share < 1)) {
            throw new IllegalArgumentException("a share of weights from 0 to less than 1 is pruned, not " + share);
        }
    }

    /** The smallest weights of the whole network. */
    public static Pruning magnitude(double share) {
        return new Pruning(new Single(), share, false, null, Selection.ALL);
    }

    /** All but the n largest of each m weights: {@code nOfM(2, 4)} is the sparsity that matrix units of GPUs know. */
    public static Pruning nOfM(int n, int m) {
        return new Pruning(new NOfM(n, m), 1 - (double) n / m, false, null, Selection.ALL);
    }

    /** The smallest blocks of the whole network, each so many rows of one column: 16 and 32 are what fast kernels take. */
    public static Pruning blocks(int rows, double share) {
        return new Pruning(new Blocks(rows), share, false, null, Selection.ALL);
    }

    /** Prunes the same share of each layer. */
    public Pruning perLayer() {
        return new Pruning(grain, share, true, ramp, selection);
    }

    /** Prunes gradually in the first half of the training; the second half mends. */
    public Pruning cubic() {
        return new Pruning(grain, share, eachLayer, new Ramp(0, -1), selection);
    }

    /** Prunes gradually between two steps of the training. */
    public Pruning cubic(long fromStep, long toStep) {
        return new Pruning(grain, share, eachLayer, new Ramp(fromStep, toStep), selection);
    }

    /** Leaves the weights whose path matches a {@link Glob} as they are. The last call that matches a weight decides. */
    public Pruning exclude(String pattern) {
        return new Pruning(grain, share, eachLayer, ramp, selection.with(pattern, false));
    }

    /** Takes some weights out of an earlier {@link #exclude}. */
    public Pruning include(String pattern) {
        return new Pruning(grain, share, eachLayer, ramp, selection.with(pattern, true));
    }

    // ---- while training ----

    @Override
    public void onTrainStart(Progress progress) {
        if (ramp == null) {
            prune(progress.trainer(), share);
        }
    }

    @Override
    public void onStep(Progress progress) {
        double now = ramp == null ? Double.NaN : ramp.share(share, progress.step(), progress.plannedSteps());
        if (!Double.isNaN(now)) {
            prune(progress.trainer(), now);
        }
    }

    private void prune(Trainer trainer, double now) {
        trainer.mask(masks(trainer.model(), trainer.masks(), trainer::trains, now));
    }

    // ---- without training ----

    /** The model with these weights set to zero. */
    @Override
    public Model apply(Model model) {
        Map<String, Tensor> values = new LinkedHashMap<>(model.values());
        masks(model).forEach((name, mask) -> {
            float[] w = Objects.requireNonNull(values.get(name)).floats().clone();
            for (int i = 0; i < w.length; i++) {
                w[i] = mask.floats()[i] == 0 ? 0 : w[i];
            }
            values.put(name, Tensor.of(mask.shape(), w));
        });
        return model.withValues(values);
    }

    /** The masks of what would be pruned of the model now, by the names of the weights: 0 where pruned, else 1. */
    public Map<String, Tensor> masks(Model model) {
        return masks(model, Map.of(), weight -> true, share);
    }

    /** What is masked already stays so, and counts. */
    private Map<String, Tensor> masks(Model model, Map<String, Tensor> before, Predicate<String> trained, double now) {
        List<ProductWeight> weights = ProductWeight.of(model.graph()).stream()
                .filter(w -> trained.test(w.name()) && selection.test(w.name()))
                .toList();
        Map<String, Tensor> masks = new LinkedHashMap<>();
        for (ProductWeight w : weights) {
            Tensor mask = before.get(w.name());
            float[] m =
                    mask == null ? new float[w.shape().size()] : mask.floats().clone();
            if (mask == null) {
                Arrays.fill(m, 1);
            }
            masks.put(w.name(), Tensor.of(w.shape(), m));
        }
        if (grain instanceof NOfM runs) {
            int zeros = (int) Math.floor(now * runs.m + 1e-6);
            weights.forEach(w -> pruneRuns(w, values(model, w), mask(masks, w), runs.m, zeros));
        } else {
            pruneUnits(model, weights, masks, now);
        }
        return masks;
    }

    private static float[] values(Model model, ProductWeight w) {
        return Objects.requireNonNull(model.values().get(w.name())).floats();
    }

    private static float[] mask(Map<String, Tensor> masks, ProductWeight w) {
        return Objects.requireNonNull(masks.get(w.name())).floats();
    }

    private static void pruneRuns(ProductWeight w, float[] values, float[] mask, int m, int zeros) {
        for (int[] run : w.runs(m)) {
            int masked = 0;
            for (int i : run) {
                masked += mask[i] == 0 ? 1 : 0;
            }
            for (; masked < zeros; masked++) {
                int smallest = -1;
                for (int i : run) {
                    boolean smaller = smallest < 0 || Math.abs(values[i]) < Math.abs(values[smallest]);
                    smallest = mask[i] != 0 && smaller ? i : smallest;
                }
                mask[smallest] = 0;
            }
        }
    }

    private void pruneUnits(Model model, List<ProductWeight> weights, Map<String, Tensor> masks, double now) {
        Map<ProductWeight, int[]> unitOf = new HashMap<>();
        List<Lowest.Units> all = new ArrayList<>();
        long size = 0;
        for (ProductWeight w : weights) {
            int rows = grain instanceof Blocks b ? b.rows : 1;
            unitOf.put(w, w.blocks(rows));
            Lowest.Units units = units(Objects.requireNonNull(unitOf.get(w)), values(model, w), mask(masks, w));
            all.add(units);
            size += w.shape().size();
            if (eachLayer) {
                Lowest.drop(List.of(units), Math.round(now * w.shape().size()));
            }
        }
        if (!eachLayer) {
            Lowest.drop(all, Math.round(now * size));
        }
        for (int k = 0; k < weights.size(); k++) {
            float[] mask = mask(masks, weights.get(k));
            int[] unit = Objects.requireNonNull(unitOf.get(weights.get(k)));
            for (int i = 0; i < mask.length; i++) {
                mask[i] = all.get(k).dropped()[unit[i]] ? 0 : mask[i];
            }
        }
    }

    /** Each unit's root mean square; what is masked has the lowest score of all. */
    private static Lowest.Units units(int[] unit, float[] values, float[] mask) {
        int count = Arrays.stream(unit).max().orElse(-1) + 1;
        double[] squares = new double[count];
        int[] sizes = new int[count];
        boolean[] live = new boolean[count];
        for (int i = 0; i < unit.length; i++) {
            squares[unit[i]] += (double) values[i] * values[i];
            sizes[unit[i]]++;
            live[unit[i]] |= mask[i] != 0;
        }
        float[] scores = new float[count];
        for (int u = 0; u < count; u++) {
            float score = (float) Math.sqrt(squares[u] / sizes[u]);
            scores[u] = live[u] ? Math.max(score, Float.MIN_VALUE) : 0;
        }
        return new Lowest.Units(scores, sizes);
    }
}
