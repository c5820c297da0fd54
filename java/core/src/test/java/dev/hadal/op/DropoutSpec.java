package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Values dropped at random, the same ones on every backend. */
@Covers({Dropout.class, Dropout.Training.class})
abstract class DropoutSpec extends Spec {

    record Case(Shape x, float rate) {}

    private static List<Case> cases(List<Shape> shapes, float... rates) {
        List<Case> cases = new ArrayList<>();
        for (float rate : rates) {
            shapes.forEach(x -> cases.add(new Case(x, rate)));
        }
        return cases;
    }

    private static Dropout.Training training(Case c) {
        return new Dropout.Training(c.rate(), "stage2.0.dropout");
    }

    /** Seeds and runs of all bits. */
    private static Tensor random(Draw draw) {
        int[] words = new int[4];
        for (int i = 0; i < 3; i++) {
            words[i] = draw.between(0, 0xFFFF) << 16 | draw.between(0, 0xFFFF);
        }
        return Tensor.of(Shape.of(4), words);
    }

    /** At these rates, what is kept is multiplied by a power of two. */
    private static final float[] EXACT = {0, 0.5f, 0.75f};

    @TestFactory
    Stream<DynamicTest> exact() {
        return each("exact", cases(ANY_SHAPES, EXACT), (c, draw) -> {
            exact(new Dropout(c.rate()), draw.integers(99, c.x()));
            exact(training(c), draw.integers(99, c.x()), random(draw));
        });
    }

    @TestFactory
    Stream<DynamicTest> exactOnNothing() {
        return each("exact", cases(EMPTY_SHAPES, EXACT), (c, draw) -> {
            exact(new Dropout(c.rate()), draw.integers(99, c.x()));
            exact(training(c), draw.integers(99, c.x()), random(draw));
        });
    }

    /** The scale and the product are rounded: 2u. Worst observed: 0.9 of it. */
    @TestFactory
    Stream<DynamicTest> bounded() {
        return each("bounded", cases(ANY_SHAPES, 0.1f, 0.3f), (c, draw) -> {
            bounded(
                    training(c),
                    (in, out) -> {
                        double[] bound = out[0].clone();
                        for (int i = 0; i < bound.length; i++) {
                            bound[i] = 2 * Truth.U * Math.abs(bound[i]);
                        }
                        return new double[][] {bound};
                    },
                    draw.normal(c.x()),
                    random(draw));
        });
    }

    /** The gradient drops what the forward op drops. Worst observed: 0.3 of the tolerance. */
    @TestFactory
    Stream<DynamicTest> gradient() {
        List<Shape> shapes = List.of(Shape.SCALAR, Shape.of(33), Shape.of(2, 3, 4, 5));
        return each("gradient", cases(shapes, 0.3f), (c, draw) -> {
            gradients(training(c), 2, draw.normal(c.x()), draw.normal(c.x()), random(draw));
            adjointInAll(new Dropout(c.rate()), draw.integers(99, c.x()), draw.integers(99, c.x()));
        });
    }

    /** Whoever looks for the first NaN must find it, though it be dropped. */
    @TestFactory
    Stream<DynamicTest> notANumberStaysOne() {
        return each("NaN", cases(List.of(Shape.of(77)), 0.5f), (c, draw) -> {
            Tensor x = draw.normal(c.x());
            for (int i = 0; i < 77; i += 5) {
                x.floats()[i] = Float.NaN;
            }
            bench().check(training(c), List.of(x, random(draw)), y -> {
                for (int i = 0; i < 77; i++) {
                    assertEquals(i % 5 == 0, Float.isNaN(y.get(0).floats()[i]), "NaN at " + i);
                }
            });
        });
    }

    /** Of 222,000 values, the rate's share but for five standard deviations. */
    @TestFactory
    Stream<DynamicTest> theShareIsTheRate() {
        return each("share", cases(List.of(Shape.of(7, 31, 33, 31)), 0.1f, 0.5f), (c, draw) -> {
            Tensor x = draw.uniform(1, 2, c.x());
            int n = c.x().size();
            bench().check(training(c), List.of(x, random(draw)), y -> {
                int dropped = 0;
                for (float value : y.get(0).floats()) {
                    dropped += value == 0 ? 1 : 0;
                }
                assertEquals(c.rate(), (double) dropped / n, 5 * Math.sqrt(c.rate() * (1 - c.rate()) / n));
            });
        });
    }
}
