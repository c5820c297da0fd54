package dev.hadal.op;

import dev.hadal.op.Window.Axis;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Convolution, and the gradients of its data and of its weights. */
@Covers({Convolution.class, Convolution.BackwardData.class, Convolution.BackwardWeights.class})
abstract class ConvolutionSpec extends Spec {

    record Case(Shape x, Shape w, Convolution op) {
        static Case of(Shape x, Shape w, Axis height, Axis width, int groups) {
            return new Case(x, w, new Convolution(new Window(height, width), groups));
        }

        static Case of(Shape x, Shape w, int stride, int pad, int dilation, int groups) {
            return new Case(x, w, new Convolution(Window.of(stride, pad, dilation), groups));
        }

        Shape y() {
            Axis height = op.window().height();
            Axis width = op.window().width();
            return Shape.of(x.get(0), w.get(0), height.out(x.get(2), w.get(2)), width.out(x.get(3), w.get(3)));
        }

        long products() {
            return (long) y().size() * w.sizeFrom(1);
        }

        Convolution.BackwardData backwardData() {
            return new Convolution.BackwardData(op, x);
        }

        Convolution.BackwardWeights backwardWeights() {
            return new Convolution.BackwardWeights(op, w);
        }

        @Override
        public String toString() {
            return "x " + x + " w " + w + " " + op;
        }
    }

    private static final List<Case> PICKED = List.of(
            // One of everything.
            Case.of(Shape.of(1, 1, 1, 1), Shape.of(1, 1, 1, 1), 1, 0, 1, 1),
            // As networks have them: a stem, a block, a stride between stages, a projection, a bottleneck.
            Case.of(Shape.of(2, 1, 28, 28), Shape.of(8, 1, 3, 3), 1, 1, 1, 1),
            Case.of(Shape.of(2, 16, 14, 14), Shape.of(16, 16, 3, 3), 1, 1, 1, 1),
            Case.of(Shape.of(1, 32, 7, 7), Shape.of(33, 32, 3, 3), 1, 1, 1, 1),
            Case.of(Shape.of(2, 16, 15, 15), Shape.of(32, 16, 3, 3), 2, 1, 1, 1),
            Case.of(Shape.of(3, 16, 14, 14), Shape.of(32, 16, 1, 1), 2, 0, 1, 1),
            Case.of(Shape.of(2, 17, 9, 7), Shape.of(31, 17, 1, 1), 1, 0, 1, 1),
            Case.of(Shape.of(1, 3, 23, 21), Shape.of(8, 3, 5, 5), 2, 2, 1, 1),
            // The kernel fits once; fits only thanks to the padding; is a line.
            Case.of(Shape.of(2, 3, 5, 4), Shape.of(7, 3, 5, 4), 1, 0, 1, 1),
            Case.of(Shape.of(2, 3, 1, 1), Shape.of(3, 3, 3, 3), 1, 1, 1, 1),
            Case.of(Shape.of(1, 2, 6, 9), Shape.of(3, 2, 1, 5), new Axis(1, 0, 0, 1), new Axis(1, 2, 2, 1), 1),
            Case.of(Shape.of(1, 2, 9, 6), Shape.of(3, 2, 5, 1), new Axis(2, 2, 2, 1), new Axis(1, 0, 0, 1), 1),
            // Padding on one side only; other on each side; so wide that some results see nothing but padding.
            Case.of(Shape.of(2, 3, 8, 8), Shape.of(4, 3, 3, 3), new Axis(1, 2, 0, 1), new Axis(1, 0, 2, 1), 1),
            Case.of(Shape.of(1, 3, 7, 8), Shape.of(4, 3, 3, 2), new Axis(2, 0, 1, 1), new Axis(3, 1, 3, 1), 1),
            Case.of(Shape.of(1, 2, 4, 4), Shape.of(3, 2, 2, 2), 1, 4, 1, 1),
            // Strides that step over input, and leave a remainder that nobody reads.
            Case.of(Shape.of(2, 3, 11, 10), Shape.of(5, 3, 1, 1), 3, 0, 1, 1),
            Case.of(Shape.of(2, 3, 11, 10), Shape.of(5, 3, 2, 2), 3, 0, 1, 1),
            // Dilation, also with stride, also wider than the input.
            Case.of(Shape.of(1, 3, 9, 9), Shape.of(4, 3, 3, 3), 1, 2, 2, 1),
            Case.of(Shape.of(2, 2, 12, 13), Shape.of(3, 2, 3, 3), 2, 1, 3, 1),
            Case.of(Shape.of(1, 2, 3, 3), Shape.of(2, 2, 3, 3), 1, 4, 4, 1),
            Case.of(Shape.of(1, 3, 10, 10), Shape.of(4, 3, 3, 2), new Axis(1, 1, 0, 2), new Axis(2, 0, 3, 3), 1),
            // Groups, depthwise, depthwise with several results per channel.
            Case.of(Shape.of(2, 6, 7, 7), Shape.of(4, 3, 3, 3), 1, 1, 1, 2),
            Case.of(Shape.of(1, 32, 6, 6), Shape.of(32, 16, 3, 3), 1, 1, 1, 2),
            Case.of(Shape.of(2, 9, 7, 5), Shape.of(6, 3, 1, 1), 2, 0, 1, 3),
            Case.of(Shape.of(2, 17, 8, 8), Shape.of(17, 1, 3, 3), 1, 1, 1, 17),
            Case.of(Shape.of(1, 32, 9, 9), Shape.of(32, 1, 5, 5), 2, 2, 1, 32),
            Case.of(Shape.of(2, 5, 6, 7), Shape.of(10, 1, 3, 3), 1, 0, 2, 5));

    /** Batches, channels and images of nothing: results are zeros, or are none. */
    private static final List<Case> EMPTY = List.of(
            Case.of(Shape.of(0, 3, 8, 8), Shape.of(4, 3, 3, 3), 1, 1, 1, 1),
            Case.of(Shape.of(2, 0, 5, 5), Shape.of(4, 0, 3, 3), 1, 1, 1, 1),
            Case.of(Shape.of(2, 3, 5, 5), Shape.of(0, 3, 3, 3), 1, 1, 1, 1),
            Case.of(Shape.of(2, 3, 0, 5), Shape.of(4, 3, 3, 3), 1, 2, 1, 1));

    private static List<Case> cases() {
        List<Case> cases = new ArrayList<>(PICKED);
        cases.addAll(random(40));
        return cases;
    }

    private static List<Case> random(int count) {
        Draw draw = new Draw("convolution shapes");
        List<Case> cases = new ArrayList<>();
        while (cases.size() < count) {
            int groups = draw.oneOf(1, 1, 1, 2, 3, draw.dim());
            boolean depthwise = draw.between(0, 4) == 0;
            Shape w = Shape.of(
                    groups * (depthwise ? draw.between(1, 2) : draw.dim()),
                    depthwise ? 1 : draw.dim(),
                    draw.between(1, 5),
                    draw.between(1, 5));
            Shape x = Shape.of(draw.between(1, 3), w.get(1) * groups, draw.dim(), draw.dim());
            Axis height = axis(draw, w.get(2));
            Axis width = axis(draw, w.get(3));
            boolean fits = x.get(2) + height.padBefore() + height.padAfter() > height.dilation() * (w.get(2) - 1)
                    && x.get(3) + width.padBefore() + width.padAfter() > width.dilation() * (w.get(3) - 1);
            if (fits && Case.of(x, w, height, width, groups).products() < 500_000) {
                cases.add(Case.of(x, w, height, width, groups));
            }
        }
        return cases;
    }

    private static Axis axis(Draw draw, int kernel) {
        return new Axis(
                draw.between(1, 3), draw.between(0, kernel), draw.between(0, kernel), draw.oneOf(1, 1, 1, 2, 3));
    }

    @TestFactory
    Stream<DynamicTest> exactForward() {
        return each("exact", cases(), (c, draw) -> exact(c.op(), draw.integers(4, c.x()), draw.integers(4, c.w())));
    }

    @TestFactory
    Stream<DynamicTest> exactBackwardData() {
        return each(
                "exact dx",
                cases(),
                (c, draw) -> exact(c.backwardData(), draw.integers(4, c.y()), draw.integers(4, c.w())));
    }

    @TestFactory
    Stream<DynamicTest> exactBackwardWeights() {
        return each(
                "exact dw",
                cases(),
                (c, draw) -> exact(c.backwardWeights(), draw.integers(4, c.x()), draw.integers(4, c.y())));
    }

    @TestFactory
    Stream<DynamicTest> exactOnNothing() {
        return Stream.of(
                        each(
                                "exact",
                                EMPTY,
                                (c, draw) -> exact(c.op(), draw.integers(4, c.x()), draw.integers(4, c.w()))),
                        each(
                                "exact dx",
                                EMPTY,
                                (c, draw) -> exact(c.backwardData(), draw.integers(4, c.y()), draw.integers(4, c.w()))),
                        each(
                                "exact dw",
                                EMPTY,
                                (c, draw) ->
                                        exact(c.backwardWeights(), draw.integers(4, c.x()), draw.integers(4, c.y()))))
                .flatMap(s -> s);
    }

    @TestFactory
    Stream<DynamicTest> boundedForward() {
        return each(
                "bounded",
                cases(),
                (c, draw) -> boundedSums(c.op(), c.w().sizeFrom(1), draw.normal(c.x()), draw.normal(c.w())));
    }

    /** A place of x is read by each of its group's results once per tap at most. */
    @TestFactory
    Stream<DynamicTest> boundedBackwardData() {
        return each("bounded dx", cases(), (c, draw) -> {
            double k = (double) c.w().size() / c.w().get(1) / c.op().groups();
            boundedSums(c.backwardData(), k, draw.normal(c.y()), draw.normal(c.w()));
        });
    }

    /** A weight meets every place of its result. */
    @TestFactory
    Stream<DynamicTest> boundedBackwardWeights() {
        return each("bounded dw", cases(), (c, draw) -> {
            double k = (double) c.y().size() / c.y().get(1);
            boundedSums(c.backwardWeights(), k, draw.normal(c.x()), draw.normal(c.y()));
        });
    }

    @TestFactory
    Stream<DynamicTest> adjoint() {
        return each("adjoint", cases(), (c, draw) -> {
            Tensor dy = draw.integers(3, c.y());
            adjointInEach(c.op(), dy, draw.integers(3, c.x()), draw.integers(3, c.w()));
        });
    }
}
