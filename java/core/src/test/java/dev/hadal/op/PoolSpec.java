package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hadal.graph.Type;
import dev.hadal.op.Pooling.Function;
import dev.hadal.op.Window.Axis;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** One value of each bin of a plane, and the gradients. */
@Covers({Pool.class, AdaptivePool.class, Pooling.MaxBackward.class, Pooling.AverageBackward.class})
abstract class PoolSpec extends Spec {

    record Case(Shape x, Pooling op) {
        static Case of(Shape x, Function function, int height, int width, Axis vertical, Axis horizontal) {
            return new Case(x, new Pool(function, height, width, new Window(vertical, horizontal)));
        }

        static Case of(Shape x, Function function, int kernel, int stride, int padding, int dilation) {
            return new Case(x, new Pool(function, kernel, kernel, Window.of(stride, padding, dilation)));
        }

        boolean isMax() {
            return op.function() == Function.MAX;
        }

        /** The places that the largest bin holds. */
        double most() {
            return (double) largest(op.rows(x).count()) * largest(op.columns(x).count());
        }

        private static int largest(int[] counts) {
            int largest = 1;
            for (int count : counts) {
                largest = Math.max(largest, count);
            }
            return largest;
        }

        Shape y() {
            return op.infer(List.of(Type.f32(x))).get(0).shape();
        }

        @Override
        public String toString() {
            return "x " + x + " " + op;
        }
    }

    private static List<Case> picked(Function f) {
        return List.of(
                // One of everything; the kernel as large as the image; a line.
                Case.of(Shape.of(1, 1, 1, 1), f, 1, 1, 0, 1),
                Case.of(Shape.of(2, 3, 5, 4), f, 5, 4, new Axis(1, 0, 0, 1), new Axis(1, 0, 0, 1)),
                Case.of(Shape.of(1, 2, 6, 9), f, 1, 4, new Axis(1, 0, 0, 1), new Axis(4, 2, 1, 1)),
                // As networks have them: halving, overlapping, at every place; odd, blocked and many channels.
                Case.of(Shape.of(2, 8, 14, 14), f, 2, 2, 0, 1),
                Case.of(Shape.of(2, 17, 7, 9), f, 2, 2, 0, 1),
                Case.of(Shape.of(1, 64, 15, 13), f, 3, 2, 1, 1),
                Case.of(Shape.of(3, 33, 8, 8), f, 3, 1, 1, 1),
                Case.of(Shape.of(2, 31, 17, 16), f, 4, 2, 1, 1),
                // Padding on one side only; strides that leave places unread; dilation, also beside the image.
                Case.of(Shape.of(2, 3, 8, 8), f, 4, 4, new Axis(1, 2, 0, 1), new Axis(2, 0, 2, 1)),
                Case.of(Shape.of(1, 16, 11, 10), f, 2, 2, new Axis(3, 0, 0, 1), new Axis(4, 1, 0, 1)),
                Case.of(Shape.of(2, 7, 9, 9), f, 3, 2, 2, 2),
                Case.of(Shape.of(1, 15, 9, 12), f, 2, 3, new Axis(1, 0, 1, 3), new Axis(2, 1, 0, 2)));
    }

    private static List<Case> adaptive(Function f) {
        return List.of(
                new Case(Shape.of(2, 3, 8, 8), new AdaptivePool(f, 4, 2)),
                new Case(Shape.of(2, 17, 7, 9), new AdaptivePool(f, 3, 4)),
                new Case(Shape.of(1, 65, 5, 3), new AdaptivePool(f, 7, 3)),
                new Case(Shape.of(3, 8, 15, 16), new AdaptivePool(f, 1, 1)));
    }

    private static List<Case> cases(Function... functions) {
        List<Case> cases = new ArrayList<>();
        for (Function f : functions) {
            cases.addAll(picked(f));
            if (f != Function.AVERAGE_WITHOUT_PADDING) {
                cases.addAll(adaptive(f));
            }
        }
        return cases;
    }

    private static final Function[] AVERAGES = {Function.AVERAGE, Function.AVERAGE_WITHOUT_PADDING};

    /** Averages whose divisors are powers of two, so that those of integers are exact. */
    private static List<Case> exactAverages() {
        List<Case> cases = new ArrayList<>();
        for (Case c : cases(AVERAGES)) {
            if (divisors(c.op().rows(c.x())) && divisors(c.op().columns(c.x()))) {
                cases.add(c);
            }
        }
        return cases;
    }

    private static boolean divisors(Bins bins) {
        for (int divisor : bins.divisor()) {
            if (Integer.bitCount(divisor) != 1) {
                return false;
            }
        }
        return true;
    }

    private static final List<Case> EMPTY = List.of(
            Case.of(Shape.of(0, 3, 4, 4), Function.MAX, 2, 2, 0, 1),
            Case.of(Shape.of(2, 0, 4, 4), Function.AVERAGE, 2, 2, 0, 1),
            new Case(Shape.of(0, 3, 4, 4), new AdaptivePool(Function.MAX, 3, 3)));

    /** Few different values, so that many are found equal. */
    @TestFactory
    Stream<DynamicTest> exactMaximum() {
        return each("exact", cases(Function.MAX), (c, draw) -> exact(c.op(), draw.integers(3, c.x())));
    }

    @TestFactory
    Stream<DynamicTest> exactAverage() {
        return each("exact", exactAverages(), (c, draw) -> exact(c.op(), draw.integers(99, c.x())));
    }

    @TestFactory
    Stream<DynamicTest> exactBackward() {
        List<Case> cases = cases(Function.MAX);
        cases.addAll(exactAverages());
        return each("exact dx", cases, (c, draw) -> backward(c, draw));
    }

    private void backward(Case c, Draw draw) {
        Tensor dy = draw.integers(9, c.y());
        if (c.isMax()) {
            Tensor x = draw.integers(3, c.x());
            Tensor index =
                    Truth.tensor(c.op().infer(List.of(Type.f32(c.x()))).get(1), Truth.formula(c.op(), List.of(x))[1]);
            exact(new Pooling.MaxBackward(c.op(), c.x()), dy, index);
        } else {
            exact(new Pooling.AverageBackward(c.op(), c.x()), dy);
        }
    }

    @TestFactory
    Stream<DynamicTest> exactOnNothing() {
        return each("exact", EMPTY, (c, draw) -> {
            exact(c.op(), draw.integers(9, c.x()));
            backward(c, draw);
        });
    }

    /** A sum of as many values as a bin holds, and a division. Worst observed: 0.3 of it. */
    @TestFactory
    Stream<DynamicTest> bounded() {
        return each("bounded", cases(AVERAGES), (c, draw) -> boundedSums(c.op(), c.most(), draw.normal(c.x())));
    }

    /** A place adds up the bins that read it, each after a division. Worst observed: 0.4 of it. */
    @TestFactory
    Stream<DynamicTest> boundedBackward() {
        return each(
                "bounded dx",
                cases(AVERAGES),
                (c, draw) -> boundedSums(new Pooling.AverageBackward(c.op(), c.x()), 1, draw.normal(c.y())));
    }

    /** Linear as long as the largest stay the largest. */
    @TestFactory
    Stream<DynamicTest> adjoint() {
        List<Case> cases = cases(Function.MAX);
        cases.addAll(exactAverages());
        return each(
                "adjoint", cases, (c, draw) -> adjointInAll(c.op(), draw.integers(9, c.y()), draw.integers(99, c.x())));
    }

    /** Sums of a few dy. Worst observed: 0.3 of it. */
    @TestFactory
    Stream<DynamicTest> gradient() {
        return each("gradient", cases(Function.values()), (c, draw) -> {
            Tensor x = draw.integers(0, c.x());
            for (int i = 0; i < x.floats().length; i++) {
                x.floats()[i] = i * 7919 % 10007 * 0.01f; // all of them well apart
            }
            gradients(c.op(), 4, draw.normal(c.y()), x);
        });
    }

    /** The last NaN under the kernel is found; infinities are values like others. */
    @TestFactory
    Stream<DynamicTest> notANumberStaysOne() {
        return each("NaN", cases(Function.values()), (c, draw) -> {
            Tensor x = draw.normal(c.x());
            float[] odd = {Float.NaN, Float.NEGATIVE_INFINITY, 1, Float.POSITIVE_INFINITY};
            for (int i = 0; i < x.floats().length; i += 3) {
                x.floats()[i] = odd[i % 4];
            }
            double[][] expected = Truth.formula(c.op(), List.of(x));
            bench().check(c.op(), List.of(x), y -> {
                for (int i = 0; i < expected[0].length; i++) {
                    assertEquals(
                            Double.isNaN(expected[0][i]), Float.isNaN(y.get(0).floats()[i]), "NaN at " + i);
                    if (c.isMax()) {
                        assertEquals((int) expected[1][i], y.get(1).ints()[i], "the place at " + i);
                    }
                }
            });
        });
    }
}
