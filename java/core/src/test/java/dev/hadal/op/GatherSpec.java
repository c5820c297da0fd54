package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Slices by their indices: read, and added to. */
@Covers({Gather.class, Gather.Backward.class, ScatterAdd.class})
abstract class GatherSpec extends Spec {

    record Case(int axis, Shape x, Shape indices) {
        Gather gather() {
            return new Gather(axis);
        }

        Gather.Backward backward() {
            return new Gather.Backward(axis, x);
        }

        ScatterAdd scatterAdd() {
            return new ScatterAdd(axis);
        }

        Shape y() {
            return gather().infer(List.of(Type.f32(x), new Type(DType.I32, indices)))
                    .get(0)
                    .shape();
        }

        /** Some of them more than once, the first and the last among them. */
        Tensor draw(Draw draw) {
            int d = x.get(Math.floorMod(axis, x.rank()));
            int[] values = new int[indices.size()];
            for (int i = 0; i < values.length; i++) {
                values[i] = i == 0 ? d - 1 : i == 1 ? 0 : draw.between(0, d - 1);
            }
            return Tensor.of(indices, values);
        }

        /** The most updates that any element gets. */
        double most(Tensor indices) {
            int[] counts = new int[x.get(Math.floorMod(axis, x.rank()))];
            for (int index : indices.ints()) {
                counts[index]++;
            }
            return IntStream.of(counts).max().orElse(0) + 1;
        }
    }

    private static List<Case> cases() {
        List<Case> cases = new ArrayList<>(List.of(
                new Case(0, Shape.of(1), Shape.SCALAR),
                new Case(0, Shape.of(7), Shape.of(3)),
                new Case(0, Shape.of(33, 17), Shape.of(8)),
                new Case(0, Shape.of(100, 64), Shape.of(2, 31)),
                new Case(0, Shape.of(3, 5), Shape.of(700, 100)),
                new Case(0, Shape.of(5000, 3), Shape.of(31, 1000)),
                new Case(0, Shape.of(65, 300), Shape.of(33, 16)),
                new Case(1, Shape.of(2, 16, 3), Shape.of(7)),
                new Case(-1, Shape.of(15, 8), Shape.of(2, 3)),
                new Case(-2, Shape.of(3, 31, 2, 7), Shape.SCALAR),
                new Case(2, Shape.of(3, 8, 65, 15), Shape.of(33, 2))));
        Draw draw = new Draw("gather shapes");
        for (int i = 0; i < 10; i++) {
            Shape x = Shape.of(draw.dim(), draw.dim(), draw.dim());
            cases.add(new Case(draw.between(-3, 2), x, Shape.of(draw.dim(), draw.between(1, 3))));
        }
        return cases;
    }

    private static final List<Case> EMPTY = List.of(
            new Case(0, Shape.of(3, 2), Shape.of(0)),
            new Case(1, Shape.of(0, 3), Shape.of(2)),
            new Case(0, Shape.of(0), Shape.of(0, 2)));

    private static List<Case> all() {
        List<Case> all = cases();
        all.addAll(EMPTY);
        return all;
    }

    @TestFactory
    Stream<DynamicTest> exact() {
        return each("exact", all(), (c, draw) -> {
            Tensor indices = c.draw(draw);
            exact(c.gather(), draw.integers(99, c.x()), indices);
            exact(c.backward(), draw.integers(99, c.y()), indices);
            exact(c.scatterAdd(), draw.integers(99, c.x()), indices, draw.integers(99, c.y()));
        });
    }

    /** As NumPy's x[indices], which moves values of any type. */
    @TestFactory
    Stream<DynamicTest> exactOnIntegers() {
        return each("exact i32", List.of(new Case(0, Shape.of(4, 2), Shape.of(2, 2))), (c, draw) -> {
            Tensor x = Tensor.of(c.x(), 1 << 30, 11, 20, 21, 30, 31, -(1 << 30), 41);
            Tensor indices = Tensor.of(c.indices(), 3, 0, 1, 3);
            bench().check(
                            c.gather(),
                            List.of(x, indices),
                            y -> assertTrue(y.get(0)
                                    .equals(Tensor.of(
                                            Shape.of(2, 2, 2), -(1 << 30), 41, 1 << 30, 11, 20, 21, -(1 << 30), 41))));
        });
    }

    @TestFactory
    Stream<DynamicTest> boundedSums() {
        return each("bounded", cases(), (c, draw) -> {
            Tensor indices = c.draw(draw);
            boundedSums(c.backward(), c.most(indices), draw.normal(c.y()), indices);
            boundedSums(c.scatterAdd(), c.most(indices), draw.normal(c.x()), indices, draw.normal(c.y()));
        });
    }

    @TestFactory
    Stream<DynamicTest> adjoint() {
        return each("adjoint", cases(), (c, draw) -> {
            Tensor indices = c.draw(draw);
            adjointInAll(c.gather(), draw.integers(9, c.y()), draw.integers(9, c.x()), indices);
            adjointInAll(
                    c.scatterAdd(), draw.integers(9, c.x()), draw.integers(9, c.x()), indices, draw.integers(9, c.y()));
        });
    }

    /** An index that is none ends the run, and the message tells it; nothing beside the arrays is touched. */
    @TestFactory
    Stream<DynamicTest> exactlyTheIndicesThatThereAre() {
        Shape x = Shape.of(2, 5, 3);
        Shape y = Shape.of(2, 4, 3);
        List<Integer> wrong = List.of(5, -1, Integer.MAX_VALUE, Integer.MIN_VALUE);
        return each("exact", wrong, (index, draw) -> {
            Tensor indices = Tensor.of(Shape.of(4), 0, 4, index, 2);
            outside(index, new Gather(1), draw.normal(x), indices);
            outside(index, new Gather.Backward(1, x), draw.normal(y), indices);
            outside(index, new ScatterAdd(1), draw.normal(x), indices, draw.normal(y));
            outside(index, new Gather(0), Tensor.zeros(DType.F32, Shape.of(0, 2)), Tensor.of(Shape.of(1), index));
        });
    }

    private void outside(int index, Op op, Tensor... operands) {
        IndexOutOfBoundsException e =
                assertThrows(IndexOutOfBoundsException.class, () -> bench().check(op, List.of(operands), y -> {}));
        String message = String.valueOf(e.getMessage());
        assertTrue(message.contains(op.name() + ": index " + index + " at position "), message);
    }
}
