package dev.hadal.op;

import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Matrix products, in each of the four ways to store the operands. */
@Covers(MatMul.class)
abstract class MatMulSpec extends Spec {

    record Case(int m, int k, int n, boolean transposeA, boolean transposeB) {
        MatMul op() {
            return new MatMul(transposeA, transposeB);
        }

        Shape a() {
            return transposeA ? Shape.of(k, m) : Shape.of(m, k);
        }

        Shape b() {
            return transposeB ? Shape.of(n, k) : Shape.of(k, n);
        }

        @Override
        public String toString() {
            return op() + " " + m + "x" + k + "x" + n;
        }
    }

    private static final int[][] PICKED = {
        {1, 1, 1},
        {1, 7, 1},
        {2, 1, 3},
        {1, 33, 17},
        {31, 16, 1},
        {7, 8, 15},
        {16, 16, 16},
        {17, 33, 31},
        {8, 64, 32},
        {12, 5, 48},
        {13, 129, 50},
        {64, 65, 10},
        {128, 27, 10},
        {3, 1500, 5},
        {100, 100, 100},
        {200, 300, 130},
        {300, 20, 70}
    };

    private static final int[][] EMPTY = {{0, 3, 4}, {3, 0, 4}, {3, 4, 0}};

    private static List<Case> cases() {
        List<Case> cases = inEveryWay(List.of(PICKED));
        Draw draw = new Draw("matmul shapes");
        for (int i = 0; i < 40; i++) {
            cases.add(new Case(draw.dim(), draw.dim(), draw.dim(), draw.coin(), draw.coin()));
        }
        return cases;
    }

    private static List<Case> inEveryWay(List<int[]> sizes) {
        List<Case> cases = new ArrayList<>();
        for (int[] s : sizes) {
            for (int way = 0; way < 4; way++) {
                cases.add(new Case(s[0], s[1], s[2], (way & 1) != 0, (way & 2) != 0));
            }
        }
        return cases;
    }

    @TestFactory
    Stream<DynamicTest> exact() {
        return each("exact", cases(), (c, draw) -> exact(c.op(), draw.integers(8, c.a()), draw.integers(8, c.b())));
    }

    /** A sum of no products is zero. */
    @TestFactory
    Stream<DynamicTest> exactOnNothing() {
        return each(
                "exact",
                inEveryWay(List.of(EMPTY)),
                (c, draw) -> exact(c.op(), draw.integers(8, c.a()), draw.integers(8, c.b())));
    }

    @TestFactory
    Stream<DynamicTest> bounded() {
        return each(
                "bounded", cases(), (c, draw) -> boundedSums(c.op(), c.k(), draw.normal(c.a()), draw.normal(c.b())));
    }

    @TestFactory
    Stream<DynamicTest> adjoint() {
        return each("adjoint", cases(), (c, draw) -> {
            var dy = draw.integers(4, Shape.of(c.m(), c.n()));
            adjointInEach(c.op(), dy, draw.integers(4, c.a()), draw.integers(4, c.b()));
        });
    }
}
