package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.graph.Fused;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.TypeException;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * Ops on quantized values. Where all scales are powers of two, sums are exact, and so is each result, rounded once; zero
 * points are even then, so that ties are the same before and after they are added. With other scales, a kernel may round
 * to the other of two neighbours.
 */
@Covers({Quantized.class, Quantize.class, Dequantize.class})
abstract class QuantizedSpec extends Spec {

    /** How an op's values are quantized. */
    private enum Way {
        /** As in a network: activations u8, weights s8 with a scale for each output. */
        USUAL,
        /** Activations s8, one scale for all weights. */
        SIGNED,
        /** Results in f32: the last layer's. */
        TO_F32,
        /** Without zero points, as after ReLU. */
        POSITIVE;

        private Quantization activation(boolean exact, int i) {
            float scale = exact ? 0.5f : 0.0173f * (i + 1);
            return switch (this) {
                case USUAL, TO_F32 -> Quantization.u8(scale, 128 - 34 * i);
                case SIGNED -> new Quantization(DType.S8, List.of(scale), 0, -6 * i);
                case POSITIVE -> Quantization.u8(scale, 0);
            };
        }

        private Quantization weights(boolean exact, Type type, int axis) {
            int outputs = this == SIGNED ? 1 : type.shape().get(axis);
            return Quantization.s8(
                    IntStream.range(0, outputs)
                            .mapToObj(i -> exact ? (i % 3 == 0 ? 0.25f : 0.5f) : 0.002f + 0.0001f * i)
                            .toList(),
                    axis);
        }

        private Quantization result(boolean exact, float scale) {
            float exactly = (float) Math.pow(2, Math.rint(Math.log(scale) / Math.log(2)));
            return switch (this) {
                case USUAL -> Quantization.u8(exact ? exactly : scale, 120);
                case SIGNED -> new Quantization(DType.S8, List.of(exact ? exactly : scale), 0, 8);
                case TO_F32 -> Quantization.NONE;
                case POSITIVE -> Quantization.u8(exact ? exactly : scale, 0);
            };
        }
    }

    record Case(Quantized op, List<Type> in) {

        /** Of any integers, and reals where an operand is not quantized: whole ones if need be. */
        Tensor[] operands(Draw draw, boolean exact) {
            Tensor[] all = new Tensor[in.size()];
            for (int i = 0; i < all.length; i++) {
                Quantization q = op.operands().get(i);
                Shape shape = in.get(i).shape();
                all[i] = q.quantizes()
                        ? integers(draw, q, shape)
                        : exact ? draw.integers(99, shape) : draw.uniform(0.5, 1.5, shape);
            }
            return all;
        }

        @Override
        public String toString() {
            return op + " of " + in + " " + op.operands() + " " + op.results();
        }
    }

    private static Tensor integers(Draw draw, Quantization q, Shape shape) {
        Tensor t = Tensor.zeros(q.dtype(), shape);
        for (int i = 0; i < t.bytes().length; i++) {
            t.bytes()[i] = (byte) draw.between(q.least(), q.greatest());
        }
        return t;
    }

    /**
     * An op whose second operand may be weights.
     *
     * @param weightsAxis along which they have scales; −1 if there are none
     * @param typical how large its results are, in units of the activation's scale
     */
    private static List<Case> inEveryWay(boolean exact, Op op, int weightsAxis, double typical, Type... in) {
        List<Case> cases = new ArrayList<>();
        for (Way way : Way.values()) {
            List<Quantization> operands = new ArrayList<>();
            for (int i = 0; i < in.length; i++) {
                Type type = in[i];
                operands.add(
                        type.dtype() != DType.F32 || type.shape().rank() == 1
                                ? Quantization.NONE
                                : i == 1 && weightsAxis >= 0
                                        ? way.weights(exact, type, weightsAxis)
                                        : way.activation(exact, i));
            }
            float scale = (float) (typical * way.activation(exact, 0).scale(0));
            List<Quantization> results = op.infer(List.of(in)).stream()
                    .map(t -> t.dtype() == DType.F32 ? way.result(exact, scale) : Quantization.NONE)
                    .toList();
            cases.add(new Case(new Quantized(op, operands, results), List.of(in)));
        }
        return cases;
    }

    // ---- how results are judged ----

    /** The very integers of the reference, and f32 bit by bit. */
    private void exactly(Case c, Tensor... operands) {
        double[][] expected = Truth.formula(c.op, List.of(operands));
        bench().check(c.op, List.of(operands), y -> {
            for (int o = 0; o < expected.length; o++) {
                Truth.exact("result " + o, y.get(o), expected[o]);
            }
        });
    }

    /** An integer next to the real result, with little room for f32; of f32 results, a small share of the largest. */
    private void within(Case c, Tensor... operands) {
        List<Quantization> none = Collections.nCopies(c.op.results().size(), Quantization.NONE);
        double[][] reals = Truth.formula(new Quantized(c.op.op(), c.op.operands(), none), List.of(operands));
        bench().check(c.op, List.of(operands), y -> {
            for (int o = 0; o < reals.length; o++) {
                Quantization q = c.op.results().get(o);
                double[] expected = reals[o];
                double bound = 4e-6 * largest(expected);
                if (q.quantizes()) {
                    expected = Arrays.stream(expected).map(v -> place(q, v)).toArray();
                    bound = 0.51;
                }
                double[] actual = Truth.wide(y.get(o));
                for (int i = 0; i < actual.length; i++) {
                    if (!(Math.abs(actual[i] - expected[i]) <= bound)) {
                        throw new AssertionError(
                                "result " + o + " at " + i + " is " + actual[i] + ", not " + expected[i]);
                    }
                }
            }
        });
    }

    /** Where a number lies among the integers. */
    private static double place(Quantization q, double real) {
        return Math.max(q.least(), Math.min(q.greatest(), real / q.scale(0) + q.zeroPoint()));
    }

    private static double largest(double[] values) {
        return Arrays.stream(values).map(Math::abs).reduce(1, Math::max);
    }

    // ---- products ----

    private static List<Case> convolution(boolean exact, int[] x, int out, int k, Window window, int groups) {
        Convolution op = new Convolution(window, groups);
        double terms = Math.sqrt(x[1] / (double) groups * k * k) * (exact ? 16 : 0.4);
        return inEveryWay(exact, op, 0, terms, Type.f32(x), Type.f32(out, x[1] / groups, k, k));
    }

    private static List<Case> convolutions(boolean exact) {
        List<Case> cases = new ArrayList<>();
        cases.addAll(convolution(exact, new int[] {2, 1, 9, 8}, 32, 3, Window.of(1, 0, 1), 1));
        cases.addAll(convolution(exact, new int[] {2, 32, 10, 10}, 64, 3, Window.of(1, 1, 1), 1));
        cases.addAll(convolution(exact, new int[] {1, 64, 14, 14}, 64, 3, Window.of(2, 1, 1), 1));
        cases.addAll(convolution(exact, new int[] {2, 3, 17, 15}, 16, 7, Window.of(2, 3, 1), 1));
        cases.addAll(convolution(exact, new int[] {2, 17, 7, 7}, 33, 1, Window.of(1, 0, 1), 1));
        cases.addAll(convolution(exact, new int[] {2, 64, 8, 8}, 32, 1, Window.of(2, 0, 1), 1));
        cases.addAll(convolution(exact, new int[] {1, 16, 9, 9}, 8, 3, Window.of(1, 2, 2), 1));
        cases.addAll(convolution(exact, new int[] {2, 32, 8, 8}, 32, 3, Window.of(1, 1, 1), 4));
        cases.addAll(convolution(exact, new int[] {2, 32, 9, 9}, 32, 3, Window.of(2, 1, 1), 32));
        cases.addAll(convolution(exact, new int[] {1, 19, 9, 9}, 19, 3, Window.of(1, 1, 1), 19));
        return cases;
    }

    @TestFactory
    Stream<DynamicTest> exactConvolutions() {
        return each("exact", convolutions(true), (c, draw) -> exactly(c, c.operands(draw, true)));
    }

    @TestFactory
    Stream<DynamicTest> roundedConvolutions() {
        return each("rounded", convolutions(false), (c, draw) -> within(c, c.operands(draw, false)));
    }

    /** Products as a network has them: with a bias, a residual of another scale, and an activation. */
    private static List<Case> chains(boolean exact) {
        List<Case> cases = new ArrayList<>();
        Activation relu = new Activation(Activation.Function.RELU);
        WeightedSum sum = new WeightedSum(List.of(1f, 1f));
        for (int channels : new int[] {16, 19, 64}) {
            Convolution wide = new Convolution(Window.of(1, 1, 1), 1);
            Convolution deep = new Convolution(Window.of(1, 1, 1), channels);
            Type x = Type.f32(2, channels, 7, 6);
            Type b = Type.f32(channels);
            double typical = Math.sqrt(channels * 9) * (exact ? 16 : 0.4);
            Type w = Type.f32(channels, channels, 3, 3);
            Fused biased = Fused.of(wide, 2).then(new Bias(), 2, 0);
            cases.addAll(inEveryWay(exact, biased, 0, typical, x, w, b));
            cases.addAll(inEveryWay(exact, biased.then(relu, 1, 0), 0, typical, x, w, b));
            cases.addAll(inEveryWay(exact, biased.then(sum, 2, 0), 0, typical, x, w, b, x));
            cases.addAll(inEveryWay(exact, biased.then(sum, 2, 1).then(relu, 1, 0), 0, typical, x, w, b, x));
            cases.addAll(inEveryWay(
                    exact,
                    Fused.of(deep, 2).then(new Bias(), 2, 0).then(relu, 1, 0),
                    0,
                    exact ? 48 : 1.2,
                    x,
                    Type.f32(channels, 1, 3, 3),
                    b));
            Fused linear = Fused.of(new MatMul(false, true), 2).then(new Bias(), 2, 0);
            cases.addAll(inEveryWay(
                    exact,
                    linear.then(relu, 1, 0),
                    0,
                    typical,
                    Type.f32(3, channels * 9),
                    Type.f32(channels, channels * 9),
                    b));
        }
        return cases;
    }

    @TestFactory
    Stream<DynamicTest> exactChains() {
        return each("exact", chains(true), (c, draw) -> exactly(c, c.operands(draw, true)));
    }

    @TestFactory
    Stream<DynamicTest> roundedChains() {
        return each("rounded", chains(false), (c, draw) -> within(c, c.operands(draw, false)));
    }

    private static List<Case> products(boolean exact) {
        List<Case> cases = new ArrayList<>();
        int[][] sizes = {{1, 1, 1}, {7, 8, 15}, {1, 784, 33}, {17, 33, 31}, {3, 129, 50}, {64, 65, 10}, {100, 200, 130}
        };
        for (int[] s : sizes) {
            double typical = Math.sqrt(s[1]) * (exact ? 16 : 0.4);
            for (int way = 0; way < 4; way++) {
                MatMul op = new MatMul((way & 1) != 0, (way & 2) != 0);
                Type a = op.transposeA() ? Type.f32(s[1], s[0]) : Type.f32(s[0], s[1]);
                Type b = op.transposeB() ? Type.f32(s[2], s[1]) : Type.f32(s[1], s[2]);
                cases.addAll(inEveryWay(exact, op, op.transposeB() ? 0 : 1, typical, a, b));
            }
        }
        cases.addAll(inEveryWay(
                exact, new MatMul(false, true), -1, exact ? 64 : 4, Type.f32(2, 3, 17, 8), Type.f32(2, 3, 33, 8)));
        return cases;
    }

    @TestFactory
    Stream<DynamicTest> exactProducts() {
        return each("exact", products(true), (c, draw) -> exactly(c, c.operands(draw, true)));
    }

    @TestFactory
    Stream<DynamicTest> roundedProducts() {
        return each("rounded", products(false), (c, draw) -> within(c, c.operands(draw, false)));
    }

    // ---- the rest ----

    private static final Type IMAGE = Type.f32(3, 16, 7, 5);
    private static final Type ODD = Type.f32(2, 17, 6, 8);
    private static final Type ROWS = Type.f32(33, 65);

    private static List<Case> others(boolean exact) {
        List<Case> cases = new ArrayList<>();
        for (Type x : List.of(IMAGE, ODD, ROWS)) {
            Type channels = Type.f32(x.shape().get(1));
            cases.addAll(inEveryWay(exact, new WeightedSum(List.of(1f, 1f)), -1, 2, x, x));
            cases.addAll(inEveryWay(exact, new WeightedSum(List.of(1f, 2f, 0.5f)), -1, 2, x, x, x));
            cases.addAll(inEveryWay(exact, new Bias(), -1, 1, x, channels));
            cases.addAll(inEveryWay(exact, new Reshape(List.of(0, -1)), -1, 1, x));
            cases.addAll(inEveryWay(exact, new Concat(1), -1, 1, x, x));
            cases.addAll(inEveryWay(exact, new Slice(1, 1, 5, 2), -1, 1, x));
            cases.addAll(inEveryWay(exact, new Activation(Activation.Function.RELU), -1, 1, x));
            cases.addAll(inEveryWay(exact, new Activation(Activation.Function.LEAKY_RELU, 0.25f), -1, 1, x));
        }
        for (Type x : List.of(IMAGE, ODD, Type.f32(2, 64, 12, 12))) {
            cases.addAll(inEveryWay(exact, new Pool(Pooling.Function.MAX, 3, 3, Window.of(2, 1, 1)), -1, 1, x));
            cases.addAll(inEveryWay(exact, new Pool(Pooling.Function.AVERAGE, 2, 2, Window.of(2, 0, 1)), -1, 1, x));
            cases.addAll(inEveryWay(exact, new Transpose(List.of(0, 2, 3, 1)), -1, 1, x));
        }
        return cases;
    }

    @TestFactory
    Stream<DynamicTest> exactOthers() {
        return each("exact", others(true), (c, draw) -> exactly(c, c.operands(draw, true)));
    }

    @TestFactory
    Stream<DynamicTest> roundedOthers() {
        return each("rounded", others(false), (c, draw) -> within(c, c.operands(draw, false)));
    }

    /** What moves values and keeps their quantization keeps their bits. */
    @TestFactory
    Stream<DynamicTest> movedBytesStayTheSame() {
        Quantization q = Quantization.u8(0.0173f, 77);
        List<Op> moves = List.of(
                new Reshape(List.of(0, -1)),
                new Transpose(List.of(0, 2, 3, 1)),
                new Slice(3, 1, 5, 2),
                new Concat(1),
                new Pool(Pooling.Function.MAX, 3, 3, Window.of(2, 1, 1)));
        return each("the same", moves, (op, draw) -> {
            int results = op.infer(List.of(IMAGE)).size();
            List<Quantization> to = new ArrayList<>(List.of(q));
            to.addAll(Collections.nCopies(results - 1, Quantization.NONE));
            Case c = new Case(new Quantized(op, List.of(q), to), List.of(IMAGE));
            exactly(c, c.operands(draw, true));
        });
    }

    private static List<Case> smooth() {
        List<Case> cases = new ArrayList<>();
        for (Type x : List.of(IMAGE, ODD, ROWS)) {
            for (Activation.Function function : Activation.Function.values()) {
                cases.addAll(inEveryWay(false, new Activation(function), -1, 1, x));
            }
            if (!x.equals(ROWS)) {
                cases.addAll(inEveryWay(false, new GlobalAveragePool(), -1, 0.2, x));
            }
        }
        cases.addAll(inEveryWay(false, new Softmax(-1, false), -1, 0.2, ROWS));
        cases.addAll(inEveryWay(false, new LayerNorm(1, 1e-5f), -1, 1.5, ROWS, Type.f32(65), Type.f32(65)));
        return cases;
    }

    @TestFactory
    Stream<DynamicTest> roundedSmooth() {
        return each("rounded", smooth(), (c, draw) -> within(c, c.operands(draw, false)));
    }

    // ---- to integers and back ----

    private static List<Quantization> quantizations() {
        return List.of(
                Quantization.u8(0.5f, 0),
                Quantization.u8(0.0173f, 129),
                Quantization.s8(0.25f),
                new Quantization(DType.S8, List.of(0.0371f), 0, -7));
    }

    /** Each of them with shapes, some with scales of their own for each index. */
    private record Conversion(Quantization q, Shape shape) {}

    private static List<Conversion> conversions() {
        List<Conversion> all = new ArrayList<>();
        List<Shape> shapes = new ArrayList<>(ANY_SHAPES);
        shapes.addAll(EMPTY_SHAPES);
        for (Shape shape : shapes) {
            quantizations().forEach(q -> all.add(new Conversion(q, shape)));
            for (int axis = 0; axis < shape.rank(); axis++) {
                List<Float> scales = IntStream.range(0, shape.get(axis))
                        .mapToObj(i -> 0.01f + 0.003f * i)
                        .toList();
                if (!scales.isEmpty()) {
                    all.add(new Conversion(Quantization.s8(scales, axis), shape));
                }
            }
        }
        return all;
    }

    @TestFactory
    Stream<DynamicTest> roundedToIntegers() {
        return each("quantize", conversions(), (c, draw) -> {
            Tensor x = draw.normal(0.1, 1.5, c.shape);
            bench().check(new Quantize(c.q), List.of(x), y -> {
                double[] actual = Truth.wide(y.get(0));
                for (int i = 0; i < actual.length; i++) {
                    double exact = x.floats()[i] / (double) c.q.scale(c.q.index(c.shape, i)) + c.q.zeroPoint();
                    double clamped = Math.max(c.q.least(), Math.min(c.q.greatest(), exact));
                    assertTrue(
                            Math.abs(actual[i] - clamped) <= 0.5001,
                            "at " + i + " " + actual[i] + " is not nearest to " + exact);
                }
            });
        });
    }

    @TestFactory
    Stream<DynamicTest> roundedToReals() {
        return each("dequantize", conversions(), (c, draw) -> {
            Tensor q = integers(draw, c.q, c.shape);
            Tensor expected = c.q.dequantize(q);
            bench().check(new Dequantize(c.q), List.of(q), y -> assertEquals(expected, y.get(0)));
        });
    }

    /** Ties go to even numbers, what is beyond the range to its end, NaN to the zero point. */
    @TestFactory
    Stream<DynamicTest> exactSpecialValues() {
        Quantization unsigned = Quantization.u8(2, 4);
        Quantization signed = Quantization.s8(0.5f);
        float nan = Float.NaN;
        float infinity = Float.POSITIVE_INFINITY;
        float[] x = {0, -0f, 1, 3, 5, -1, -3, 600, -600, nan, infinity, -infinity, Float.MAX_VALUE, Float.MIN_VALUE};
        int[] u = {4, 4, 4, 6, 6, 4, 2, 255, 0, 4, 255, 0, 255, 4};
        int[] s = {0, 0, 2, 6, 10, -2, -6, 127, -128, 0, 127, -128, 127, 0};
        return each("special", List.of(unsigned, signed), (q, draw) -> {
            int[] expected = q.equals(unsigned) ? u : s;
            byte[] bytes = new byte[x.length];
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = (byte) expected[i];
            }
            Shape shape = Shape.of(x.length);
            Tensor to = q.equals(unsigned) ? Tensor.u8(shape, bytes) : Tensor.s8(shape, bytes);
            bench().check(new Quantize(q), List.of(Tensor.of(shape, x)), y -> assertEquals(to, y.get(0)));
            assertEquals(to, q.quantize(Tensor.of(shape, x)));
        });
    }

    // ---- the type rule ----

    private static final Type BYTES = new Type(DType.U8, Shape.of(2, 2));

    private static String refusal(Op op, Type... in) {
        return String.valueOf(
                assertThrows(TypeException.class, () -> op.infer(List.of(in))).getMessage());
    }

    @Test
    void typesThatDoNotFitAreRefused() {
        Quantization u8 = Quantization.u8(0.1f, 3);
        Quantization s8 = Quantization.s8(List.of(0.1f, 0.2f, 0.3f), 1);
        MatMul matmul = new MatMul(false, false);
        Quantized product = new Quantized(matmul, List.of(u8, s8), List.of(u8));
        assertEquals("matmul u8,s8→u8", product.toString());
        Type weights = new Type(DType.S8, Shape.of(2, 3));
        assertEquals(List.of(new Type(DType.U8, Shape.of(2, 3))), product.infer(List.of(BYTES, weights)));
        assertEquals("matmul: operand 1 must be s8, but is u8[2,2]", refusal(product, BYTES, BYTES));
        assertEquals(
                "matmul: operand 1 must have 3 indices along axis 1, one for each scale, but is [2,2]",
                refusal(product, BYTES, new Type(DType.S8, Shape.of(2, 2))));
        assertEquals("matmul is quantized for 2 operands, but got 1 operands", refusal(product, BYTES));
        Quantized reals = new Quantized(matmul, List.of(u8, Quantization.NONE), List.of(u8));
        assertEquals("matmul: operand 1 must be f32, but is s8[2,3]", refusal(reals, BYTES, weights));
        Quantized two = new Quantized(matmul, List.of(u8, s8), List.of(u8, u8));
        assertEquals("matmul has results [f32[2,3]], but is quantized for 2", refusal(two, BYTES, weights));
        Quantized index = new Quantized(new ArgMax(1, false), List.of(u8), List.of(u8));
        assertEquals("argmax: result 0 is i32[2], which cannot be quantized", refusal(index, BYTES));
        assertEquals("dequantize: x must be u8, but is s8[2,3]", refusal(new Dequantize(u8), weights));
        assertEquals("quantize: x must be f32, but is u8[2,2]", refusal(new Quantize(u8), BYTES));
        assertThrows(IllegalArgumentException.class, () -> new Quantized(product, List.of(), List.of()));
        assertThrows(IllegalArgumentException.class, () -> new Quantize(Quantization.NONE));
    }

    @Test
    void thereIsNoGradient() {
        Graph graph = new Graph();
        Value x = graph.leaf(Role.INPUT, "x", Type.f32(2, 2));
        Value y = new Quantize(Quantization.u8(0.1f, 0)).of(x);
        Exception e = assertThrows(IllegalStateException.class, () -> graph.differentiate(y, y, List.of(x)));
        assertTrue(String.valueOf(e.getMessage()).contains("quantize has no gradient"), e::getMessage);
    }
}
