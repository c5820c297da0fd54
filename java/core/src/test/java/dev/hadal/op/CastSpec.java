package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** From one type to another. */
@Covers(Cast.class)
abstract class CastSpec extends Spec {

    private static List<Shape> shapes() {
        List<Shape> shapes = new ArrayList<>(ANY_SHAPES);
        shapes.addAll(EMPTY_SHAPES);
        return shapes;
    }

    private void becomes(Tensor x, Tensor y) {
        bench().check(new Cast(y.dtype()), List.of(x), results -> assertEquals(y, results.get(0)));
    }

    /** Towards zero; what i32 cannot hold becomes its nearest. */
    @TestFactory
    Stream<DynamicTest> exactToIntegers() {
        return each("exact i32", shapes(), (shape, draw) -> {
            Tensor x = draw.normal(0, 1000, shape);
            int[] y = new int[shape.size()];
            for (int i = 0; i < y.length; i++) {
                double whole = Math.signum(x.floats()[i]) * Math.floor(Math.abs(x.floats()[i]));
                y[i] = (int) whole;
            }
            becomes(x, Tensor.of(shape, y));
            becomes(
                    Tensor.of(Shape.of(7), 0.9f, -0.9f, -0f, 3e9f, Float.NEGATIVE_INFINITY, Float.NaN, 16777216f),
                    Tensor.of(Shape.of(7), 0, 0, 0, Integer.MAX_VALUE, Integer.MIN_VALUE, 0, 16777216));
        });
    }

    /** To the nearest, ties to even. */
    @TestFactory
    Stream<DynamicTest> exactToFloats() {
        return each("exact f32", shapes(), (shape, draw) -> {
            int[] x = IntStream.generate(() -> draw.between(-(1 << 24), 1 << 24))
                    .limit(shape.size())
                    .toArray();
            Tensor y = Tensor.of(shape, new float[x.length]);
            for (int i = 0; i < x.length; i++) {
                y.floats()[i] = x[i];
            }
            becomes(Tensor.of(shape, x), y);
            becomes(
                    Tensor.of(Shape.of(3), 16777217, 16777219, Integer.MIN_VALUE),
                    Tensor.of(Shape.of(3), 16777216f, 16777220f, -0x1p31f));
        });
    }

    @TestFactory
    Stream<DynamicTest> exactToTheSame() {
        return each("exact same", shapes(), (shape, draw) -> {
            Tensor x = draw.normal(shape);
            becomes(x, x);
            Tensor labels = draw.labels(33, 7);
            becomes(labels, labels);
        });
    }

    /** From f32 to f32 alone. */
    @TestFactory
    Stream<DynamicTest> gradient() {
        return each("adjoint", List.of(Shape.of(3, 5)), (shape, draw) -> {
            Graph graph = new Graph();
            Value x = graph.leaf(Role.INPUT, "x", Type.f32(shape));
            Value y = new Cast(DType.F32).of(x);
            Value dy = graph.leaf(Role.INPUT, "dy", y.type());
            assertEquals(dy, graph.differentiate(y, dy, List.of(x)).get(x));
            Value through = new Cast(DType.F32).of(new Cast(DType.I32).of(x));
            assertEquals(null, graph.differentiate(through, dy, List.of(x)).get(x));
        });
    }
}
