package dev.hadal.op;

import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Repetition along axes, and the sum that is its gradient. */
@Covers({Expand.class, Expand.Backward.class})
abstract class ExpandSpec extends Spec {

    record Case(Shape x, List<Integer> dims, Shape y) {
        static Case of(Shape x, Shape y) {
            return new Case(x, y.dims(), y);
        }

        Expand op() {
            return new Expand(dims);
        }

        Expand.Backward backward() {
            return new Expand.Backward(x);
        }

        double repeats() {
            return (double) y.size() / x.size();
        }
    }

    private static List<Case> cases() {
        List<Case> cases = new ArrayList<>(List.of(
                Case.of(Shape.SCALAR, Shape.SCALAR),
                Case.of(Shape.SCALAR, Shape.of(33)),
                Case.of(Shape.of(1), Shape.of(3, 5)),
                Case.of(Shape.of(7, 1), Shape.of(7, 65)),
                Case.of(Shape.of(1, 17), Shape.of(31, 17)),
                new Case(Shape.of(3, 1, 8), List.of(-1, 16, -1), Shape.of(3, 16, 8)),
                new Case(Shape.of(15, 1), List.of(2, -1, 33), Shape.of(2, 15, 33)),
                Case.of(Shape.of(1, 3, 1, 5), Shape.of(7, 3, 8, 5)),
                Case.of(Shape.of(16, 1, 7, 1), Shape.of(2, 16, 3, 7, 31)),
                Case.of(Shape.of(2, 1, 9000), Shape.of(2, 33, 9000)),
                Case.of(Shape.of(1, 300), Shape.of(1000, 300)),
                Case.of(Shape.of(300, 1), Shape.of(300, 1000))));
        Draw draw = new Draw("expand shapes");
        for (int i = 0; i < 12; i++) {
            List<Integer> x = new ArrayList<>();
            List<Integer> y = new ArrayList<>();
            for (int axis = 0; axis < 3; axis++) {
                y.add(draw.dim());
                x.add(draw.coin() ? 1 : y.get(axis));
            }
            cases.add(Case.of(new Shape(x), new Shape(y)));
        }
        return cases;
    }

    private static final List<Case> EMPTY =
            List.of(Case.of(Shape.of(0), Shape.of(3, 0)), Case.of(Shape.of(1, 3), Shape.of(0, 3)));

    @TestFactory
    Stream<DynamicTest> exact() {
        return each("exact", cases(), (c, draw) -> exact(c.op(), draw.integers(99, c.x())));
    }

    @TestFactory
    Stream<DynamicTest> exactBackward() {
        return each("exact dx", cases(), (c, draw) -> exact(c.backward(), draw.integers(99, c.y())));
    }

    /** Of nothing, and its gradient, which is a sum of nothing. */
    @TestFactory
    Stream<DynamicTest> exactOnNothing() {
        return each("exact", EMPTY, (c, draw) -> {
            exact(c.op(), draw.integers(9, c.x()));
            exact(c.backward(), draw.integers(9, c.y()));
        });
    }

    @TestFactory
    Stream<DynamicTest> boundedBackward() {
        return each("bounded dx", cases(), (c, draw) -> boundedSums(c.backward(), c.repeats(), draw.normal(c.y())));
    }

    @TestFactory
    Stream<DynamicTest> adjoint() {
        return each(
                "adjoint",
                cases(),
                (c, draw) -> adjointInAll(c.op(), draw.integers(9, c.y()), draw.integers(9, c.x())));
    }
}
