package dev.hadal.op;

import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Batch normalization: as it predicts, as it trains, and backwards. */
@Covers({BatchNorm.class, BatchNorm.Training.class, BatchNorm.Backward.class})
abstract class BatchNormSpec extends Spec {

    /** What to normalize: values of that mean and deviation. */
    record Case(Shape x, float epsilon, double mean, double deviation) {
        static Case of(int... x) {
            return new Case(Shape.of(x), 1e-5f, 0.5, 2);
        }

        int channels() {
            return x.get(1);
        }

        /** m, the values of one channel. */
        int count() {
            return x.size() / channels();
        }

        int channel(int i) {
            return i / x.sizeFrom(2) % channels();
        }

        Tensor values(Draw draw) {
            return draw.normal(mean, deviation, x);
        }

        Tensor scale(Draw draw) {
            return draw.normal(1, 0.5, Shape.of(channels()));
        }

        Tensor bias(Draw draw) {
            return draw.normal(Shape.of(channels()));
        }

        Tensor means(Draw draw) {
            return draw.normal(mean, 1, Shape.of(channels()));
        }

        Tensor variances(Draw draw) {
            return draw.uniform(deviation * deviation / 2, deviation * deviation * 2, Shape.of(channels()));
        }
    }

    private static List<Case> cases() {
        List<Case> cases = new ArrayList<>(List.of(
                Case.of(2, 1),
                Case.of(7, 10),
                Case.of(64, 33),
                Case.of(5, 3, 7),
                Case.of(1, 16, 4, 4),
                Case.of(2, 16, 14, 14),
                Case.of(3, 17, 5, 7),
                Case.of(8, 8, 28, 28),
                Case.of(2, 33, 1, 1),
                Case.of(2, 3, 2, 3, 2),
                Case.of(1, 5, 1, 2),
                // A mean that is large beside the deviation: Σx²/m − μ² would be noise.
                new Case(Shape.of(4, 8, 7, 7), 1e-5f, 1000, 1),
                new Case(Shape.of(2, 3, 5, 5), 1e-3f, -30, 0.01),
                // A channel that never changes has no variance at all.
                new Case(Shape.of(2, 16, 3, 3), 1e-5f, 3.7, 0)));
        Draw draw = new Draw("batch norm shapes");
        for (int i = 0; i < 20; i++) {
            Shape x = Shape.of(draw.between(2, 5), draw.dim(), draw.dim(), draw.dim());
            cases.add(new Case(x, draw.coin() ? 1e-5f : 1e-3f, draw.between(-2, 2), draw.between(1, 3)));
        }
        return cases;
    }

    /** Every channel of one value: the variance is 0, and y is the bias. */
    private static final List<Case> SINGLE = List.of(Case.of(1, 7), Case.of(1, 16, 1, 1));

    private static final List<Case> EMPTY =
            List.of(Case.of(0, 3), Case.of(0, 3, 4, 4), new Case(Shape.of(2, 0, 4, 4), 1e-5f, 0, 1));

    private static List<Case> and(List<Case> more) {
        List<Case> cases = cases();
        cases.addAll(more);
        return cases;
    }

    /**
     * Whether as γ·r·(x − μ) + β or folded into x·s + (β − μ·s), with r = 1/√(σ² + ε) and s = γ·r: half a
     * rounding of the sum under the root, one each of root, quotient and product, and another of the last sum
     * come relative to |γ|·r·(|x| + |μ|), 5u together; the sums' own relative to β. Worst observed: 0.7 of
     * it.
     */
    @TestFactory
    Stream<DynamicTest> boundedInference() {
        return each(
                "bounded",
                and(SINGLE),
                (c, draw) -> bounded(
                        new BatchNorm(c.epsilon(), 0.1f),
                        (in, out) -> {
                            double[] bound = new double[out[0].length];
                            for (int i = 0; i < bound.length; i++) {
                                int k = c.channel(i);
                                double s = Math.abs(in[1][k]) / Math.sqrt(in[4][k] + c.epsilon());
                                bound[i] = Truth.U
                                        * (5 * s * (Math.abs(in[0][i]) + Math.abs(in[3][k])) + 2 * Math.abs(in[2][k]));
                            }
                            return new double[][] {bound};
                        },
                        c.values(draw),
                        c.scale(draw),
                        c.bias(draw),
                        c.means(draw),
                        c.variances(draw)));
    }

    /**
     * μ is a sum of m terms: δμ = 2·√m·u·Σ|x|/m. As Σ(x − μ) = 0, an error of μ enters σ² only as its square:
     * δσ² = (2·√m + 2)·u·σ² + δμ². In y, γ·r·(x − μ) + β, they come to |γ|·r·δμ and |γ|·r·|x − μ|·½·δσ²/(σ² +
     * ε); the rest is the roundings that inference has. Worst observed: 0.5 of each of the three.
     */
    @TestFactory
    Stream<DynamicTest> boundedTraining() {
        return each(
                "bounded",
                and(SINGLE),
                (c, draw) -> bounded(
                        new BatchNorm.Training(c.epsilon()),
                        (in, out) -> trainingBounds(c, in, out),
                        c.values(draw),
                        c.scale(draw),
                        c.bias(draw)));
    }

    private static double[][] trainingBounds(Case c, double[][] in, double[][] out) {
        double[] mean = out[1];
        double[] variance = out[2];
        double[] boundMean = new double[c.channels()];
        double[] boundVariance = new double[c.channels()];
        double[] bound = new double[c.x().size()];
        double root = Math.sqrt(c.count());
        for (int i = 0; i < bound.length; i++) {
            boundMean[c.channel(i)] += 2 * root * Truth.U * Math.abs(in[0][i]) / c.count();
        }
        for (int k = 0; k < c.channels(); k++) {
            boundVariance[k] = (2 * root + 2) * Truth.U * variance[k] + boundMean[k] * boundMean[k];
        }
        for (int i = 0; i < bound.length; i++) {
            int k = c.channel(i);
            double s = Math.abs(in[1][k]) / Math.sqrt(variance[k] + c.epsilon());
            double centred = Math.abs(in[0][i] - mean[k]);
            bound[i] = s
                            * (boundMean[k]
                                    + centred * boundVariance[k] / (variance[k] + c.epsilon()) / 2
                                    + 5 * Truth.U * (Math.abs(in[0][i]) + Math.abs(mean[k])))
                    + 2 * Truth.U * Math.abs(in[2][k]);
        }
        return new double[][] {bound, boundMean, boundVariance};
    }

    /**
     * With x̂ = r·(x − μ), r and the difference rounded four times together: dβ is a sum of m terms, dγ one
     * of terms that carry five roundings of their own, so δdβ = 2·√m·u·Σ|dy| and δdγ = (2·√m + 5)·u·Σ|dy·x̂|.
     * In dx = γ·r·(dy − dβ/m − x̂·dγ/m) they come divided by m, beside eight roundings of each term. Worst
     * observed: 0.3 of each.
     */
    @TestFactory
    Stream<DynamicTest> boundedBackward() {
        return each("bounded dx", and(SINGLE), (c, draw) -> {
            Case varied = c.deviation() > 0 ? c : new Case(c.x(), c.epsilon(), c.mean(), 1);
            bounded(
                    new BatchNorm.Backward(c.epsilon()),
                    (in, out) -> backwardBounds(c, in, out),
                    varied.values(draw),
                    draw.normal(c.x()),
                    c.scale(draw),
                    varied.means(draw),
                    varied.variances(draw));
        });
    }

    private static double[][] backwardBounds(Case c, double[][] in, double[][] out) {
        double[] x = in[0];
        double[] dy = in[1];
        double[] boundScale = new double[c.channels()];
        double[] boundBias = new double[c.channels()];
        double[] bound = new double[x.length];
        double m = c.count();
        double root = Math.sqrt(m);
        for (int i = 0; i < x.length; i++) {
            int k = c.channel(i);
            boundBias[k] += 2 * root * Truth.U * Math.abs(dy[i]);
            boundScale[k] += (2 * root + 5) * Truth.U * Math.abs(dy[i] * normal(c, in, i));
        }
        for (int i = 0; i < x.length; i++) {
            int k = c.channel(i);
            double normal = Math.abs(normal(c, in, i));
            double s = Math.abs(in[2][k]) / Math.sqrt(in[4][k] + c.epsilon());
            double terms = Math.abs(dy[i]) + Math.abs(out[2][k]) / m + normal * Math.abs(out[1][k]) / m;
            bound[i] = s * (8 * Truth.U * terms + boundBias[k] / m + normal * boundScale[k] / m);
        }
        return new double[][] {bound, boundScale, boundBias};
    }

    private static double normal(Case c, double[][] in, int i) {
        int k = c.channel(i);
        return (in[0][i] - in[3][k]) / Math.sqrt(in[4][k] + c.epsilon());
    }

    /** Nothing to normalize: y and dx are empty, statistics and sums of no values are zero. */
    @TestFactory
    Stream<DynamicTest> exactOnNothing() {
        return each("exact", EMPTY, (c, draw) -> {
            Shape channels = Shape.of(c.channels());
            Tensor x = draw.integers(9, c.x());
            Tensor scale = draw.integers(9, channels);
            Tensor ones = Tensor.of(channels, ones(c.channels()));
            exact(new BatchNorm(c.epsilon(), 0.1f), x, scale, scale, scale, ones);
            exact(new BatchNorm.Training(c.epsilon()), x, scale, scale);
            exact(new BatchNorm.Backward(c.epsilon()), x, draw.integers(9, c.x()), scale, scale, ones);
        });
    }

    private static float[] ones(int n) {
        float[] ones = new float[n];
        Arrays.fill(ones, 1);
        return ones;
    }

    /**
     * Statistics, outputs and sums each err by √m·u or so: dx relative to its own size, dγ and dβ to a
     * quarter of the m terms of size one that they sum up. Worst observed: 0.3 of it.
     */
    private static final double GRADIENT = 32;

    @TestFactory
    Stream<DynamicTest> gradient() {
        List<Case> small = cases().stream()
                .filter(c -> c.x().size() < 5000 && c.count() > 3 && c.deviation() >= 1 && c.mean() < 10)
                .toList();
        return each(
                "gradient",
                small,
                (c, draw) -> gradients(
                        new BatchNorm.Training(c.epsilon()),
                        GRADIENT,
                        k -> k == 0 ? 0 : c.count() / 4.0,
                        draw.normal(c.x()),
                        c.values(draw),
                        c.scale(draw),
                        c.bias(draw)));
    }

    /** As it predicts, which is how a frozen one is trained through. */
    @TestFactory
    Stream<DynamicTest> gradientWithRunningStatistics() {
        List<Case> small = cases().stream()
                .filter(c -> c.x().size() < 5000 && c.deviation() >= 1 && c.mean() < 10)
                .toList();
        return each(
                "gradient with running statistics",
                small,
                (c, draw) -> gradients(
                        new BatchNorm(c.epsilon(), 0.1f),
                        GRADIENT / 2,
                        k -> k == 0 ? 0 : c.count() / 4.0,
                        draw.normal(c.x()),
                        c.values(draw),
                        c.scale(draw),
                        c.bias(draw),
                        c.means(draw),
                        c.variances(draw)));
    }
}
