package dev.hadal.op;

import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Values on the grid of a quantization. All but the sum over a scale's values is exact. */
@Covers({
    FakeQuantize.class,
    FakeQuantize.Backward.class,
    FakeQuantize.Dynamic.class,
    LearnedStep.class,
    LearnedStep.Backward.class
})
abstract class FakeQuantizeSpec extends Spec {

    record Case(Shape x, Quantization grid) {
        FakeQuantize op() {
            return new FakeQuantize(grid);
        }

        LearnedStep learned() {
            return new LearnedStep(grid.dtype(), grid.axis(), grid.zeroPoint());
        }

        Tensor steps() {
            float[] steps = new float[grid.scales().size()];
            for (int i = 0; i < steps.length; i++) {
                steps[i] = grid.scale(i);
            }
            return Tensor.of(Shape.of(steps.length), steps);
        }

        /** Values on steps, between them, and beyond the last. */
        Tensor reals(Draw draw) {
            return draw.normal(0, 90 * grid.scale(0), x);
        }
    }

    private static List<Case> cases(boolean exact) {
        List<Case> cases = new ArrayList<>();
        for (Shape x : List.of(Shape.of(37), Shape.of(3, 8, 5, 7), Shape.of(16, 3, 3, 3), Shape.of(2, 9000))) {
            float scale = exact ? 0.5f : 0.0173f;
            cases.add(new Case(x, Quantization.u8(scale, 0)));
            cases.add(new Case(x, Quantization.u8(scale, 100)));
            cases.add(new Case(x, Quantization.s8(scale)));
            cases.add(new Case(x, new Quantization(DType.S8, List.of(scale), 0, -20)));
            for (int axis = 0; axis < Math.min(2, x.rank()); axis++) {
                cases.add(new Case(x, Quantization.s8(scales(exact, scale, x.get(axis)), axis)));
            }
        }
        return cases;
    }

    private static List<Float> scales(boolean exact, float scale, int count) {
        return IntStream.range(0, count)
                .mapToObj(i -> exact ? scale * (1 << i % 3) : scale * (1 + i % 7))
                .toList();
    }

    @TestFactory
    Stream<DynamicTest> exact() {
        return each("exact", cases(true), (c, draw) -> exact(c.op(), draw.integers(99, c.x())));
    }

    @TestFactory
    Stream<DynamicTest> exactLearned() {
        return each("exact learned", cases(true), (c, draw) -> exact(c.learned(), draw.integers(99, c.x()), c.steps()));
    }

    @TestFactory
    Stream<DynamicTest> exactOnNothing() {
        Quantization grid = Quantization.s8(0.5f);
        return each("exact", EMPTY_SHAPES, (x, draw) -> {
            exact(new FakeQuantize(grid), draw.integers(9, x));
            exact(new FakeQuantize.Backward(grid), draw.integers(9, x), draw.integers(9, x));
        });
    }

    /** The step is the reference's for any scale, and so is its product with the scale, which is f32 there, too. */
    @TestFactory
    Stream<DynamicTest> exactOfReals() {
        return each("exact of reals", cases(false), (c, draw) -> exact(c.op(), c.reals(draw)));
    }

    @TestFactory
    Stream<DynamicTest> exactLearnedOfReals() {
        return each("exact learned of reals", cases(false), (c, draw) -> exact(c.learned(), c.reals(draw), c.steps()));
    }

    @TestFactory
    Stream<DynamicTest> exactDynamic() {
        return each("exact dynamic", cases(false), (c, draw) -> {
            for (int axis = 0; axis < Math.min(2, c.x().rank()); axis++) {
                Tensor w = draw.normal(c.x());
                Arrays.fill(w.floats(), 0, c.x().size() / c.x().get(0), 0); // a pruned row
                exact(new FakeQuantize.Dynamic(axis), w);
            }
        });
    }

    /** dx is dy or 0. */
    @TestFactory
    Stream<DynamicTest> exactBackward() {
        return each(
                "exact dx",
                cases(false),
                (c, draw) -> exact(new FakeQuantize.Backward(c.grid()), c.reals(draw), draw.integers(9, c.x())));
    }

    /**
     * dx is dy or 0. ds is a sum of as many terms as have that step, each of them dy times at most 255, and a share of that:
     * |err| ≤ 4·√K·u·share·Σ|dy·term|, with room for the quotient in a term, u·|x/s|. Worst observed: 0.2 of it.
     */
    @TestFactory
    Stream<DynamicTest> boundedLearnedBackward() {
        return each("bounded ds", cases(false), (c, draw) -> {
            Tensor x = c.reals(draw), dy = draw.normal(c.x());
            LearnedStep op = c.learned();
            List<Tensor> operands = List.of(x, c.steps(), dy);
            double[][] expected = Truth.formula(new LearnedStep.Backward(op), operands);
            double[] bounds = bounds(c, op, x, dy);
            bench().check(new LearnedStep.Backward(op), operands, y -> {
                Truth.exact("dx", y.get(0), expected[0]);
                double share = Truth.bounded("ds", y.get(1), expected[1], i -> bounds[i]);
                bench().tally().error(new LearnedStep.Backward(op), "y1", share);
            });
        });
    }

    private static double[] bounds(Case c, LearnedStep op, Tensor x, Tensor dy) {
        double[] sums = new double[c.grid().scales().size()];
        for (int i = 0; i < x.floats().length; i++) {
            int index = c.grid().index(c.x(), i);
            double term = 1 + Math.min(256, Math.abs(x.floats()[i] / c.grid().scale(index)));
            sums[index] += Math.abs(dy.floats()[i]) * term;
        }
        double count = (double) x.floats().length / sums.length;
        double share = op.share(c.x(), Shape.of(sums.length));
        Arrays.setAll(sums, s -> 4 * Math.sqrt(count) * Truth.U * share * sums[s]);
        return sums;
    }
}
