package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The mask of scaled dot-product attention. A scale of a power of two makes all of it exact. */
@Covers({AttentionMask.class, AttentionMask.Backward.class})
abstract class AttentionSpec extends Spec {

    record Case(AttentionMask op, Shape x) {
        Tensor[] operands(Tensor products, Draw draw) {
            if (!op.padded()) {
                return new Tensor[] {products};
            }
            int[] lengths = new int[x.get(0)];
            for (int i = 0; i < lengths.length; i++) {
                lengths[i] = draw.between(-1, x.get(3) + 1);
            }
            return new Tensor[] {products, Tensor.of(Shape.of(lengths.length), lengths)};
        }
    }

    private static List<Case> cases(float scale, int[]... shapes) {
        List<Case> cases = new ArrayList<>();
        for (int[] x : shapes) {
            for (boolean causal : new boolean[] {false, true}) {
                for (boolean padded : new boolean[] {false, true}) {
                    cases.add(new Case(new AttentionMask(scale, causal, padded), Shape.of(x)));
                }
            }
        }
        return cases;
    }

    private static final int[][] SHAPES = {
        {1, 1, 1, 1}, {2, 3, 7, 7}, {3, 2, 16, 17}, {2, 1, 33, 15}, {1, 4, 3, 65}, {4, 8, 64, 64}
    };

    @TestFactory
    Stream<DynamicTest> exact() {
        return each("exact", cases(0.25f, SHAPES), (c, draw) -> {
            Tensor x = draw.integers(9, c.x());
            Tensor[] operands = c.operands(x, draw);
            double[] y = Truth.formula(c.op(), List.of(operands))[0];
            bench().check(c.op(), List.of(operands), results -> {
                for (int i = 0; i < y.length; i++) {
                    assertEquals((float) y[i], results.get(0).floats()[i], "y at " + i);
                }
            });
            exact(new AttentionMask.Backward(c.op()), c.operands(x, draw));
        });
    }

    @TestFactory
    Stream<DynamicTest> exactOnNothing() {
        int[][] empty = {{0, 2, 3, 3}, {2, 0, 3, 3}, {2, 2, 0, 3}, {2, 2, 3, 0}};
        return each("exact", cases(0.5f, empty), (c, draw) -> {
            exact(c.op(), c.operands(draw.integers(9, c.x()), draw));
            exact(new AttentionMask.Backward(c.op()), c.operands(draw.integers(9, c.x()), draw));
        });
    }

    /** Of what is seen: what is hidden would drown any difference. */
    @TestFactory
    Stream<DynamicTest> gradient() {
        List<Case> small =
                cases(0.5f, SHAPES).stream().filter(c -> c.x().size() < 2000).toList();
        return each("gradient", small, (c, draw) -> {
            Tensor[] operands = c.operands(draw.normal(c.x()), draw);
            Tensor dy = draw.normal(c.x());
            double[] y = Truth.formula(c.op(), List.of(operands))[0];
            for (int i = 0; i < y.length; i++) {
                dy.floats()[i] = y[i] == AttentionMask.NEVER ? 0 : dy.floats()[i];
            }
            exactGradients(c.op(), dy, operands);
        });
    }
}
