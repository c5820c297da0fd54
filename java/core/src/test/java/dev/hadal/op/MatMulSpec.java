package dev.hadal.op;

import dev.hadal.graph.Type;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Matrix products and batches of them, in each of the four ways to store the operands. */
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

    /** A batch: the dimensions before the last two. */
    record Batch(List<Integer> a, List<Integer> b, Case each) {
        Shape shapeOfA() {
            return joined(a, each.a());
        }

        Shape shapeOfB() {
            return joined(b, each.b());
        }

        Shape y() {
            return each.op()
                    .infer(List.of(Type.f32(shapeOfA()), Type.f32(shapeOfB())))
                    .get(0)
                    .shape();
        }

        private static Shape joined(List<Integer> batch, Shape matrix) {
            List<Integer> dims = new ArrayList<>(batch);
            dims.addAll(matrix.dims());
            return new Shape(dims);
        }

        @Override
        public String toString() {
            return each.op() + " " + shapeOfA() + " " + shapeOfB();
        }
    }

    /** Alike, one of them shared by all, and each repeated along an axis of its own; the last as in attention. */
    private static final List<List<List<Integer>>> BATCHES = List.of(
            List.of(List.of(3), List.of(3)),
            List.of(List.of(1), List.of(1)),
            List.of(List.of(5), List.of()),
            List.of(List.of(2, 3), List.of(1, 1)),
            List.of(List.of(), List.of(4)),
            List.of(List.of(3, 1), List.of(2)),
            List.of(List.of(2, 1, 3), List.of(1, 5, 1)),
            List.of(List.of(2, 4), List.of(2, 4)));

    private static final List<int[]> SIZES =
            List.of(new int[] {1, 1, 1}, new int[] {7, 3, 1}, new int[] {16, 8, 33}, new int[] {31, 17, 15}, new int[] {
                65, 64, 8
            });

    private static List<Batch> batches() {
        List<Batch> batches = new ArrayList<>();
        for (Case each : inEveryWay(SIZES)) {
            BATCHES.forEach(b -> batches.add(new Batch(b.get(0), b.get(1), each)));
        }
        // Large enough for two threads, inside one product and outside of them.
        batches.add(new Batch(List.of(2), List.of(2), new Case(170, 200, 150, false, false)));
        batches.add(new Batch(List.of(24), List.of(24), new Case(33, 40, 65, false, true)));
        return batches;
    }

    private static List<Batch> emptyBatches() {
        List<Batch> batches = new ArrayList<>();
        batches.add(new Batch(List.of(0), List.of(), new Case(2, 3, 4, false, false)));
        batches.add(new Batch(List.of(0), List.of(1), new Case(2, 3, 4, true, false)));
        for (int[] s : EMPTY) {
            batches.add(new Batch(List.of(2), List.of(), new Case(s[0], s[1], s[2], false, true)));
            batches.add(new Batch(List.of(2), List.of(3, 1), new Case(s[0], s[1], s[2], true, false)));
        }
        return batches;
    }

    @TestFactory
    Stream<DynamicTest> exactInBatches() {
        List<Batch> batches = new ArrayList<>(batches());
        batches.addAll(emptyBatches());
        return each(
                "exact",
                batches,
                (c, draw) -> exact(c.each().op(), draw.integers(8, c.shapeOfA()), draw.integers(8, c.shapeOfB())));
    }

    @TestFactory
    Stream<DynamicTest> boundedInBatches() {
        return each(
                "bounded",
                batches(),
                (c, draw) ->
                        boundedSums(c.each().op(), c.each().k(), draw.normal(c.shapeOfA()), draw.normal(c.shapeOfB())));
    }

    @TestFactory
    Stream<DynamicTest> adjointInBatches() {
        List<Batch> batches = new ArrayList<>(batches());
        batches.addAll(emptyBatches());
        return each(
                "adjoint",
                batches,
                (c, draw) -> adjointInEach(
                        c.each().op(),
                        draw.integers(4, c.y()),
                        draw.integers(4, c.shapeOfA()),
                        draw.integers(4, c.shapeOfB())));
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
