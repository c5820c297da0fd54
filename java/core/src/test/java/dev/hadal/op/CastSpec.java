package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
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

    /** To the nearest, ties to even; NaN and infinities stay what they are. */
    @TestFactory
    Stream<DynamicTest> exactToBf16() {
        return each("exact bf16", shapes(), (shape, draw) -> {
            Tensor x = draw.normal(shape);
            float[] values = x.floats();
            short[] y = new short[values.length];
            for (int i = 0; i < y.length; i++) {
                // One half of the last place kept more, or just less if that place is even, and what is beyond cut off.
                int bits = Float.floatToRawIntBits(values[i]);
                y[i] = (short) ((bits + ((bits & 0x10000) == 0 ? 0x7FFF : 0x8000)) >> 16);
            }
            becomes(x, Tensor.bf16(shape, y));
            becomes(Tensor.bf16(shape, y), Tensor.bf16(shape, y).widened());
            becomes(Tensor.bf16(shape, y), Tensor.bf16(shape, y));
        });
    }

    @TestFactory
    Stream<DynamicTest> exactSpecialBf16() {
        float[] x = {0f, -0f, 1f, 1 + 0x1p-8f, 1 + 3 * 0x1p-8f, 1 + 0x1.8p-8f, -1 - 0x1.0002p-8f, 0x1p-126f};
        float[] y = {0f, -0f, 1f, 1f, 1 + 0x1p-6f, 1 + 0x1p-7f, -1 - 0x1p-7f, 0x1p-126f};
        float[] large = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.MAX_VALUE, 0x1.FEp127f};
        float[] limits = {
            Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY, 0x1.FEp127f
        };
        return each("exact bf16", List.of(List.of(x, y), List.of(large, limits)), (pair, draw) -> {
            Tensor wide = Tensor.of(Shape.of(pair.get(0).length), pair.get(0));
            Tensor narrow = Tensor.of(wide.shape(), pair.get(1)).narrowed();
            becomes(wide, narrow);
            becomes(narrow, Tensor.of(wide.shape(), pair.get(1)));
            // A NaN whose payload lies in the half that is cut off.
            Tensor odd = Tensor.of(Shape.of(2), Float.intBitsToFloat(0x7F800001), Float.intBitsToFloat(0xFFFFFFFF));
            bench().check(new Cast(DType.BF16), List.of(odd), results -> {
                for (float v : results.get(0).widened().floats()) {
                    assertTrue(Float.isNaN(v), "NaN became " + v);
                }
            });
        });
    }

    @TestFactory
    Stream<DynamicTest> exactBetweenBf16AndIntegers() {
        return each("exact", List.of(Shape.of(7)), (shape, draw) -> {
            Tensor whole = Tensor.of(shape, 1, -7, 256, 257, 259, 0, 1 << 20);
            Tensor narrow =
                    Tensor.of(shape, 1f, -7f, 256f, 256f, 260f, 0f, 0x1p20f).narrowed();
            becomes(whole, narrow);
            becomes(narrow, Tensor.of(shape, 1, -7, 256, 256, 260, 0, 1 << 20));
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

    /** Back again where both are real numbers. */
    @TestFactory
    Stream<DynamicTest> gradient() {
        return each("adjoint", List.of(Shape.of(3, 5)), (shape, draw) -> {
            Graph graph = new Graph();
            Value x = graph.leaf(Role.INPUT, "x", Type.f32(shape));
            Value y = new Cast(DType.F32).of(x);
            Value dy = graph.leaf(Role.INPUT, "dy", y.type());
            assertEquals(dy, graph.differentiate(y, dy, List.of(x)).get(x));
            Value narrow = new Cast(DType.BF16).of(x);
            Value dNarrow = graph.leaf(Role.INPUT, "dnarrow", narrow.type());
            Value back = Objects.requireNonNull(
                    graph.differentiate(narrow, dNarrow, List.of(x)).get(x));
            assertEquals(new Cast(DType.F32), back.node().op());
            assertEquals(List.of(dNarrow), back.node().inputs());
            Value through = new Cast(DType.F32).of(new Cast(DType.I32).of(x));
            assertEquals(null, graph.differentiate(through, dy, List.of(x)).get(x));
        });
    }
}
