package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.TypeException;
import dev.hadal.graph.Value;
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

    // ---- the type rule ----

    private static final Type MATRIX = Type.f32(2, 2);
    private static final Type NARROW = new Type(DType.BF16, Shape.of(2, 2));

    @Test
    void typesThatDoNotFitAreRefused() {
        Mixed toTwo = new Mixed(new MatMul(false, false), List.of(DType.BF16, DType.F32));
        Exception count = assertThrows(TypeException.class, () -> toTwo.infer(List.of(MATRIX, NARROW)));
        assertTrue(count.getMessage().contains("[f32[2,2]], which cannot be [BF16, F32]"), count::getMessage);
        Mixed toInteger = new Mixed(new MatMul(false, false), List.of(DType.I32));
        Exception dtype = assertThrows(TypeException.class, () -> toInteger.infer(List.of(MATRIX, NARROW)));
        assertTrue(dtype.getMessage().contains("result 0 is f32[2,2], which cannot be rounded to I32"), dtype::getMessage);
        assertThrows(IllegalArgumentException.class, () -> new Mixed(toTwo, List.of()));
    }

    @Test
    void thereIsNoGradient() {
        Graph graph = new Graph();
        Value x = graph.leaf(Role.INPUT, "x", MATRIX);
        Value y = new Mixed(new MatMul(false, false), List.of(DType.F32)).of(x, x);
        Exception e = assertThrows(IllegalStateException.class, () -> graph.differentiate(y, y, List.of(x)));
        assertTrue(e.getMessage().contains("matmul in mixed precision has no gradient"), e::getMessage);
    }
}
