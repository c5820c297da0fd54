package dev.hadal.train;

import dev.hadal.data.Batch;
import dev.hadal.data.Batches;
import dev.hadal.data.Batching;
import dev.hadal.data.Dataset;
import dev.hadal.nn.Loss;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.Tensor;

/**
 * The usual metrics; where something is undefined they follow scikit-learn, with {@code zero_division=0}.
 *
 * <p>Those of classes take outputs [N,…,C] and class indices [N,…], or f32 distributions over the classes [N,…,C], of which
 * the likeliest counts; or for two classes one logit for each target, [N] or [N,1] with f32 targets, positive where class
 * 1 is likelier. Targets of {@link dev.hadal.op.CrossEntropy#IGNORE} do not count. Of equal outputs the one of the first class counts as the larger. Those of numbers take as many targets
 * as outputs.
 */
public final class Metrics {

    private Metrics() {}

    /** What makes one number of the numbers of several classes. */
    public enum Average {
        /** That of class 1, where there are two. */
        BINARY,
        /** The mean over the classes that occur, as a target or as an answer. */
        MACRO,
        /** Of all decisions together. */
        MICRO
    }

    // ---- classes ----

    /** The share of targets with the largest output of their row. */
    public static Metric accuracy() {
        return Metric.of("accuracy", true, () -> new TopK(1));
    }

    /** The share of targets with one of the k largest outputs of their row; named {@code top_3} for k = 3. */
    public static Metric topK(int k) {
        if (k < 1) {
            throw new IllegalArgumentException("top-k takes k of at least 1, not " + k);
        }
        return Metric.of("top_" + k, true, () -> new TopK(k));
    }

    /** Counts every answer by its target, for {@link Trainer#measure}. */
    public static ConfusionMatrix confusionMatrix(String... classNames) {
        return new ConfusionMatrix(classNames);
    }

    /**
     * The harmonic mean of precision and recall, 2·TP/(2·TP + FP + FN); 0 where that is 0/0. Its names are {@code f1},
     * {@code f1_macro} and {@code f1_micro}.
     */
    public static Metric f1(Average average) {
        String name = "f1" + (average == Average.BINARY ? "" : average == Average.MACRO ? "_macro" : "_micro");
        return Metric.of(name, true, () -> new Metric.Accumulator() {
            private final ConfusionMatrix counts = new ConfusionMatrix();

            @Override
            public void add(Tensor output, Tensor target) {
                counts.add(output, target);
            }

            @Override
            public double value() {
                return counts.f1(average);
            }
        });
    }

    /**
     * The area under the ROC curve: the probability that a sample of the class scores higher than one of another class,
     * where equal scores count half; exact, by ranks. It keeps every score.
     *
     * <p>For two classes, of class 1. For more, outputs must be logits; it is the mean of each class's probability
     * against the rest, over the classes that some samples have and some have not. NaN where there is no such class.
     */
    public static Metric auc() {
        return Metric.of("auc", true, RocAuc::new);
    }

    /**
     * exp of the mean cross-entropy of logits [N,…,C] (natural logarithm): as many equally likely classes would be as
     * surprising.
     */
    public static Metric perplexity() {
        return Metric.of("perplexity", false, Perplexity::new);
    }

    // ---- numbers ----

    /** The mean of (output − target)²; named {@code mse}. */
    public static Metric meanSquaredError() {
        return Metric.of("mse", false, () -> new MeanError(true));
    }

    /** The mean of |output − target|; named {@code mae}. */
    public static Metric meanAbsoluteError() {
        return Metric.of("mae", false, () -> new MeanError(false));
    }

    /**
     * R² = 1 − Σ(output − target)² / Σ(target − mean of targets)²; of outputs with several columns [N,…], the mean of
     * each column's. Where targets are all alike it is 1 if there is no error, and else 0. NaN for fewer than two
     * samples.
     */
    public static Metric rSquared() {
        return Metric.of("r2", true, RSquared::new);
    }

    /** A loss that is not trained on, computed in Java: the mean over batches, each weighted by its samples. */
    public static Metric loss(String name, Loss function) {
        return Metric.of(name, false, () -> new LossOfBatches(function));
    }

    // ---- a whole data set ----

    /**
     * Shows a predictor's answers for all of the data to an accumulator, and gives it back; in batches of 250. For networks
     * of one input, the field {@code x}, and one output, which is compared with the field {@code target}.
     */
    public static <A extends Metric.Accumulator> A measure(Predictor predictor, Dataset data, A accumulator) {
        try (Batches batches =
                Batching.of(Math.min(Measured.BATCH, data.size())).open(data)) {
            batches.startEpoch(0);
            while (batches.hasNext()) {
                Batch batch = batches.next();
                accumulator.add(predictor.predict(batch.x()), batch.target());
            }
        }
        return accumulator;
    }

    // ---- accumulators ----

    /** {@code count} by which a sum is to be divided, NaN if there is nothing. */
    private static double mean(double sum, long count) {
        return count == 0 ? Double.NaN : sum / count;
    }

    private static final class TopK implements Metric.Accumulator {
        private final int k;
        private long right;
        private long seen;

        TopK(int k) {
            this.k = k;
        }

        @Override
        public void add(Tensor output, Tensor target) {
            ClassTargets batch = new ClassTargets(output, target);
            int[] rows = batch.rows();
            for (int i : rows) {
                right += batch.rank(i, batch.label(i)) < k ? 1 : 0;
            }
            seen += rows.length;
        }

        @Override
        public double value() {
            return mean((double) right, seen);
        }
    }

    private static final class Perplexity implements Metric.Accumulator {
        private double sum;
        private long seen;

        @Override
        public void add(Tensor output, Tensor target) {
            ClassTargets batch = new ClassTargets(output, target);
            int[] rows = batch.rows();
            double[] logs = new double[batch.classes()];
            for (int i : rows) {
                batch.logSoftmax(i, logs);
                sum += batch.crossEntropy(i, logs);
            }
            seen += rows.length;
        }

        @Override
        public double value() {
            return Math.exp(mean(sum, seen));
        }
    }

    private static final class MeanError implements Metric.Accumulator {
        private final boolean squared;
        private double sum;
        private long seen;

        MeanError(boolean squared) {
            this.squared = squared;
        }

        @Override
        public void add(Tensor output, Tensor target) {
            float[] y = output.floats();
            float[] t = numbers(output, target);
            for (int i = 0; i < y.length; i++) {
                double error = (double) y[i] - t[i];
                sum += squared ? error * error : Math.abs(error);
            }
            seen += y.length;
        }

        @Override
        public double value() {
            return mean(sum, seen);
        }
    }

    /** The targets of outputs that are numbers. */
    static float[] numbers(Tensor output, Tensor target) {
        int rank = output.shape().rank();
        boolean sameCount = output.shape().size() == target.shape().size();
        if (!sameCount
                || rank == 0
                || target.shape().rank() == 0
                || output.shape().get(0) != target.shape().get(0)) {
            throw new IllegalArgumentException(
                    "this metric takes a target for each output, not outputs " + output + " with targets " + target);
        }
        return target.floats();
    }
}
