package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The same values under another shape. */
@Covers(Reshape.class)
abstract class ReshapeSpec extends Spec {

    record Case(Shape x, List<Integer> dims, Shape y) {
        Reshape op() {
            return new Reshape(dims);
        }
    }

    private static final List<Case> CASES = List.of(
            new Case(Shape.SCALAR, List.of(1), Shape.of(1)),
            new Case(Shape.of(1, 1), List.of(), Shape.SCALAR),
            new Case(Shape.of(6), List.of(2, 3), Shape.of(2, 3)),
            new Case(Shape.of(4, 32, 1, 1), List.of(0, -1), Shape.of(4, 32)),
            new Case(Shape.of(3, 17, 7, 5), List.of(0, -1), Shape.of(3, 595)),
            new Case(Shape.of(3, 17, 7, 5), List.of(-1), Shape.of(1785)),
            new Case(Shape.of(2, 16, 8, 8), List.of(0, 0, -1), Shape.of(2, 16, 64)),
            new Case(Shape.of(2, 33, 3, 3), List.of(-1, 3, 3, 33), Shape.of(2, 3, 3, 33)),
            new Case(Shape.of(5, 84), List.of(0, 7, 4, 3), Shape.of(5, 7, 4, 3)));

    private static final List<Case> EMPTY = List.of(
            new Case(Shape.of(0), List.of(0), Shape.of(0)),
            new Case(Shape.of(0, 3, 4, 4), List.of(0, -1), Shape.of(0, 48)),
            new Case(Shape.of(0, 12), List.of(0, 3, 4), Shape.of(0, 3, 4)),
            new Case(Shape.of(2, 3, 0), List.of(-1), Shape.of(0)));

    private void moves(Case c, Tensor x) {
        bench().check(c.op(), List.of(x), y -> {
            assertEquals(c.y(), y.get(0).shape());
            for (int i = 0; i < x.shape().size(); i++) {
                assertEquals(bits(x, i), bits(y.get(0), i), "the bits at " + i);
            }
        });
    }

    private static int bits(Tensor t, int i) {
        return switch (t.dtype()) {
            case F32 -> Float.floatToRawIntBits(t.floats()[i]);
            case BF16 -> t.bf16Bits()[i];
            case I32 -> t.ints()[i];
            case S8, U8 -> t.bytes()[i];
        };
    }

    /** Every bit, also those of infinities, of −0, and of what is no number at all. */
    @TestFactory
    Stream<DynamicTest> exact() {
        return each("exact", CASES, (c, draw) -> {
            Tensor x = draw.normal(c.x());
            float[] special = {Float.NaN, Float.NEGATIVE_INFINITY, -0f, Float.MIN_VALUE};
            for (int i = 0; i < x.floats().length; i += 3) {
                x.floats()[i] = special[i % special.length];
            }
            moves(c, x);
        });
    }

    @TestFactory
    Stream<DynamicTest> exactOnIntegers() {
        return each("exact i32", CASES, (c, draw) -> {
            int[] values = new int[c.x().size()];
            for (int i = 0; i < values.length; i++) {
                values[i] = draw.between(-1_000_000, 1_000_000) * 2000;
            }
            moves(c, Tensor.of(c.x(), values));
        });
    }

    @TestFactory
    Stream<DynamicTest> exactOnNothing() {
        return each("exact", EMPTY, (c, draw) -> moves(c, draw.normal(c.x())));
    }

    @TestFactory
    Stream<DynamicTest> adjoint() {
        return each(
                "adjoint",
                CASES,
                (c, draw) -> adjointInAll(c.op(), draw.integers(99, c.y()), draw.integers(99, c.x())));
    }

    /** A 0 after the first dimension is no dimension to keep. */
    @TestFactory
    Stream<DynamicTest> adjointOfNothing() {
        return each("adjoint", EMPTY, (c, draw) -> adjointInAll(c.op(), draw.normal(c.y()), draw.normal(c.x())));
    }
}
