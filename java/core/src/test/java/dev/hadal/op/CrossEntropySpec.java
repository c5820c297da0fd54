package dev.hadal.op;

import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Softmax and cross-entropy. */
@Covers({CrossEntropy.class, CrossEntropy.Backward.class})
abstract class CrossEntropySpec extends Spec {

    record Case(int n, int classes, double deviation, float smoothing) {
        CrossEntropy op() {
            return new CrossEntropy(smoothing);
        }

        CrossEntropy.Backward backward() {
            return new CrossEntropy.Backward(smoothing);
        }

        Shape x() {
            return Shape.of(n, classes);
        }

        Tensor logits(Draw draw) {
            return draw.normal(0, deviation, x());
        }
    }

    private static final List<Case> CASES = List.of(
            new Case(1, 1, 1, 0),
            new Case(1, 2, 1, 0),
            new Case(3, 1, 1, 0.1f),
            new Case(1, 10, 3, 0.1f),
            new Case(7, 10, 1, 0),
            new Case(128, 10, 2, 0),
            new Case(128, 10, 2, 0.1f),
            new Case(33, 17, 5, 0),
            new Case(31, 33, 0.1, 0.25f),
            new Case(5, 1000, 2, 0.1f),
            new Case(300, 16, 30, 0),
            // Logits that overflow eˣ unless the largest is subtracted first; near-certainty, right and wrong.
            new Case(16, 10, 1000, 0),
            new Case(16, 10, 1e5, 0.1f));

    private static final List<Case> EMPTY = List.of(new Case(0, 10, 1, 0), new Case(0, 10, 1, 0.1f));

    /**
     * With d = max − x ≥ 0 and s = Σ e⁻ᵈ, log p = −d − log s has roundings of d and of their sum: 2·(d + log
     * s)·u, which the exponential turns into a relative error of p. The sum s adds √C·u, exponential and
     * logarithm an ulp or two, 2u to 4u each. The loss is a sum of N·C terms q·log p / N: 2·√(N·C)·u of their
     * sum, beside what log p brings. Worst observed: 0.3 of the loss's bound, 0.9 of p's.
     */
    private static double[][] bounds(Case c, double[] x, double[] labels) {
        double[] loss = new double[1];
        double[] p = new double[x.length];
        double roots = Math.sqrt(c.classes());
        double sums = 2 * Math.sqrt(c.n() * c.classes());
        for (int n = 0; n < c.n(); n++) {
            double max = Double.NEGATIVE_INFINITY;
            for (int i = 0; i < c.classes(); i++) {
                max = Math.max(max, x[n * c.classes() + i]);
            }
            double s = 0;
            for (int i = 0; i < c.classes(); i++) {
                s += Math.exp(x[n * c.classes() + i] - max);
            }
            for (int i = 0; i < c.classes(); i++) {
                double d = max - x[n * c.classes() + i];
                double logp = d + Math.log(s);
                double q = (i == labels[n] ? 1 - c.smoothing() : 0) + c.smoothing() / c.classes();
                p[n * c.classes() + i] = (2 * logp + roots + 6) * Truth.U * Math.exp(-d) / s + Truth.TINY;
                loss[0] += q / c.n() * ((2 + sums) * logp + roots + 4) * Truth.U;
            }
        }
        return new double[][] {loss, p};
    }

    @TestFactory
    Stream<DynamicTest> bounded() {
        return each(
                "bounded",
                CASES,
                (c, draw) -> bounded(
                        c.op(), (in, out) -> bounds(c, in[0], in[1]), c.logits(draw), draw.labels(c.n(), c.classes())));
    }

    /** Loss and gradient of no rows are zero and none. */
    @TestFactory
    Stream<DynamicTest> exactOnNothing() {
        return each("exact", EMPTY, (c, draw) -> {
            exact(c.op(), draw.integers(9, c.x()), draw.labels(0, c.classes()));
            exact(c.backward(), draw.integers(9, c.x()), draw.labels(0, c.classes()), Tensor.of(Shape.SCALAR, 2f));
        });
    }

    /**
     * (p − q)·dloss/N: q is rounded up to three times, the difference, the product and the quotient once each.
     * Worst observed: 0.6 of it.
     */
    private static double[][] backwardBounds(Case c, double[] p, double[] labels, double dloss) {
        double[] dx = new double[p.length];
        for (int i = 0; i < dx.length; i++) {
            double q =
                    (i % c.classes() == labels[i / c.classes()] ? 1 - c.smoothing() : 0) + c.smoothing() / c.classes();
            dx[i] = (3 * Math.abs(p[i] - q) + 3 * q) * Math.abs(dloss) / c.n() * Truth.U + Truth.TINY;
        }
        return new double[][] {dx};
    }

    @TestFactory
    Stream<DynamicTest> boundedBackward() {
        return each("bounded dx", CASES, (c, draw) -> {
            Tensor labels = draw.labels(c.n(), c.classes());
            double[] p = Truth.formula(c.op(), List.of(c.logits(draw), labels))[1];
            bounded(
                    c.backward(),
                    (in, out) -> backwardBounds(c, in[0], in[1], in[2][0]),
                    Truth.tensor(dev.hadal.graph.Type.f32(c.x()), p),
                    labels,
                    Tensor.of(Shape.SCALAR, -1.7f));
        });
    }

    /**
     * Errors of p, a few u and d·p ≤ 1 more, relative to the largest p − q, which is not small. Worst observed:
     * 0.4 of it.
     */
    private static final double GRADIENT = 16;

    @TestFactory
    Stream<DynamicTest> gradient() {
        List<Case> smooth = CASES.stream()
                .filter(c -> c.deviation() < 10 && c.classes() > 1 && c.classes() < 100)
                .toList();
        return each(
                "gradient",
                smooth,
                (c, draw) -> gradients(
                        c.op(),
                        GRADIENT,
                        Tensor.of(Shape.SCALAR, 1.3f),
                        c.logits(draw),
                        draw.labels(c.n(), c.classes())));
    }
}
