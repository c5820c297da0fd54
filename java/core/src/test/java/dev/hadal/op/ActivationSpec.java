package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hadal.op.Activation.Function;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The elementwise functions. */
@Covers({Activation.class, Activation.Backward.class})
abstract class ActivationSpec extends Spec {
    private static final Activation RELU = new Activation(Function.RELU);
    private static final Activation SIGMOID = new Activation(Function.SIGMOID);
    private static final Activation TANH = new Activation(Function.TANH);

    record Case(Activation op, Shape shape) {
        static List<Case> all(List<Shape> shapes, Activation... ops) {
            List<Case> cases = new ArrayList<>();
            for (Activation op : ops) {
                shapes.forEach(s -> cases.add(new Case(op, s)));
            }
            return cases;
        }

        @Override
        public String toString() {
            return op + " " + shape;
        }
    }

    private static Activation.Backward backward(Activation op) {
        return new Activation.Backward(op.function());
    }

    @TestFactory
    Stream<DynamicTest> exact() {
        return each("exact", Case.all(ANY_SHAPES, RELU), (c, draw) -> exact(c.op(), draw.integers(9, c.shape())));
    }

    @TestFactory
    Stream<DynamicTest> exactBackward() {
        return each("exact dx", Case.all(ANY_SHAPES, RELU), (c, draw) -> {
            Tensor y = Truth.tensor(
                    Bench.types(List.of(draw.integers(9, c.shape()))).get(0),
                    Truth.formula(RELU, List.of(draw.integers(9, c.shape())))[0]);
            exact(backward(c.op()), y, draw.integers(9, c.shape()));
        });
    }

    @TestFactory
    Stream<DynamicTest> exactOnNothing() {
        return each("exact", Case.all(EMPTY_SHAPES, RELU, SIGMOID, TANH), (c, draw) -> {
            exact(c.op(), draw.integers(9, c.shape()));
            exact(backward(c.op()), draw.integers(9, c.shape()), draw.integers(9, c.shape()));
        });
    }

    /**
     * A good f32 exponential errs by an ulp or two, 2u to 4u; the sum and the quotient, or a polynomial's
     * last steps, add u each. That holds near zero too, where tanh x = (e²ˣ − 1)/(e²ˣ + 1) would cancel: 6u
     * relative to y everywhere. Worst observed: 0.7 of it (oneDNN).
     */
    private static final double FUNCTION = 6;

    private static double[][] functionBound(double[] y) {
        return new double[][] {
            Arrays.stream(y)
                    .map(yi -> FUNCTION * Truth.U * Math.abs(yi) + Truth.TINY)
                    .toArray()
        };
    }

    @TestFactory
    Stream<DynamicTest> bounded() {
        return each(
                "bounded",
                Case.all(ANY_SHAPES, SIGMOID, TANH),
                (c, draw) -> bounded(c.op(), (in, out) -> functionBound(out[0]), draw.normal(0, 4, c.shape())));
    }

    @TestFactory
    Stream<DynamicTest> boundedAtTheEdges() {
        Tensor edges = Tensor.of(
                Shape.of(20),
                0f,
                -0f,
                1e-38f,
                -1e-38f,
                1e-20f,
                -1e-20f,
                1e-4f,
                -1e-4f,
                0.5f,
                -0.5f,
                9f,
                -9f,
                20f,
                -20f,
                87f,
                -87f,
                89f,
                -89f,
                1e30f,
                -1e30f);
        return each(
                "bounded at the edges",
                Case.all(List.of(edges.shape()), SIGMOID, TANH),
                (c, draw) -> bounded(c.op(), (in, out) -> functionBound(out[0]), edges));
    }

    /** Whoever looks for the first NaN must find it behind an activation, too. */
    @TestFactory
    Stream<DynamicTest> notANumberStaysOne() {
        return each("NaN", Case.all(List.of(Shape.of(37)), RELU, SIGMOID, TANH), (c, draw) -> {
            Tensor x = draw.normal(c.shape());
            for (int i = 0; i < 37; i += 5) {
                x.floats()[i] = Float.NaN;
            }
            bench().check(c.op(), List.of(x), y -> {
                for (int i = 0; i < 37; i++) {
                    assertEquals(i % 5 == 0, Float.isNaN(y.get(0).floats()[i]), "NaN at " + i);
                }
            });
        });
    }

    /**
     * Sigmoid: dy·y·(1 − y) has three roundings of u each. Tanh: dy·(1 − y²) has those of y², of the
     * difference and of the product, the first relative to y². Worst observed: 0.9 of it.
     */
    private static double[][] backwardBound(Activation op, double[] y, double[] dy) {
        double[] bound = new double[y.length];
        for (int i = 0; i < y.length; i++) {
            double slope = op.function() == Function.SIGMOID
                    ? 3 * Math.abs(y[i] * (1 - y[i]))
                    : y[i] * y[i] + 2 * Math.abs(1 - y[i] * y[i]);
            bound[i] = Truth.U * Math.abs(dy[i]) * slope * (1 + 1e-6) + Truth.TINY;
        }
        return new double[][] {bound};
    }

    @TestFactory
    Stream<DynamicTest> boundedBackward() {
        return each("bounded dx", Case.all(ANY_SHAPES, SIGMOID, TANH), (c, draw) -> {
            Tensor y = c.op().equals(TANH) ? draw.uniform(-1, 1, c.shape()) : draw.uniform(0, 1, c.shape());
            bounded(backward(c.op()), (in, out) -> backwardBound(c.op(), in[0], in[1]), y, draw.normal(c.shape()));
        });
    }

    /** Forward and backward err by a few u each. Worst observed: 0.3 of it. */
    private static final double GRADIENT = 8;

    @TestFactory
    Stream<DynamicTest> gradient() {
        List<Shape> shapes = List.of(Shape.SCALAR, Shape.of(33), Shape.of(2, 3, 4, 5));
        return each("gradient", Case.all(shapes, RELU, SIGMOID, TANH), (c, draw) -> {
            Tensor x = draw.normal(c.shape());
            for (int i = 0; i < x.floats().length; i++) {
                float kinkless = Math.max(Math.abs(x.floats()[i]), 0.01f);
                x.floats()[i] = Math.copySign(kinkless, x.floats()[i]);
            }
            gradients(c.op(), GRADIENT, draw.normal(c.shape()), x);
        });
    }
}
