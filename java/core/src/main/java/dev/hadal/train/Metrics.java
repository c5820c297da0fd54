package dev.hadal.train;

import dev.hadal.tensor.Tensor;

/**
 * The usual metrics. Those of classes take outputs [N,…,C], logits or probabilities alike, and class indices [N,…]; or
 * for two classes one logit each, positive where class 1 is likelier.
 */
public final class Metrics {

    private Metrics() {}

    /** The share of targets with the largest output of their row; of equal outputs the first counts. */
    public static Metric accuracy() {
        return Metric.of("accuracy", true, Accuracy::new);
    }

    private static final class Accuracy implements Metric.Accumulator {
        private long right;
        private long seen;

        @Override
        public void add(Tensor output, Tensor target) {
            ClassTargets batch = new ClassTargets(output, target);
            for (int i = 0; i < batch.rows(); i++) {
                right += batch.predicted(i) == batch.label(i) ? 1 : 0;
            }
            seen += batch.rows();
        }

        @Override
        public double value() {
            return seen == 0 ? Double.NaN : (double) right / seen;
        }
    }
}
