package dev.hadal.train;

import dev.hadal.tensor.Tensor;

/** R² of each column, in one pass: means and sums of squares after Welford (1962), so that nothing large cancels. */
final class RSquared implements Metric.Accumulator {
    private double[] mean = new double[0];
    private double[] spread = new double[0];
    private double[] errors = new double[0];
    private long samples;

    @Override
    public void add(Tensor output, Tensor target) {
        float[] y = output.floats();
        float[] t = Metrics.numbers(output, target);
        int rows = output.shape().get(0);
        int columns = output.shape().sizeFrom(1);
        if (samples == 0) {
            mean = new double[columns];
            spread = new double[columns];
            errors = new double[columns];
        }
        for (int i = 0; i < rows; i++) {
            samples++;
            for (int c = 0; c < columns; c++) {
                int at = i * columns + c;
                double error = (double) y[at] - t[at];
                double before = t[at] - mean[c];
                mean[c] += before / samples;
                spread[c] += before * (t[at] - mean[c]);
                errors[c] += error * error;
            }
        }
    }

    @Override
    public double value() {
        double sum = 0;
        for (int c = 0; c < mean.length; c++) {
            sum += spread[c] > 0 ? 1 - errors[c] / spread[c] : errors[c] == 0 ? 1 : errors[c] > 0 ? 0 : Double.NaN;
        }
        return samples < 2 ? Double.NaN : sum / mean.length;
    }
}
