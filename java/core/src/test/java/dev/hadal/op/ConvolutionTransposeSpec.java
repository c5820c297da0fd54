package dev.hadal.op;

import dev.hadal.graph.Type;
import dev.hadal.op.Window.Axis;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** A convolution run backwards; its kernels are those of the convolution's gradient, whose spec tries more shapes. */
@Covers(ConvolutionTranspose.class)
abstract class ConvolutionTransposeSpec extends Spec {

    record Case(Shape x, Shape w, ConvolutionTranspose op) {
        static Case of(Shape x, Shape w, int stride, int pad, int dilation, int groups, int extra) {
            return new Case(x, w, new ConvolutionTranspose(Window.of(stride, pad, dilation), groups, extra, extra));
        }

        Shape y() {
            return op.infer(List.of(Type.f32(x), Type.f32(w))).get(0).shape();
        }

        @Override
        public String toString() {
            return "x " + x + " w " + w + " " + op + " + " + op.extraHeight();
        }
    }

    private static final List<Case> CASES = List.of(
            Case.of(Shape.of(1, 1, 1, 1), Shape.of(1, 1, 1, 1), 1, 0, 1, 1, 0),
            // As networks have them: twice the size, by kernels that tile, that overlap, and with one line more.
            Case.of(Shape.of(2, 16, 7, 8), Shape.of(16, 8, 2, 2), 2, 0, 1, 1, 0),
            Case.of(Shape.of(2, 8, 7, 7), Shape.of(8, 17, 4, 4), 2, 1, 1, 1, 0),
            Case.of(Shape.of(1, 33, 8, 7), Shape.of(33, 16, 3, 3), 2, 1, 1, 1, 1),
            Case.of(Shape.of(3, 3, 9, 7), Shape.of(3, 5, 3, 3), 1, 1, 1, 1, 0),
            // Gaps that nothing reaches; dilation; groups; other on each axis.
            Case.of(Shape.of(2, 3, 4, 5), Shape.of(3, 2, 2, 2), 3, 0, 1, 1, 2),
            Case.of(Shape.of(1, 7, 5, 6), Shape.of(7, 3, 3, 3), 1, 2, 2, 1, 0),
            Case.of(Shape.of(2, 6, 5, 7), Shape.of(6, 4, 3, 3), 2, 1, 1, 2, 1),
            Case.of(Shape.of(2, 17, 6, 5), Shape.of(17, 1, 3, 3), 2, 1, 1, 17, 0),
            new Case(
                    Shape.of(2, 3, 4, 6),
                    Shape.of(3, 8, 5, 2),
                    new ConvolutionTranspose(new Window(new Axis(3, 1, 2, 1), new Axis(2, 0, 1, 2)), 1, 2, 0)));

    private static final List<Case> EMPTY = List.of(
            Case.of(Shape.of(0, 3, 4, 4), Shape.of(3, 2, 2, 2), 2, 0, 1, 1, 0),
            Case.of(Shape.of(2, 3, 4, 4), Shape.of(3, 0, 2, 2), 2, 0, 1, 1, 0));

    @TestFactory
    Stream<DynamicTest> exact() {
        return each("exact", CASES, (c, draw) -> exact(c.op(), draw.integers(4, c.x()), draw.integers(4, c.w())));
    }

    @TestFactory
    Stream<DynamicTest> exactOnNothing() {
        return each("exact", EMPTY, (c, draw) -> exact(c.op(), draw.integers(4, c.x()), draw.integers(4, c.w())));
    }

    /** A place of y is reached from each of its group's channels once per tap at most. */
    @TestFactory
    Stream<DynamicTest> bounded() {
        return each("bounded", CASES, (c, draw) -> {
            double k = (double) c.w().size() / c.w().get(1) / c.op().groups();
            boundedSums(c.op(), k, draw.normal(c.x()), draw.normal(c.w()));
        });
    }

    @TestFactory
    Stream<DynamicTest> adjoint() {
        return each("adjoint", CASES, (c, draw) -> {
            Tensor dy = draw.integers(3, c.y());
            adjointInEach(c.op(), dy, draw.integers(3, c.x()), draw.integers(3, c.w()));
        });
    }
}
