package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hadal.graph.Op;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** What is normalized within each sample: layer, root-mean-square and group norm, and backwards. */
@Covers({
    LayerNorm.class,
    LayerNorm.Backward.class,
    RmsNorm.class,
    RmsNorm.Backward.class,
    GroupNorm.class,
    GroupNorm.Backward.class
})
abstract class GroupNormSpec extends Spec {

    private enum Kind {
        LAYER,
        RMS,
        GROUP
    }

    /**
     * What to normalize: values of that mean and deviation.
     *
     * @param axesOrGroups how many axes, or how many groups
     */
    record Case(Kind kind, Shape x, int axesOrGroups, double mean, double deviation) {
        private static final float EPSILON = 1e-5f;

        static Case of(Kind kind, int axesOrGroups, int... x) {
            return new Case(kind, Shape.of(x), axesOrGroups, 0.5, 2);
        }

        boolean centred() {
            return kind != Kind.RMS;
        }

        Op op() {
            return switch (kind) {
                case LAYER -> new LayerNorm(axesOrGroups, EPSILON);
                case RMS -> new RmsNorm(axesOrGroups, EPSILON);
                case GROUP -> new GroupNorm(axesOrGroups, EPSILON);
            };
        }

        Op backward() {
            return switch (kind) {
                case LAYER -> new LayerNorm.Backward(axesOrGroups, EPSILON);
                case RMS -> new RmsNorm.Backward(axesOrGroups, EPSILON);
                case GROUP -> new GroupNorm.Backward(axesOrGroups, EPSILON);
            };
        }

        /** The shape of scale and bias. */
        Shape scales() {
            return kind == Kind.GROUP
                    ? Shape.of(x.get(1))
                    : new Shape(x.dims().subList(x.rank() - axesOrGroups, x.rank()));
        }

        Shape statistics() {
            return kind == Kind.GROUP
                    ? Shape.of(x.get(0), axesOrGroups)
                    : new Shape(x.dims().subList(0, x.rank() - axesOrGroups));
        }

        /** How many values are normalized together. */
        int width() {
            return x.size() / statistics().size();
        }

        int group(int i) {
            return i / width();
        }

        int scale(int i) {
            return kind == Kind.GROUP ? i / x.sizeFrom(2) % x.get(1) : i % width();
        }

        Tensor values(Draw draw) {
            return draw.normal(mean, deviation, x);
        }

        Tensor scale(Draw draw) {
            return draw.normal(1, 0.5, scales());
        }

        Tensor[] operands(Draw draw) {
            return centred()
                    ? new Tensor[] {values(draw), scale(draw), draw.normal(scales())}
                    : new Tensor[] {values(draw), scale(draw)};
        }

        Tensor[] backwardOperands(Draw draw) {
            double square = deviation * deviation + (centred() ? 0 : mean * mean) + 1e-3;
            Tensor spread = draw.uniform(square / 2, square * 2, statistics());
            return centred()
                    ? new Tensor[] {
                        values(draw), draw.normal(x), scale(draw), draw.normal(mean, 1, statistics()), spread
                    }
                    : new Tensor[] {values(draw), draw.normal(x), scale(draw), spread};
        }
    }

    private static List<Case> cases() {
        List<Case> cases = new ArrayList<>(List.of(
                Case.of(Kind.LAYER, 1, 7),
                Case.of(Kind.LAYER, 1, 3, 1),
                Case.of(Kind.LAYER, 1, 5, 16),
                Case.of(Kind.LAYER, 1, 200, 65),
                Case.of(Kind.LAYER, 1, 2, 17, 64),
                Case.of(Kind.LAYER, 1, 33, 1000),
                Case.of(Kind.LAYER, 2, 3, 5, 7),
                Case.of(Kind.LAYER, 3, 2, 3, 4, 5),
                Case.of(Kind.RMS, 1, 7),
                Case.of(Kind.RMS, 1, 200, 65),
                Case.of(Kind.RMS, 1, 3, 17, 64),
                Case.of(Kind.RMS, 2, 3, 5, 7),
                Case.of(Kind.GROUP, 1, 3, 4),
                Case.of(Kind.GROUP, 2, 5, 6),
                Case.of(Kind.GROUP, 3, 2, 6, 7),
                Case.of(Kind.GROUP, 4, 2, 16, 14, 14),
                Case.of(Kind.GROUP, 17, 3, 17, 5, 7),
                Case.of(Kind.GROUP, 8, 90, 32, 8, 8),
                Case.of(Kind.GROUP, 1, 2, 3, 2, 3, 2),
                // A mean that is large beside the deviation: Σx²/m − μ² would be noise.
                new Case(Kind.LAYER, Shape.of(9, 77), 1, 1000, 1),
                new Case(Kind.GROUP, Shape.of(4, 8, 7, 7), 2, 1000, 1),
                // Values that never change have no variance at all.
                new Case(Kind.LAYER, Shape.of(4, 33), 1, 3.7, 0),
                new Case(Kind.RMS, Shape.of(4, 33), 1, 3.7, 0),
                new Case(Kind.GROUP, Shape.of(2, 16, 3, 3), 4, 3.7, 0)));
        Draw draw = new Draw("group norm shapes");
        for (int i = 0; i < 8; i++) {
            int channels = draw.dim();
            cases.add(Case.of(Kind.LAYER, draw.between(1, 2), draw.between(2, 5), draw.dim(), draw.dim()));
            cases.add(Case.of(Kind.RMS, draw.between(1, 2), draw.between(2, 5), draw.dim(), draw.dim()));
            cases.add(Case.of(Kind.GROUP, draw.oneOf(1, channels), draw.between(1, 3), channels, draw.dim()));
        }
        return cases;
    }

    private static final List<Case> EMPTY = List.of(
            Case.of(Kind.LAYER, 1, 0, 3),
            Case.of(Kind.LAYER, 1, 3, 0),
            Case.of(Kind.RMS, 2, 0, 3, 2),
            Case.of(Kind.RMS, 1, 3, 0),
            Case.of(Kind.GROUP, 2, 0, 4, 5, 5),
            Case.of(Kind.GROUP, 2, 3, 0, 5),
            Case.of(Kind.GROUP, 2, 3, 4, 0));

    /**
     * As batch norm's, over the w values of a group: δμ = 2·√w·u·Σ|x|/w; δσ² = (2·√w + 2)·u·σ² + δμ²; in y, |γ|·ρ·(δμ +
     * |x − μ|·½·δσ²/(σ² + ε)) and five roundings relative to |γ|·ρ·(|x| + |μ|), one of β. Without a mean, the same of
     * mean(x²). Worst observed: 0.5 of each.
     */
    private static double[][] bounds(Case c, double[][] in, double[][] out) {
        int groups = c.statistics().size();
        double[] mean = c.centred() ? out[1] : new double[groups];
        double[] variance = out[c.centred() ? 2 : 1];
        double[] boundMean = new double[groups];
        double[] boundVariance = new double[groups];
        double[] bound = new double[c.x().size()];
        double root = Math.sqrt(c.width());
        for (int i = 0; i < bound.length && c.centred(); i++) {
            boundMean[c.group(i)] += 2 * root * Truth.U * Math.abs(in[0][i]) / c.width();
        }
        for (int k = 0; k < groups; k++) {
            boundVariance[k] = (2 * root + 2) * Truth.U * variance[k] + boundMean[k] * boundMean[k];
        }
        for (int i = 0; i < bound.length; i++) {
            int k = c.group(i);
            double s = Math.abs(in[1][c.scale(i)]) / Math.sqrt(variance[k] + Case.EPSILON);
            double centred = Math.abs(in[0][i] - mean[k]);
            double bias = c.centred() ? Math.abs(in[2][c.scale(i)]) : 0;
            bound[i] = s
                            * (boundMean[k]
                                    + centred * boundVariance[k] / (variance[k] + Case.EPSILON) / 2
                                    + 5 * Truth.U * (Math.abs(in[0][i]) + Math.abs(mean[k])))
                    + 2 * Truth.U * bias;
        }
        return c.centred() ? new double[][] {bound, boundMean, boundVariance} : new double[][] {bound, boundVariance};
    }

    @TestFactory
    Stream<DynamicTest> bounded() {
        return each(
                "bounded", cases(), (c, draw) -> bounded(c.op(), (in, out) -> bounds(c, in, out), c.operands(draw)));
    }

    /**
     * dβ and dγ are sums of m terms, one of each group: δdβ = 2·√m·u·Σ|dy|, δdγ = (2·√m + 5)·u·Σ|dy·x̂|. In dx = ρ·(g −
     * mean(g) − x̂·mean(g·x̂)) the means err by (2·√w + 5)·u of the mean magnitudes, beside eight roundings of each term.
     * Worst observed: 0.4 of each.
     */
    private static double[][] backwardBounds(Case c, double[][] in) {
        double[] boundScale = new double[c.scales().size()];
        double[] boundBias = new double[c.scales().size()];
        double[] sums = new double[c.statistics().size()];
        double[] products = new double[sums.length];
        double[] bound = new double[c.x().size()];
        double root = Math.sqrt((double) bound.length / boundScale.length);
        double rowRoot = Math.sqrt(c.width());
        for (int i = 0; i < bound.length; i++) {
            double dy = Math.abs(in[1][i]);
            double g = dy * Math.abs(in[2][c.scale(i)]);
            boundBias[c.scale(i)] += 2 * root * Truth.U * dy;
            boundScale[c.scale(i)] += (2 * root + 5) * Truth.U * dy * normal(c, in, i);
            sums[c.group(i)] += c.centred() ? g / c.width() : 0;
            products[c.group(i)] += g * normal(c, in, i) / c.width();
        }
        for (int i = 0; i < bound.length; i++) {
            int k = c.group(i);
            double g = Math.abs(in[1][i] * in[2][c.scale(i)]);
            double rho = 1 / Math.sqrt(in[c.centred() ? 4 : 3][k] + Case.EPSILON);
            double terms = 8 * g + (2 * rowRoot + 5) * (sums[k] + normal(c, in, i) * products[k]);
            bound[i] = rho * Truth.U * terms;
        }
        return c.centred() ? new double[][] {bound, boundScale, boundBias} : new double[][] {bound, boundScale};
    }

    /** |x̂| */
    private static double normal(Case c, double[][] in, int i) {
        int k = c.group(i);
        double mean = c.centred() ? in[3][k] : 0;
        return Math.abs(in[0][i] - mean) / Math.sqrt(in[c.centred() ? 4 : 3][k] + Case.EPSILON);
    }

    @TestFactory
    Stream<DynamicTest> boundedBackward() {
        return each(
                "bounded dx",
                cases(),
                (c, draw) -> bounded(c.backward(), (in, out) -> backwardBounds(c, in), c.backwardOperands(draw)));
    }

    /** Nothing to normalize: y and dx are empty, statistics and sums of no values are zero. */
    @TestFactory
    Stream<DynamicTest> exactOnNothing() {
        return each("exact", EMPTY, (c, draw) -> {
            Tensor x = draw.integers(9, c.x());
            Tensor scale = draw.integers(9, c.scales());
            Tensor statistics = draw.integers(0, c.statistics());
            if (c.centred()) {
                exact(c.op(), x, scale, scale);
                exact(c.backward(), x, x, scale, statistics, statistics);
            } else {
                exact(c.op(), x, scale);
                exact(c.backward(), x, x, scale, statistics);
            }
        });
    }

    /** A value that is no number spoils its own group, and no other. */
    @TestFactory
    Stream<DynamicTest> notANumberStaysOne() {
        List<Case> cases =
                List.of(Case.of(Kind.LAYER, 1, 5, 33), Case.of(Kind.RMS, 1, 5, 33), Case.of(Kind.GROUP, 3, 2, 6, 7));
        return each("NaN", cases, (c, draw) -> {
            Tensor[] operands = c.operands(draw);
            operands[0].floats()[c.width() + 3] = Float.NaN;
            bench().check(c.op(), List.of(operands), y -> {
                for (int i = 0; i < c.x().size(); i++) {
                    assertEquals(c.group(i) == 1, Float.isNaN(y.get(0).floats()[i]), "NaN at " + i);
                }
            });
        });
    }

    /**
     * Statistics, outputs and sums each err by √w·u or so: dx relative to its own size, dγ and dβ to a quarter of the
     * terms of size one that they sum up. Worst observed: 0.3 of it.
     */
    private static final double GRADIENT = 24;

    @TestFactory
    Stream<DynamicTest> gradient() {
        List<Case> small = cases().stream()
                .filter(c -> c.x().size() < 5000 && c.width() > 3 && c.deviation() >= 1 && c.mean() < 10)
                .toList();
        return each("gradient", small, (c, draw) -> {
            double terms = (double) c.x().size() / c.scales().size();
            gradients(c.op(), GRADIENT, k -> k == 0 ? 0 : terms / 4, draw.normal(c.x()), c.operands(draw));
        });
    }
}
