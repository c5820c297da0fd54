package dev.hadal.op;

import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Biases along the channels. */
@Covers({Bias.class, Bias.Backward.class})
abstract class BiasSpec extends Spec {
    private static final Bias BIAS = new Bias();
    private static final Bias.Backward BACKWARD = new Bias.Backward();

    private static List<Shape> shapes() {
        List<Shape> shapes = new ArrayList<>(List.of(
                Shape.of(1, 1),
                Shape.of(128, 10),
                Shape.of(3, 5, 7),
                Shape.of(2, 16, 14, 14),
                Shape.of(1, 33, 1, 1),
                Shape.of(2, 3, 2, 3, 2),
                Shape.of(8, 17, 28, 28)));
        Draw draw = new Draw("bias shapes");
        for (int i = 0; i < 12; i++) {
            shapes.add(Shape.of(draw.between(1, 3), draw.dim(), draw.dim(), draw.dim()));
            shapes.add(Shape.of(draw.dim(), draw.dim()));
        }
        return shapes;
    }

    private static final List<Shape> EMPTY =
            List.of(Shape.of(0, 3), Shape.of(0, 3, 4, 4), Shape.of(2, 0), Shape.of(2, 3, 0, 4));

    private static Shape channels(Shape x) {
        return Shape.of(x.get(1));
    }

    private static double perChannel(Shape x) {
        return (double) x.size() / x.get(1);
    }

    @TestFactory
    Stream<DynamicTest> exact() {
        return each("exact", shapes(), (x, draw) -> exact(BIAS, draw.integers(99, x), draw.integers(99, channels(x))));
    }

    @TestFactory
    Stream<DynamicTest> exactBackward() {
        return each("exact db", shapes(), (x, draw) -> exact(BACKWARD, draw.integers(99, x)));
    }

    @TestFactory
    Stream<DynamicTest> exactOnNothing() {
        return Stream.concat(
                each("exact", EMPTY, (x, draw) -> exact(BIAS, draw.integers(9, x), draw.integers(9, channels(x)))),
                each("exact db", EMPTY, (x, draw) -> exact(BACKWARD, draw.integers(9, x))));
    }

    /** One sum, one rounding: u·|y|, and a hair for the double that holds the truth. Worst observed: 1. */
    @TestFactory
    Stream<DynamicTest> bounded() {
        return each(
                "bounded",
                shapes(),
                (x, draw) -> bounded(
                        BIAS,
                        (in, out) -> {
                            double[] bound = out[0].clone();
                            for (int i = 0; i < bound.length; i++) {
                                bound[i] = Truth.U * Math.abs(bound[i]) * (1 + 1e-6);
                            }
                            return new double[][] {bound};
                        },
                        draw.normal(x),
                        draw.normal(channels(x))));
    }

    /** A sum, bounded as those of a convolution. */
    @TestFactory
    Stream<DynamicTest> boundedBackward() {
        return each("bounded db", shapes(), (x, draw) -> boundedSums(BACKWARD, perChannel(x), draw.normal(x)));
    }

    @TestFactory
    Stream<DynamicTest> adjoint() {
        return each(
                "adjoint",
                shapes(),
                (x, draw) ->
                        adjointInAll(BIAS, draw.integers(9, x), draw.integers(9, x), draw.integers(9, channels(x))));
    }
}
