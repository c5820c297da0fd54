package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hadal.op.Resize.Mode;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Images of another size. */
@Covers({Resize.class, Resize.Backward.class})
abstract class ResizeSpec extends Spec {

    record Case(Shape x, Resize op) {
        static Case of(Mode mode, int height, int width, int... x) {
            return new Case(Shape.of(x), new Resize(height, width, mode));
        }

        Shape y() {
            return Shape.of(x.get(0), x.get(1), op.height(), op.width());
        }

        Resize.Backward backward() {
            return new Resize.Backward(op, x);
        }

        /** How many places of y one of x is at most part of. */
        double shares() {
            double rows = 2 * Math.ceil((double) op.height() / x.get(2)) + 1;
            double columns = 2 * Math.ceil((double) op.width() / x.get(3)) + 1;
            return rows * columns;
        }
    }

    /** Every place is a sum of few binary digits. */
    private static List<Case> exactCases() {
        List<Case> cases = new ArrayList<>(List.of(
                Case.of(Mode.BILINEAR, 1, 1, 1, 1, 1, 1),
                Case.of(Mode.BILINEAR, 2, 4, 2, 3, 1, 2),
                Case.of(Mode.BILINEAR, 14, 16, 2, 17, 7, 8),
                Case.of(Mode.BILINEAR, 8, 4, 3, 16, 16, 16),
                Case.of(Mode.BILINEAR, 7, 5, 2, 3, 7, 5),
                Case.of(Mode.BILINEAR, 66, 130, 2, 33, 33, 65),
                Case.of(Mode.NEAREST, 1, 1, 1, 1, 3, 2),
                Case.of(Mode.NEAREST, 6, 9, 2, 3, 2, 3),
                Case.of(Mode.NEAREST, 14, 16, 2, 16, 7, 8),
                Case.of(Mode.NEAREST, 66, 62, 2, 33, 33, 31),
                Case.of(Mode.NEAREST, 3, 31, 3, 5, 5, 17)));
        Draw draw = new Draw("resize shapes");
        for (int i = 0; i < 10; i++) {
            Shape x = Shape.of(draw.between(1, 3), draw.dim(), draw.dim(), draw.dim());
            cases.add(new Case(x, new Resize(2 * x.get(2), 4 * x.get(3), Mode.BILINEAR)));
            cases.add(new Case(x, new Resize(draw.dim(), draw.dim(), Mode.NEAREST)));
        }
        return cases;
    }

    private static List<Case> realCases() {
        List<Case> cases = new ArrayList<>(List.of(
                Case.of(Mode.BILINEAR, 5, 7, 2, 3, 3, 4),
                Case.of(Mode.BILINEAR, 3, 2, 2, 16, 7, 5),
                Case.of(Mode.BILINEAR, 33, 31, 1, 8, 17, 15)));
        Draw draw = new Draw("resize sizes");
        for (int i = 0; i < 10; i++) {
            Shape x = Shape.of(draw.between(1, 2), draw.dim(), draw.dim(), draw.dim());
            cases.add(new Case(x, new Resize(draw.dim(), draw.dim(), Mode.BILINEAR)));
        }
        return cases;
    }

    private static final List<Case> EMPTY =
            List.of(Case.of(Mode.BILINEAR, 2, 3, 0, 3, 4, 5), Case.of(Mode.NEAREST, 2, 3, 2, 0, 4, 5));

    /** What torch.nn.functional.interpolate gives. */
    @TestFactory
    Stream<DynamicTest> exactAsPyTorch() {
        float[] bilinear = {1, 1.25f, 1.75f, 2, 1.5f, 1.75f, 2.25f, 2.5f, 2.5f, 2.75f, 3.25f, 3.5f, 3, 3.25f, 3.75f, 4};
        float[] nearest = {1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4};
        Tensor x = Tensor.of(Shape.of(1, 1, 2, 2), 1f, 2, 3, 4);
        return each("exact", List.of(Mode.values()), (mode, draw) -> {
            float[] y = mode == Mode.NEAREST ? nearest : bilinear;
            Tensor expected = Tensor.of(Shape.of(1, 1, 4, 4), y);
            bench().check(
                            new Resize(4, 4, mode),
                            List.of(x),
                            r -> assertEquals(
                                    Arrays.toString(expected.floats()),
                                    Arrays.toString(r.get(0).floats())));
            Tensor row = Tensor.of(Shape.of(1, 1, 1, 5), 0f, 1, 2, 3, 4);
            if (mode == Mode.NEAREST) {
                bench().check(
                                new Resize(1, 3, mode),
                                List.of(row),
                                r -> assertEquals(
                                        "[0.0, 1.0, 3.0]",
                                        Arrays.toString(r.get(0).floats())));
            }
        });
    }

    @TestFactory
    Stream<DynamicTest> exact() {
        List<Case> cases = exactCases();
        cases.addAll(EMPTY);
        return each("exact", cases, (c, draw) -> {
            exact(c.op(), draw.integers(9, c.x()));
            exact(c.backward(), draw.integers(9, c.y()));
        });
    }

    @TestFactory
    Stream<DynamicTest> adjoint() {
        return each(
                "adjoint",
                exactCases(),
                (c, draw) -> adjointInAll(c.op(), draw.integers(9, c.y()), draw.integers(9, c.x())));
    }

    /**
     * A distance s − ⌊s⌋ errs by the roundings of s, three times u·D along each axis, and moves the place between values
     * that are at most 2·max|x| apart; four products and three sums add 4u. Worst observed: 0.4 of it.
     */
    @TestFactory
    Stream<DynamicTest> bounded() {
        return each(
                "bounded",
                realCases(),
                (c, draw) -> bounded(c.op(), (in, out) -> filled(c, in[0], out[0].length, 1), draw.normal(c.x())));
    }

    /** The same for each share of a place of dy. Worst observed: 0.5 of it (oneDNN). */
    @TestFactory
    Stream<DynamicTest> boundedBackward() {
        return each(
                "bounded dx",
                realCases(),
                (c, draw) -> bounded(
                        c.backward(),
                        (in, out) -> filled(c, in[0], out[0].length, Math.sqrt(c.shares())),
                        draw.normal(c.y())));
    }

    private static double[][] filled(Case c, double[] values, int length, double terms) {
        double largest = Arrays.stream(values).map(Math::abs).max().orElse(0);
        double[] bound = new double[length];
        Arrays.fill(bound, terms * (c.x().get(2) + c.x().get(3) + 4) * Truth.U * largest);
        return new double[][] {bound};
    }
}
