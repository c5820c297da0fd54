package dev.hadal.op;

import dev.hadal.graph.WeightedSum;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Sums of scaled values. */
@Covers(WeightedSum.class)
abstract class WeightedSumSpec extends Spec {

    record Case(List<Float> scales, Shape shape) {
        WeightedSum op() {
            return new WeightedSum(scales);
        }

        Tensor[] integers(Draw draw) {
            return scales.stream().map(s -> draw.integers(20, shape)).toArray(Tensor[]::new);
        }

        @Override
        public String toString() {
            return scales + " " + shape;
        }
    }

    private static final List<List<Float>> INTEGERS = List.of(
            List.of(1f),
            List.of(-3f),
            List.of(1f, 1f),
            List.of(2f, -1f),
            List.of(1f, 1f, 1f),
            List.of(1f, 0f, -4f, 5f),
            List.of(1f, 1f, 1f, 1f, 1f, 1f, 1f),
            List.of(1f, 2f, 3f, 4f, 5f, 6f, 7f, 8f, 9f, 10f));

    private static final List<List<Float>> REALS =
            List.of(List.of(1f), List.of(0.3f), List.of(0.9f, 0.1f), List.of(-1.7f, 0.01f, 3.3f), List.of(1f, 1f));

    private static List<Case> cases(List<List<Float>> scales, List<Shape> shapes) {
        List<Case> cases = new ArrayList<>();
        scales.forEach(s -> shapes.forEach(shape -> cases.add(new Case(s, shape))));
        return cases;
    }

    @TestFactory
    Stream<DynamicTest> exact() {
        return each("exact", cases(INTEGERS, ANY_SHAPES), (c, draw) -> exact(c.op(), c.integers(draw)));
    }

    @TestFactory
    Stream<DynamicTest> exactOnNothing() {
        return each("exact", cases(INTEGERS, EMPTY_SHAPES), (c, draw) -> exact(c.op(), c.integers(draw)));
    }

    /** x + x, where both operands lie at one place. */
    @TestFactory
    Stream<DynamicTest> exactOnOneValueTwice() {
        return each(
                "exact, twice the same value",
                cases(List.of(List.of(1f, 1f), List.of(5f, -2f)), ANY_SHAPES),
                (c, draw) -> {
                    Tensor x = draw.integers(20, c.shape());
                    exact(c.op(), x, x);
                });
    }

    /** T products and T − 1 sums: every term goes through at most T roundings. Worst observed: 0.96 of it. */
    @TestFactory
    Stream<DynamicTest> bounded() {
        return each("bounded", cases(REALS, ANY_SHAPES), (c, draw) -> {
            Tensor[] x = c.scales().stream().map(s -> draw.normal(c.shape())).toArray(Tensor[]::new);
            bounded(
                    c.op(),
                    (in, out) -> {
                        double[] bound = new double[out[0].length];
                        for (int t = 0; t < in.length; t++) {
                            for (int i = 0; i < bound.length; i++) {
                                bound[i] += in.length
                                        * Truth.U
                                        * Math.abs(c.scales().get(t) * in[t][i]);
                            }
                        }
                        return new double[][] {bound};
                    },
                    x);
        });
    }

    @TestFactory
    Stream<DynamicTest> adjoint() {
        return each(
                "adjoint",
                cases(INTEGERS, ANY_SHAPES),
                (c, draw) -> adjointInAll(c.op(), draw.integers(9, c.shape()), c.integers(draw)));
    }
}
