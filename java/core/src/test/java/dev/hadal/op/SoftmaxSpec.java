package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Softmax and its logarithm, along any axis. */
@Covers({Softmax.class, Softmax.Backward.class})
abstract class SoftmaxSpec extends Spec {

    record Case(boolean log, Shape x, int axis, double deviation) {
        static List<Case> both(double deviation, int axis, int... x) {
            Shape shape = Shape.of(x);
            return List.of(new Case(false, shape, axis, deviation), new Case(true, shape, axis, deviation));
        }

        Softmax op() {
            return new Softmax(axis, log);
        }

        Op backward() {
            return new Softmax.Backward(op());
        }

        private int fromFirst() {
            return axis < 0 ? axis + x.rank() : axis;
        }

        int length() {
            return x.get(fromFirst());
        }

        /** Which line along the axis an element belongs to. */
        int line(int i) {
            int stride = x.sizeFrom(fromFirst() + 1);
            return i / (stride * length()) * stride + i % stride;
        }

        int lines() {
            return x.size() / length();
        }
    }

    private static List<Case> cases() {
        List<Case> cases = new ArrayList<>();
        cases.addAll(Case.both(2, 0, 1));
        cases.addAll(Case.both(2, -1, 7));
        cases.addAll(Case.both(2, 1, 3, 1));
        cases.addAll(Case.both(2, 1, 128, 10));
        cases.addAll(Case.both(0.1, -1, 33, 17));
        cases.addAll(Case.both(2, -1, 2, 3, 64, 65));
        cases.addAll(Case.both(5, -1, 5, 1000));
        cases.addAll(Case.both(2, 0, 31, 33));
        cases.addAll(Case.both(2, 1, 2, 17, 15, 3));
        cases.addAll(Case.both(2, -3, 3, 8, 16, 7));
        cases.addAll(Case.both(2, 0, 2, 65, 64));
        // Values that overflow eˣ unless the largest is subtracted first.
        cases.addAll(Case.both(1000, -1, 16, 10));
        cases.addAll(Case.both(1e5, 1, 3, 10, 16));
        Draw draw = new Draw("softmax shapes");
        for (int i = 0; i < 6; i++) {
            cases.addAll(Case.both(3, draw.between(0, 2), draw.dim(), draw.dim(), draw.dim()));
        }
        return cases;
    }

    private static final List<Case> EMPTY = Stream.of(
                    Case.both(1, -1, 0, 10), Case.both(1, -1, 3, 0), Case.both(1, 1, 3, 2, 0))
            .flatMap(List::stream)
            .toList();

    /**
     * As cross-entropy's: with d = max − x and s = Σ e⁻ᵈ, log y = −d − log s has roundings of d, of the logarithm and of
     * their sum; s adds √C·u, exponential and logarithm 2u to 4u each. In y they are relative, in its logarithm absolute.
     * Worst observed: 1 of it.
     */
    private static double[][] bounds(Case c, double[] x, double[] y) {
        double[] largest = new double[c.lines()];
        Arrays.fill(largest, Double.NEGATIVE_INFINITY);
        for (int i = 0; i < x.length; i++) {
            largest[c.line(i)] = Math.max(largest[c.line(i)], x[i]);
        }
        double[] bound = new double[y.length];
        for (int i = 0; i < y.length; i++) {
            double d = largest[c.line(i)] - x[i];
            double logs = Math.abs((c.log() ? -y[i] : -Math.log(Math.max(y[i], Double.MIN_NORMAL))) - d);
            double error = (2 * d + 2 * logs + Math.sqrt(c.length()) + 6) * Truth.U;
            bound[i] = c.log() ? error : error * y[i] + Truth.TINY;
        }
        return new double[][] {bound};
    }

    @TestFactory
    Stream<DynamicTest> bounded() {
        return each(
                "bounded",
                cases(),
                (c, draw) ->
                        bounded(c.op(), (in, out) -> bounds(c, in[0], out[0]), draw.normal(0, c.deviation(), c.x())));
    }

    /**
     * The sum along the axis errs by 2·√C·u of its terms' magnitudes; the exponential by 4u, differences and products by
     * u each. Worst observed: 0.5 of it.
     */
    private static double[][] backwardBounds(Case c, double[] y, double[] dy) {
        double[] sum = new double[c.lines()];
        for (int i = 0; i < y.length; i++) {
            sum[c.line(i)] += Math.abs(c.log() ? dy[i] : dy[i] * y[i]);
        }
        double[] bound = new double[y.length];
        for (int i = 0; i < y.length; i++) {
            double total = sum[c.line(i)];
            double roots = 2 * Math.sqrt(c.length());
            bound[i] = c.log()
                    ? Truth.U * (2 * Math.abs(dy[i]) + Math.exp(y[i]) * (6 + roots) * total) + Truth.TINY * (1 + total)
                    : Truth.U * y[i] * (3 * Math.abs(dy[i]) + (3 + roots) * total) + Truth.TINY;
        }
        return new double[][] {bound};
    }

    @TestFactory
    Stream<DynamicTest> boundedBackward() {
        return each("bounded dx", cases(), (c, draw) -> {
            Tensor x = draw.normal(0, c.deviation(), c.x());
            Tensor y = Truth.tensor(Type.f32(c.x()), Truth.formula(c.op(), List.of(x))[0]);
            bounded(c.backward(), (in, out) -> backwardBounds(c, in[0], in[1]), y, draw.normal(c.x()));
        });
    }

    @TestFactory
    Stream<DynamicTest> exactOnNothing() {
        return each("exact", EMPTY, (c, draw) -> {
            exact(c.op(), draw.integers(9, c.x()));
            exact(c.backward(), draw.integers(9, c.x()), draw.integers(9, c.x()));
        });
    }

    /** Where attention is masked, nothing comes through, forward or backward; with everything masked, nothing is left. */
    @TestFactory
    Stream<DynamicTest> infinitiesMask() {
        List<Case> cases = Stream.of(Case.both(1, -1, 5, 33), Case.both(1, 0, 7, 20))
                .flatMap(List::stream)
                .toList();
        return each("masked", cases, (c, draw) -> {
            Tensor x = draw.normal(c.x());
            for (int i = 0; i < c.x().size(); i++) {
                if (c.line(i) == 1 || i % 3 == 0) {
                    x.floats()[i] = Float.NEGATIVE_INFINITY;
                }
            }
            float masked = c.log() ? Float.NEGATIVE_INFINITY : 0f;
            bench().check(c.op(), List.of(x), y -> {
                for (int i = 0; i < c.x().size(); i++) {
                    float yi = y.get(0).floats()[i];
                    if (c.line(i) == 1) {
                        assertTrue(Float.isNaN(yi), "nothing but -Inf: NaN at " + i + ", not " + yi);
                    } else if (i % 3 == 0) {
                        assertEquals(masked, yi, "masked at " + i);
                    } else {
                        assertTrue(Float.isFinite(yi), "not masked at " + i + ", but " + yi);
                    }
                }
            });
            Tensor y = Tensor.of(Shape.of(3, 2), masked, c.log() ? 0f : 1f, masked, c.log() ? 0f : 1f, masked, masked);
            Op backward = new Softmax.Backward(new Softmax(-1, c.log()));
            bench().check(backward, List.of(y, Tensor.of(Shape.of(3, 2), 5f, 2f, 0f, 3f, 0f, 0f)), dx -> {
                float[] expected = c.log() ? new float[] {5, -5, 0, 0, 0, 0} : new float[6];
                for (int i = 0; i < 6; i++) {
                    assertEquals(expected[i], dx.get(0).floats()[i] + 0f, "dx at " + i);
                }
            });
        });
    }

    @TestFactory
    Stream<DynamicTest> notANumberStaysOne() {
        List<Case> cases = Stream.of(Case.both(1, -1, 5, 33), Case.both(1, 0, 7, 20))
                .flatMap(List::stream)
                .toList();
        return each("NaN", cases, (c, draw) -> {
            for (float odd : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
                Tensor x = draw.normal(c.x());
                for (int i = 0; i < c.x().size(); i++) {
                    if (c.line(i) == 2) {
                        x.floats()[i] = odd;
                        break;
                    }
                }
                bench().check(c.op(), List.of(x), y -> {
                    for (int i = 0; i < c.x().size(); i++) {
                        boolean allowed = c.line(i) == 2;
                        boolean nan = Float.isNaN(y.get(0).floats()[i]);
                        assertTrue(nan ? allowed : !allowed || !Float.isNaN(odd), odd + ": NaN at " + i);
                    }
                });
            }
        });
    }

    /** Errors of a few u and of d·y ≤ 1 more, relative to the largest gradient. Worst observed: 0.3 of it. */
    private static final double GRADIENT = 32;

    @TestFactory
    Stream<DynamicTest> gradient() {
        List<Case> smooth = cases().stream()
                .filter(c -> c.deviation() < 10 && c.length() > 1 && c.x().size() < 5000)
                .toList();
        return each(
                "gradient",
                smooth,
                (c, draw) -> gradients(
                        c.op(), GRADIENT, draw.normal(c.x()), draw.normal(0, Math.min(2, c.deviation()), c.x())));
    }
}
