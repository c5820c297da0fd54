package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Softmax and cross-entropy. */
@Covers({CrossEntropy.class, CrossEntropy.Backward.class})
abstract class CrossEntropySpec extends Spec {

    /**
     * A batch of logits of that deviation.
     *
     * @param places the labels of each sample; 0 if it has one, and no axis for it
     * @param weights whether classes and samples have weights
     * @param ignored every which label is not to count; 0 for none
     */
    record Case(int n, int places, int classes, double deviation, float smoothing, boolean weights, int ignored) {
        Case(int n, int classes, double deviation, float smoothing) {
            this(n, 0, classes, deviation, smoothing, false, 0);
        }

        CrossEntropy op() {
            List<Float> classWeights = new ArrayList<>();
            for (int c = 0; c < classes && weights; c++) {
                classWeights.add(0.25f * (c % 5 + 1));
            }
            return new CrossEntropy(smoothing, classWeights, weights, ignored == 0 ? CrossEntropy.IGNORE : -1);
        }

        CrossEntropy.Backward backward() {
            return new CrossEntropy.Backward(op());
        }

        Shape x() {
            return places == 0 ? Shape.of(n, classes) : Shape.of(n, places, classes);
        }

        int rows() {
            return n * Math.max(1, places);
        }

        Tensor labels(Draw draw) {
            int[] labels = draw.labels(rows(), classes).ints();
            for (int i = 0; i < labels.length && ignored > 0; i += ignored) {
                labels[i] = -1;
            }
            return Tensor.of(places == 0 ? Shape.of(n) : Shape.of(n, places), labels);
        }

        Tensor logits(Draw draw) {
            return draw.normal(0, deviation, x());
        }

        /** Labels, weights if there are any, and whatever else. */
        Tensor[] operands(Tensor first, Draw draw, Tensor... last) {
            List<Tensor> operands = new ArrayList<>(List.of(first, labels(draw)));
            if (weights) {
                operands.add(draw.uniform(0, 2, Shape.of(n)));
            }
            operands.addAll(List.of(last));
            return operands.toArray(Tensor[]::new);
        }

        /** v/Σw[y] of each row; 0 where it does not count. */
        double[] scales(double[][] in) {
            double divisor = 0;
            double[] scales = new double[rows()];
            for (int row = 0; row < scales.length; row++) {
                if (in[1][row] >= 0) {
                    divisor += classWeight((int) in[1][row]);
                    scales[row] = weights ? in[2][row / Math.max(1, places)] : 1;
                }
            }
            for (int row = 0; row < scales.length; row++) {
                scales[row] /= divisor;
            }
            return scales;
        }

        double classWeight(int c) {
            return weights ? op().classWeights().get(c) : 1;
        }

        /** q·w of each class, and last their sum. */
        double[] targets(double label) {
            double[] targets = new double[classes + 1];
            for (int c = 0; c < classes; c++) {
                targets[c] = ((c == label ? 1 - smoothing : 0) + smoothing / classes) * classWeight(c);
                targets[classes] += targets[c];
            }
            return targets;
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
            new Case(7, 0, 10, 1, 0, true, 0),
            new Case(31, 0, 33, 2, 0.1f, true, 3),
            new Case(5, 7, 17, 2, 0, false, 2),
            new Case(65, 16, 31, 2, 0.1f, true, 3),
            new Case(3, 8, 15, 2, 0, true, 0),
            // Logits that overflow eˣ unless the largest is subtracted first; near-certainty, right and wrong.
            new Case(16, 10, 1000, 0),
            new Case(16, 10, 1e5, 0.1f));

    private static final List<Case> EMPTY =
            List.of(new Case(0, 10, 1, 0), new Case(0, 10, 1, 0.1f), new Case(0, 3, 5, 1, 0, true, 0));

    /**
     * With d = max − x ≥ 0 and s = Σ e⁻ᵈ, log p = −d − log s has roundings of d and of their sum: 2·(d + log
     * s)·u, which the exponential turns into a relative error of p. The sum s adds √C·u, exponential and
     * logarithm an ulp or two, 2u to 4u each. The loss is a sum of N·C terms v·q·w·log p / Σw: 2·√(N·C)·u of their
     * sum, beside what log p brings. Worst observed: 0.3 of the loss's bound, 0.9 of p's.
     */
    private static double[][] bounds(Case c, double[][] in) {
        double[] x = in[0];
        double[] scales = c.scales(in);
        double[] loss = new double[1];
        double[] p = new double[x.length];
        double roots = Math.sqrt(c.classes());
        double sums = 2 * Math.sqrt(c.rows() * c.classes());
        for (int n = 0; n < c.rows(); n++) {
            double max = Double.NEGATIVE_INFINITY;
            for (int i = 0; i < c.classes(); i++) {
                max = Math.max(max, x[n * c.classes() + i]);
            }
            double s = 0;
            for (int i = 0; i < c.classes(); i++) {
                s += Math.exp(x[n * c.classes() + i] - max);
            }
            double[] targets = c.targets(in[1][n]);
            for (int i = 0; i < c.classes(); i++) {
                double d = max - x[n * c.classes() + i];
                double logp = d + Math.log(s);
                p[n * c.classes() + i] = (2 * logp + roots + 6) * Truth.U * Math.exp(-d) / s + Truth.TINY;
                loss[0] += targets[i] * scales[n] * ((2 + sums) * logp + roots + 4) * Truth.U;
            }
        }
        return new double[][] {loss, p};
    }

    @TestFactory
    Stream<DynamicTest> bounded() {
        return each(
                "bounded",
                CASES,
                (c, draw) -> bounded(c.op(), (in, out) -> bounds(c, in), c.operands(c.logits(draw), draw)));
    }

    /** Loss and gradient of no rows are zero and none. */
    @TestFactory
    Stream<DynamicTest> exactOnNothing() {
        return each("exact", EMPTY, (c, draw) -> {
            exact(c.op(), c.operands(draw.integers(9, c.x()), draw));
            exact(c.backward(), c.operands(draw.integers(9, c.x()), draw, Tensor.of(Shape.SCALAR, 2f)));
        });
    }

    /**
     * v·(p·Σqw − qw)·dloss/Σw: q·w is rounded up to four times, its sum, the product with p, the difference and the scale
     * up to three times each; sums of weights err by the root of their terms. Worst observed: 0.6 of it.
     */
    private static double[][] backwardBounds(Case c, double[][] in) {
        double[] p = in[0];
        double[] dx = new double[p.length];
        double[] scales = c.scales(in);
        double dloss = Math.abs(in[in.length - 1][0]);
        double roots = c.weights() ? 3 + Math.sqrt(c.rows()) : 3;
        for (int i = 0; i < dx.length; i++) {
            double[] targets = c.targets(in[1][i / c.classes()]);
            double q = targets[i % c.classes()];
            double sum = targets[c.classes()];
            double terms = (c.weights() ? 3 + Math.sqrt(c.classes()) : 3) * p[i] * sum + 4 * q;
            dx[i] = (roots * Math.abs(p[i] * sum - q) + terms) * dloss * scales[i / c.classes()] * Truth.U + Truth.TINY;
        }
        return new double[][] {dx};
    }

    @TestFactory
    Stream<DynamicTest> boundedBackward() {
        return each("bounded dx", CASES, (c, draw) -> {
            double[] p = Truth.formula(c.op(), List.of(c.operands(c.logits(draw), draw)))[1];
            Tensor rounded = Truth.tensor(dev.hadal.graph.Type.f32(c.x()), p);
            Tensor dloss = Tensor.of(Shape.SCALAR, -1.7f);
            bounded(c.backward(), (in, out) -> backwardBounds(c, in), c.operands(rounded, draw, dloss));
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
                (c, draw) ->
                        gradients(c.op(), GRADIENT, Tensor.of(Shape.SCALAR, 1.3f), c.operands(c.logits(draw), draw)));
    }

    /** Labels that are ignored leave no trace, whatever their logits; if all are, there is no mean. */
    @TestFactory
    Stream<DynamicTest> whatIsIgnoredLeavesNoTrace() {
        return each("ignored", List.of(new CrossEntropy(0.1f), new CrossEntropy(0)), (op, draw) -> {
            Tensor x = draw.normal(Shape.of(3, 5));
            Tensor odd = Tensor.of(x.shape(), x.floats().clone());
            Arrays.fill(odd.floats(), 5, 10, Float.NaN);
            Tensor labels = Tensor.of(Shape.of(3), 4, CrossEntropy.IGNORE, 0);
            double expected = Truth.formula(op, List.of(x, labels))[0][0];
            for (Tensor logits : List.of(x, odd)) {
                bench().check(op, List.of(logits, labels), y -> {
                    float loss = y.get(0).floats()[0];
                    assertTrue(Math.abs(loss - expected) < 1e-6 * expected, loss + " is not " + expected);
                });
            }
            Tensor one = Tensor.of(Shape.SCALAR, 1f);
            bench().check(new CrossEntropy.Backward(op), List.of(odd, labels, one), dx -> {
                for (int i = 0; i < 15; i++) {
                    assertEquals(i / 5 == 1, dx.get(0).floats()[i] == 0, "dx at " + i);
                }
            });
            Tensor none = Tensor.of(Shape.of(3), -100, -100, -100);
            bench().check(
                            op,
                            List.of(x, none),
                            y -> assertTrue(Float.isNaN(y.get(0).floats()[0])));
        });
    }
}
