package dev.hadal.op;

import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The mean of each plane. */
@Covers({GlobalAveragePool.class, GlobalAveragePool.Backward.class})
abstract class GlobalAveragePoolSpec extends Spec {
    private static final GlobalAveragePool POOL = new GlobalAveragePool();

    /** Planes of 2ⁿ values, whose means of integers are exact. */
    private static final List<Shape> EXACT = List.of(
            Shape.of(1, 1, 1, 1),
            Shape.of(2, 3, 1, 2),
            Shape.of(3, 17, 4, 4),
            Shape.of(2, 33, 8, 8),
            Shape.of(1, 16, 16, 2),
            Shape.of(2, 31, 1, 32),
            Shape.of(1, 5, 32, 32));

    private static final List<Shape> EMPTY = List.of(Shape.of(0, 3, 4, 4), Shape.of(2, 0, 4, 4));

    private static List<Shape> shapes() {
        List<Shape> shapes = new ArrayList<>(EXACT);
        shapes.addAll(List.of(Shape.of(2, 32, 7, 7), Shape.of(8, 32, 14, 14)));
        Draw draw = new Draw("pool shapes");
        for (int i = 0; i < 20; i++) {
            shapes.add(Shape.of(draw.between(1, 3), draw.dim(), draw.dim(), draw.dim()));
        }
        return shapes;
    }

    private static Shape pooled(Shape x) {
        return Shape.of(x.get(0), x.get(1), 1, 1);
    }

    @TestFactory
    Stream<DynamicTest> exact() {
        return each("exact", EXACT, (x, draw) -> exact(POOL, draw.integers(99, x)));
    }

    @TestFactory
    Stream<DynamicTest> exactBackward() {
        return each(
                "exact dx", EXACT, (x, draw) -> exact(new GlobalAveragePool.Backward(x), draw.integers(99, pooled(x))));
    }

    @TestFactory
    Stream<DynamicTest> exactOnNothing() {
        return each("exact", EMPTY, (x, draw) -> {
            exact(POOL, draw.integers(9, x));
            exact(new GlobalAveragePool.Backward(x), draw.integers(9, pooled(x)));
        });
    }

    /**
     * A sum of H·W values, each divided by H·W before or after: one more term for that rounding. Worst observed:
     * 0.2 of it.
     */
    @TestFactory
    Stream<DynamicTest> bounded() {
        return each("bounded", shapes(), (x, draw) -> boundedSums(POOL, x.sizeFrom(2), draw.normal(x)));
    }

    /** dy/(H·W), or dy·(1/(H·W)) with two roundings: 2u. Worst observed: 0.9 of it. */
    @TestFactory
    Stream<DynamicTest> boundedBackward() {
        return each(
                "bounded dx",
                shapes(),
                (x, draw) -> bounded(
                        new GlobalAveragePool.Backward(x),
                        (in, out) -> {
                            double[] bound = out[0].clone();
                            for (int i = 0; i < bound.length; i++) {
                                bound[i] = 2 * Truth.U * Math.abs(bound[i]);
                            }
                            return new double[][] {bound};
                        },
                        draw.normal(pooled(x))));
    }

    @TestFactory
    Stream<DynamicTest> adjoint() {
        return each("adjoint", EXACT, (x, draw) -> {
            Tensor dy = draw.integers(9, pooled(x));
            adjointInAll(POOL, dy, draw.integers(9, x));
        });
    }
}
