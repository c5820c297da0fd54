package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

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
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * Ops in mixed precision, with bf16 in each sensible place. What is computed of integers is exact, and each bf16 result
 * is that rounded once; what is computed of reals is as close as in f32, but for that rounding.
 */
@Covers(Mixed.class)
abstract class MixedSpec extends Spec {

    /** Which values are bf16. */
    private enum Way {
        ALL,
        OPERANDS,
        RESULTS,
        FIRST_OPERAND,
        /** What has a value per element, as in a network; not what has one per channel. */
        LARGE,
        LARGE_OPERANDS;

        boolean operand(int i, Type type) {
            return type.dtype() == DType.F32
                    && switch (this) {
                        case ALL, OPERANDS -> true;
                        case RESULTS -> false;
                        case FIRST_OPERAND -> i == 0;
                        case LARGE, LARGE_OPERANDS -> type.shape().rank() > 1;
                    };
        }

        boolean result(Type type) {
            return type.dtype() == DType.F32
                    && switch (this) {
                        case ALL, RESULTS -> true;
                        case OPERANDS, FIRST_OPERAND, LARGE_OPERANDS -> false;
                        case LARGE -> type.shape().rank() > 1;
                    };
        }
    }

    /** An op on f32, and which of its operands and results are bf16. */
    record Case(Op op, List<Type> in, List<DType> operands, List<DType> results) {

        static Case of(Op op, List<Type> in, Way way) {
            List<DType> operands = new ArrayList<>();
            for (int i = 0; i < in.size(); i++) {
                operands.add(way.operand(i, in.get(i)) ? DType.BF16 : in.get(i).dtype());
            }
            List<DType> results = op.infer(in).stream()
                    .map(t -> way.result(t) ? DType.BF16 : t.dtype())
                    .toList();
            return new Case(op, in, operands, results);
        }

        Mixed mixed() {
            return new Mixed(op, results);
        }

        /** The operands in the types that they are to have. */
        Tensor[] narrowed(List<Tensor> floats) {
            Tensor[] all = new Tensor[floats.size()];
            for (int i = 0; i < all.length; i++) {
                all[i] = operands.get(i) == DType.BF16 ? floats.get(i).narrowed() : floats.get(i);
            }
            return all;
        }

        Tensor[] integers(Draw draw, int bound) {
            return narrowed(
                    in.stream().map(t -> draw.integers(bound, t.shape())).toList());
        }

        Tensor[] normal(Draw draw) {
            return narrowed(in.stream().map(t -> draw.normal(t.shape())).toList());
        }

        @Override
        public String toString() {
            return mixed() + " of " + operands + " " + in;
        }
    }

    private static List<Case> inEveryWay(Op op, Type... in) {
        Set<Case> cases = new LinkedHashSet<>();
        for (Way way : Way.values()) {
            cases.add(Case.of(op, List.of(in), way));
        }
        return List.copyOf(cases);
    }

    // ---- matrix products ----

    private static List<Case> products() {
        List<Case> cases = new ArrayList<>();
        int[][] sizes = {{1, 1, 1}, {7, 8, 15}, {17, 33, 31}, {3, 129, 50}, {64, 65, 10}, {100, 200, 130}};
        for (int[] s : sizes) {
            for (int way = 0; way < 4; way++) {
                MatMul op = new MatMul((way & 1) != 0, (way & 2) != 0);
                Type a = op.transposeA() ? Type.f32(s[1], s[0]) : Type.f32(s[0], s[1]);
                Type b = op.transposeB() ? Type.f32(s[2], s[1]) : Type.f32(s[1], s[2]);
                cases.addAll(inEveryWay(op, a, b));
            }
        }
        cases.addAll(inEveryWay(new MatMul(false, true), Type.f32(2, 3, 17, 8), Type.f32(2, 3, 33, 8)));
        cases.addAll(inEveryWay(new MatMul(true, false), Type.f32(5, 16, 31), Type.f32(16, 33)));
        cases.addAll(inEveryWay(new MatMul(false, false), Type.f32(3, 1, 7, 16), Type.f32(2, 16, 5)));
        cases.addAll(inEveryWay(new MatMul(false, false), Type.f32(3, 0), Type.f32(0, 4)));
        return cases;
    }

    private static double length(Case c) {
        return ((MatMul) c.op()).k(c.in().get(0).shape());
    }

    @TestFactory
    Stream<DynamicTest> exactProducts() {
        return each("exact", products(), (c, draw) -> exact(c.mixed(), c.integers(draw, 8)));
    }

    @TestFactory
    Stream<DynamicTest> boundedProducts() {
        return each("bounded", products(), (c, draw) -> boundedSums(c.mixed(), length(c), c.normal(draw)));
    }

    // ---- convolutions ----

    /** A convolution of x: [n,c,h,w] with kernels: [o,c/groups,k,k]. */
    private static List<Case> convolution(int[] x, int out, int k, Window window, int groups) {
        Convolution op = new Convolution(window, groups);
        Type image = Type.f32(x);
        Type kernels = Type.f32(out, x[1] / groups, k, k);
        Type y = op.infer(List.of(image, kernels)).get(0);
        List<Case> cases = new ArrayList<>(inEveryWay(op, image, kernels));
        cases.addAll(inEveryWay(new Convolution.BackwardData(op, image.shape()), y, kernels));
        cases.addAll(inEveryWay(new Convolution.BackwardWeights(op, kernels.shape()), image, y));
        return cases;
    }

    private static List<Case> convolutions() {
        List<Case> cases = new ArrayList<>();
        cases.addAll(convolution(new int[] {2, 1, 9, 8}, 32, 3, Window.of(1, 0, 1), 1));
        cases.addAll(convolution(new int[] {2, 32, 10, 10}, 64, 3, Window.of(1, 1, 1), 1));
        cases.addAll(convolution(new int[] {1, 64, 14, 14}, 64, 3, Window.of(2, 1, 1), 1));
        cases.addAll(convolution(new int[] {2, 3, 17, 15}, 16, 7, Window.of(2, 3, 1), 1));
        cases.addAll(convolution(new int[] {2, 17, 7, 7}, 33, 1, Window.of(1, 0, 1), 1));
        cases.addAll(convolution(new int[] {2, 7, 5, 6}, 3, 1, Window.of(1, 0, 1), 1));
        cases.addAll(convolution(new int[] {1, 16, 9, 9}, 8, 3, Window.of(1, 2, 2), 1));
        cases.addAll(convolution(new int[] {2, 32, 8, 8}, 32, 3, Window.of(1, 1, 1), 4));
        cases.addAll(convolution(new int[] {2, 32, 9, 9}, 32, 3, Window.of(2, 1, 1), 32));
        return cases;
    }

    /** No fewer than meet in one sum. */
    private static double terms(Case c) {
        Shape x = c.in().get(0).shape();
        int others = c.in().stream().skip(1).mapToInt(t -> t.shape().size()).sum();
        return x.size() / (double) x.get(1) + others;
    }

    @TestFactory
    Stream<DynamicTest> exactConvolutions() {
        return each("exact", convolutions(), (c, draw) -> exact(c.mixed(), c.integers(draw, 4)));
    }

    @TestFactory
    Stream<DynamicTest> boundedConvolutions() {
        return each("bounded", convolutions(), (c, draw) -> boundedSums(c.mixed(), terms(c), c.normal(draw)));
    }

    // ---- sums ----

    private static final Type IMAGE = Type.f32(3, 16, 7, 5);
    private static final Type ODD = Type.f32(2, 17, 6, 8);

    private static List<Case> sums() {
        List<Case> cases = new ArrayList<>();
        for (Type x : List.of(IMAGE, ODD, Type.f32(33, 10), Type.f32(128, 64))) {
            Type channels = Type.f32(x.shape().get(1));
            cases.addAll(inEveryWay(new Bias(), x, channels));
            cases.addAll(inEveryWay(new Bias.Backward(), x));
            cases.addAll(inEveryWay(new WeightedSum(List.of(1f, 1f)), x, x));
            cases.addAll(inEveryWay(new WeightedSum(List.of(1f, 2f, 0.5f)), x, x, x));
        }
        for (Type x : List.of(IMAGE, ODD)) {
            Pool average = new Pool(Pooling.Function.AVERAGE, 2, 2, Window.of(2, 0, 1));
            Type y = average.infer(List.of(x)).get(0);
            cases.addAll(inEveryWay(average, x));
            cases.addAll(inEveryWay(new Pooling.AverageBackward(average, x.shape()), y));
        }
        return cases;
    }

    @TestFactory
    Stream<DynamicTest> exactSums() {
        return each("exact", sums(), (c, draw) -> exact(c.mixed(), c.integers(draw, 99)));
    }

    @TestFactory
    Stream<DynamicTest> boundedOtherSums() {
        return each("bounded", sums(), (c, draw) -> boundedSums(c.mixed(), terms(c), c.normal(draw)));
    }

    // ---- what only chooses, or moves ----

    @TestFactory
    Stream<DynamicTest> exactMaxima() {
        List<Case> cases = new ArrayList<>();
        for (Type x : List.of(IMAGE, ODD, Type.f32(2, 64, 12, 12))) {
            cases.addAll(inEveryWay(new Pool(Pooling.Function.MAX, 2, 2, Window.of(2, 0, 1)), x));
            cases.addAll(inEveryWay(new Pool(Pooling.Function.MAX, 3, 3, Window.of(1, 1, 1)), x));
        }
        return each("exact", cases, (c, draw) -> exact(c.mixed(), c.integers(draw, 99)));
    }

    @TestFactory
    Stream<DynamicTest> exactMaximaBackward() {
        List<Case> cases = new ArrayList<>();
        for (Type x : List.of(IMAGE, ODD, Type.f32(2, 64, 12, 12))) {
            Pool pool = new Pool(Pooling.Function.MAX, 3, 3, Window.of(2, 1, 1));
            List<Type> y = pool.infer(List.of(x));
            cases.addAll(inEveryWay(new Pooling.MaxBackward(pool, x.shape()), y.get(0), y.get(1)));
        }
        return each("exact", cases, (c, draw) -> {
            Pooling.MaxBackward op = (Pooling.MaxBackward) c.op();
            Tensor x = draw.normal(op.x());
            Tensor index = Truth.tensor(c.in().get(1), Truth.formula(op.forward(), List.of(x))[1]);
            Tensor dy = draw.integers(99, c.in().get(0).shape());
            exact(c.mixed(), c.narrowed(List.of(dy, index)));
        });
    }

    @TestFactory
    Stream<DynamicTest> exactMoves() {
        Type x = Type.f32(2, 16, 5, 7);
        List<Op> ops = List.of(
                new Reshape(List.of(0, -1)),
                new Transpose(List.of(0, 2, 3, 1)),
                new Slice(3, 1, 3, 2),
                new Concat(1),
                new Expand(List.of(3, 2, 16, 5, 7)),
                new Dropout(0.5f),
                new Activation(Activation.Function.RELU));
        List<Case> cases = new ArrayList<>();
        ops.forEach(op -> cases.addAll(inEveryWay(op, x)));
        return each("exact", cases, (c, draw) -> {
            Tensor[] in = c.integers(draw, 255);
            exact(c.mixed(), in);
            if (c.op() instanceof Reshape || c.op() instanceof Transpose || c.op() instanceof Slice) {
                exact(c.op(), in); // they take any type as they are
            }
        });
    }

    // ---- the rest ----

    /** The f32 result may be some units off, of one or of its size; rounding comes on top. */
    private void close(Case c, double units, Tensor... operands) {
        bounded(
                c.mixed(),
                (in, out) -> {
                    double[][] bounds = new double[out.length][];
                    for (int o = 0; o < out.length; o++) {
                        bounds[o] = new double[out[o].length];
                        for (int i = 0; i < bounds[o].length; i++) {
                            bounds[o][i] = units * Truth.U * (1 + Math.abs(out[o][i]));
                        }
                    }
                    return bounds;
                },
                operands);
    }

    @TestFactory
    Stream<DynamicTest> boundedActivations() {
        List<Case> cases = new ArrayList<>();
        for (Activation.Function function : Activation.Function.values()) {
            for (Type x : List.of(ODD, Type.f32(33, 65))) {
                cases.addAll(inEveryWay(new Activation(function), x));
                cases.addAll(inEveryWay(new Activation.Backward(function), x, x));
            }
        }
        return each("bounded", cases, (c, draw) -> close(c, 32, c.normal(draw)));
    }

    @TestFactory
    Stream<DynamicTest> nanStaysInActivations() {
        List<Case> cases = new ArrayList<>();
        for (Activation.Function function : Activation.Function.values()) {
            cases.addAll(inEveryWay(new Activation(function), Type.f32(33)));
        }
        return each("nan", cases, (c, draw) -> {
            Tensor x = draw.normal(c.in().get(0).shape());
            x.floats()[5] = Float.NaN;
            bench().check(c.mixed(), List.of(c.narrowed(List.of(x))), y -> {
                double[] values = Truth.wide(y.get(0));
                for (int i = 0; i < values.length; i++) {
                    assertEquals(i == 5, Double.isNaN(values[i]), "NaN at " + i);
                }
            });
        });
    }

    @TestFactory
    Stream<DynamicTest> boundedNorms() {
        List<Case> cases = new ArrayList<>();
        for (Type x : List.of(Type.f32(8, 16, 7, 5), Type.f32(4, 17, 6, 8), Type.f32(64, 33))) {
            Type channels = Type.f32(x.shape().get(1));
            cases.addAll(inEveryWay(new BatchNorm.Training(1e-5f), x, channels, channels));
            cases.addAll(inEveryWay(new BatchNorm(1e-5f, 0.1f), x, channels, channels, channels, channels));
            cases.addAll(inEveryWay(new BatchNorm.Backward(1e-5f), x, x, channels, channels, channels));
        }
        Type rows = Type.f32(33, 64);
        cases.addAll(inEveryWay(new LayerNorm(1, 1e-5f), rows, Type.f32(64), Type.f32(64)));
        cases.addAll(inEveryWay(new Softmax(-1, false), rows));
        return each("bounded", cases, (c, draw) -> {
            List<Tensor> in = new ArrayList<>();
            for (Type t : c.in()) {
                boolean channels = t.shape().rank() == 1;
                in.add(channels ? draw.uniform(0.5, 1.5, t.shape()) : draw.normal(t.shape()));
            }
            close(c, 2048, c.narrowed(in));
        });
    }

    @TestFactory
    Stream<DynamicTest> boundedMeans() {
        List<Case> cases = new ArrayList<>();
        for (Type x : List.of(IMAGE, ODD, Type.f32(2, 64, 12, 12))) {
            Type y = Type.f32(x.shape().get(0), x.shape().get(1), 1, 1);
            cases.addAll(inEveryWay(new GlobalAveragePool(), x));
            cases.addAll(inEveryWay(new GlobalAveragePool.Backward(x.shape()), y));
        }
        return each("bounded", cases, (c, draw) -> close(c, 32, c.normal(draw)));
    }

    @TestFactory
    Stream<DynamicTest> boundedDropout() {
        List<Case> cases = inEveryWay(new Dropout.Training(0.4f, "drop"), ODD, Type.i32(4));
        return each("bounded", cases, (c, draw) -> {
            Tensor random = Tensor.of(Shape.of(4), 1, 2, 3, 4);
            close(c, 2, c.narrowed(List.of(draw.normal(ODD.shape()), random)));
        });
    }

    // ---- the type rule ----

    private static final Type MATRIX = Type.f32(2, 2);
    private static final Type NARROW = new Type(DType.BF16, Shape.of(2, 2));

    @Test
    void typesThatDoNotFitAreRefused() {
        Mixed toTwo = new Mixed(new MatMul(false, false), List.of(DType.BF16, DType.F32));
        Exception count = assertThrows(TypeException.class, () -> toTwo.infer(List.of(MATRIX, NARROW)));
        assertTrue(
                String.valueOf(count.getMessage()).contains("[f32[2,2]], which cannot be [BF16, F32]"),
                count::getMessage);
        Mixed toInteger = new Mixed(new MatMul(false, false), List.of(DType.I32));
        Exception dtype = assertThrows(TypeException.class, () -> toInteger.infer(List.of(MATRIX, NARROW)));
        assertTrue(
                String.valueOf(dtype.getMessage()).contains("result 0 is f32[2,2], which cannot be rounded to I32"),
                dtype::getMessage);
        assertThrows(IllegalArgumentException.class, () -> new Mixed(toTwo, List.of()));
    }

    @Test
    void thereIsNoGradient() {
        Graph graph = new Graph();
        Value x = graph.leaf(Role.INPUT, "x", MATRIX);
        Value y = new Mixed(new MatMul(false, false), List.of(DType.F32)).of(x, x);
        Exception e = assertThrows(IllegalStateException.class, () -> graph.differentiate(y, y, List.of(x)));
        assertTrue(String.valueOf(e.getMessage()).contains("matmul in mixed precision has no gradient"), e::getMessage);
    }
}
