package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hadal.graph.Op;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Arithmetic, elementwise, with and without broadcasting. */
@Covers({
    Unary.class,
    Clamp.class,
    Constant.class,
    Binary.class,
    Compare.class,
    Where.class,
    PRelu.class,
    PRelu.Backward.class
})
abstract class ArithmeticSpec extends Spec {

    /** Operands that broadcast. */
    record Pair(Shape a, Shape b) {}

    private static final List<Pair> PAIRS = List.of(
            new Pair(Shape.SCALAR, Shape.SCALAR),
            new Pair(Shape.of(33), Shape.of(33)),
            new Pair(Shape.of(2, 3, 17), Shape.of(17)),
            new Pair(Shape.of(17), Shape.of(3, 1)),
            new Pair(Shape.of(2, 1, 5), Shape.of(7, 1)),
            new Pair(Shape.of(2, 3, 4, 5), Shape.of(3, 1, 1)),
            new Pair(Shape.of(1, 3, 1, 5), Shape.of(2, 1, 4, 1)),
            new Pair(Shape.SCALAR, Shape.of(2, 65)),
            new Pair(Shape.of(3, 2100), Shape.of(3, 1)),
            new Pair(Shape.of(64, 31, 130), Shape.of(31, 130)));

    private static final List<Pair> EMPTY = List.of(
            new Pair(Shape.of(0), Shape.of(1)),
            new Pair(Shape.of(2, 0), Shape.of(2, 1)),
            new Pair(Shape.of(0, 3), Shape.of(3)));

    record Case(Op op, Pair shapes) {
        static <F> List<Case> all(F[] functions, Function<F, Op> op, List<Pair> shapes) {
            List<Case> cases = new ArrayList<>();
            for (F f : functions) {
                shapes.forEach(s -> cases.add(new Case(op.apply(f), s)));
            }
            return cases;
        }
    }

    private static final Binary.Function[] EXACT = {
        Binary.Function.ADD, Binary.Function.SUB, Binary.Function.MUL, Binary.Function.MIN, Binary.Function.MAX
    };

    @TestFactory
    Stream<DynamicTest> exact() {
        return each(
                "exact",
                Case.all(EXACT, Binary::new, PAIRS),
                (c, draw) -> exact(
                        c.op(),
                        draw.integers(9, c.shapes().a()),
                        draw.integers(9, c.shapes().b())));
    }

    @TestFactory
    Stream<DynamicTest> exactOnNothing() {
        return each(
                "exact",
                Case.all(Binary.Function.values(), Binary::new, EMPTY),
                (c, draw) -> exact(
                        c.op(),
                        draw.integers(9, c.shapes().a()),
                        draw.integers(9, c.shapes().b())));
    }

    /** Integers and NaN, of which every comparison is sure. */
    @TestFactory
    Stream<DynamicTest> exactComparisons() {
        return each("exact", Case.all(Compare.Function.values(), Compare::new, PAIRS), (c, draw) -> {
            Tensor a = draw.integers(2, c.shapes().a());
            if (a.floats().length > 3) {
                a.floats()[3] = Float.NaN;
            }
            exactIntegers(c.op(), a, draw.integers(2, c.shapes().b()));
        });
    }

    private void exactIntegers(Op op, Tensor... operands) {
        double[] expected = Truth.formula(op, List.of(operands))[0];
        bench().check(op, List.of(operands), y -> {
            for (int i = 0; i < expected.length; i++) {
                assertEquals((int) expected[i], y.get(0).ints()[i], "at " + i);
            }
        });
    }

    @TestFactory
    Stream<DynamicTest> exactChoices() {
        return each("exact where", PAIRS, (p, draw) -> {
            Tensor condition = condition(draw, p.b());
            exact(new Where(), condition, draw.integers(9, p.a()), draw.integers(9, Shape.of(1)));
            exact(new Where(), condition, draw.integers(9, p.b()), draw.integers(9, p.a()));
        });
    }

    private static Tensor condition(Draw draw, Shape shape) {
        Tensor condition = Tensor.zeros(DType.I32, shape);
        Arrays.setAll(condition.ints(), i -> draw.oneOf(0, 0, 1, -3));
        return condition;
    }

    @TestFactory
    Stream<DynamicTest> exactWithoutBroadcasting() {
        return each("exact", ANY_SHAPES, (x, draw) -> {
            exact(new Unary(Unary.Function.NEG), draw.integers(9, x));
            exact(new Unary(Unary.Function.ABS), draw.integers(9, x));
            exact(new Clamp(-3, 5), draw.integers(9, x));
            exact(new Clamp(Float.NEGATIVE_INFINITY, 5), draw.integers(9, x));
        });
    }

    @TestFactory
    Stream<DynamicTest> exactConstants() {
        return each("exact", ANY_SHAPES, (x, draw) -> {
            exact(new Constant(DType.F32, x.dims(), 0.25f));
            exactIntegers(new Constant(DType.I32, x.dims(), -7));
        });
    }

    @TestFactory
    Stream<DynamicTest> notANumberStaysOne() {
        List<Op> ops = new ArrayList<>(List.of(new Clamp(-1, 1), new PRelu()));
        Arrays.stream(Unary.Function.values()).map(Unary::new).forEach(ops::add);
        Arrays.stream(Binary.Function.values()).map(Binary::new).forEach(ops::add);
        return each("NaN", ops, (op, draw) -> {
            Tensor x = draw.uniform(1, 2, Shape.of(5, 37));
            x.floats()[40] = Float.NaN;
            boolean alone = op instanceof Unary || op instanceof Clamp;
            bench().check(op, alone ? List.of(x) : List.of(x, draw.uniform(1, 2, Shape.of(37))), y -> {
                for (int i = 0; i < x.floats().length; i++) {
                    assertEquals(i == 40, Float.isNaN(y.get(0).floats()[i]), "NaN at " + i);
                }
            });
        });
    }

    /** One rounding of u, or a function that errs by an ulp or two: 4u·|y|. Worst observed: 0.6 of it. */
    private void boundedBy4(Op op, Tensor... operands) {
        bounded(
                op,
                (in, out) -> new double[][] {
                    Arrays.stream(out[0])
                            .map(y -> 4 * Truth.U * Math.abs(y) + Truth.TINY)
                            .toArray()
                },
                operands);
    }

    @TestFactory
    Stream<DynamicTest> bounded() {
        return each(
                "bounded",
                Case.all(Binary.Function.values(), Binary::new, PAIRS),
                (c, draw) -> boundedBy4(
                        c.op(),
                        draw.uniform(0.1, 3, c.shapes().a()),
                        draw.uniform(0.5, 3, c.shapes().b())));
    }

    @TestFactory
    Stream<DynamicTest> boundedWithoutBroadcasting() {
        return each("bounded", ANY_SHAPES, (x, draw) -> {
            for (Unary.Function f : Unary.Function.values()) {
                boundedBy4(new Unary(f), draw.uniform(0.1, 9, x));
            }
            boundedBy4(new Unary(Unary.Function.EXP), draw.normal(0, 20, x));
        });
    }

    /** Powers and quotients on the way back: a handful of roundings. Worst observed: 0.4 of it. */
    private static final double GRADIENT = 8;

    private static boolean small(Pair p) {
        return p.a().size() < 200 && p.b().size() < 200;
    }

    /** Reals apart from each other, so that no maximum has a tie and no comparison a jump nearby. */
    @TestFactory
    Stream<DynamicTest> gradient() {
        List<Pair> pairs = PAIRS.stream().filter(ArithmeticSpec::small).toList();
        return each("gradient", Case.all(Binary.Function.values(), Binary::new, pairs), (c, draw) -> {
            Tensor a = draw.uniform(0.5, 2, c.shapes().a());
            Tensor b = draw.uniform(0.5, 2, c.shapes().b());
            Arrays.setAll(new Object[a.floats().length], i -> a.floats()[i] = grid(a.floats()[i], 0));
            Arrays.setAll(new Object[b.floats().length], i -> b.floats()[i] = grid(b.floats()[i], 0.05f));
            Shape y = c.op().infer(Bench.types(List.of(a, b))).get(0).shape();
            gradients(c.op(), 2 * GRADIENT, k -> terms(y, k == 0 ? a : b), draw.normal(y), a, b);
        });
    }

    /** √K, the size of a sum of the K terms that each value of a broadcast operand has in its gradient. */
    private static double terms(Shape y, Tensor operand) {
        return y.size() == operand.shape().size()
                ? 0
                : Math.sqrt((double) y.size() / operand.shape().size());
    }

    private static float grid(float x, float shift) {
        return Math.round(x * 10) / 10f + shift;
    }

    @TestFactory
    Stream<DynamicTest> gradientWithoutBroadcasting() {
        return each("gradient", List.of(Shape.SCALAR, Shape.of(33), Shape.of(2, 3, 4)), (x, draw) -> {
            for (Unary.Function f : Unary.Function.values()) {
                gradients(new Unary(f), GRADIENT, draw.normal(x), draw.uniform(0.5, 3, x));
            }
            Tensor both = draw.normal(x);
            Arrays.setAll(new Object[both.floats().length], i -> both.floats()[i] = grid(both.floats()[i], 0.05f));
            exactGradients(new Unary(Unary.Function.ABS), draw.normal(x), both);
            exactGradients(new Clamp(-0.5f, 0.7f), draw.normal(x), both);
        });
    }

    @TestFactory
    Stream<DynamicTest> exactGradientOfChoices() {
        return each(
                "gradient where", PAIRS.stream().filter(ArithmeticSpec::small).toList(), (p, draw) -> {
                    Tensor condition = condition(draw, p.b());
                    Tensor a = draw.integers(5, p.a());
                    Tensor b = draw.integers(5, p.b());
                    Shape y = new Where()
                            .infer(Bench.types(List.of(condition, a, b)))
                            .get(0)
                            .shape();
                    exactGradients(new Where(), draw.integers(5, y), condition, a, b);
                });
    }

    // ---- PReLU ----

    private static final List<Pair> SLOPES = List.of(
            new Pair(Shape.of(1), Shape.of(1)),
            new Pair(Shape.of(33), Shape.of(1)),
            new Pair(Shape.of(3, 17), Shape.of(17)),
            new Pair(Shape.of(3, 17), Shape.of(1)),
            new Pair(Shape.of(2, 3, 7, 5), Shape.of(3)),
            new Pair(Shape.of(1, 16, 4, 4), Shape.of(16)),
            new Pair(Shape.of(9, 31, 33, 16), Shape.of(31)),
            new Pair(Shape.of(0, 3), Shape.of(3)),
            new Pair(Shape.of(2, 3, 0), Shape.of(3)));

    @TestFactory
    Stream<DynamicTest> exactPrelu() {
        return each("exact prelu", SLOPES, (p, draw) -> {
            exact(new PRelu(), draw.integers(9, p.a()), draw.integers(3, p.b()));
            exact(new PRelu.Backward(), draw.integers(9, p.a()), draw.integers(3, p.b()), draw.integers(3, p.a()));
        });
    }

    /** Σ|x·dy| where x ≤ 0, for each slope. */
    private static double[] sizes(Pair p, double[] x, double[] dy) {
        double[] sizes = new double[p.b().size()];
        for (int i = 0; i < x.length; i++) {
            sizes[sizes.length == 1 ? 0 : i / p.a().sizeFrom(2) % sizes.length] += Math.abs(Math.min(x[i], 0) * dy[i]);
        }
        return sizes;
    }

    /** dx has one rounding; da is a sum. */
    @TestFactory
    Stream<DynamicTest> boundedPrelu() {
        return each("bounded prelu", SLOPES, (p, draw) -> {
            boundedBy4(new PRelu(), draw.normal(p.a()), draw.normal(p.b()));
            double terms = Math.max(1, (double) p.a().size() / p.b().size());
            bounded(
                    new PRelu.Backward(),
                    (in, out) -> new double[][] {
                        Arrays.stream(out[0])
                                .map(y -> 2 * Truth.U * Math.abs(y))
                                .toArray(),
                        Arrays.stream(sizes(p, in[0], in[2]))
                                .map(size -> 3 * Math.sqrt(terms) * Truth.U * size)
                                .toArray()
                    },
                    draw.normal(p.a()),
                    draw.normal(p.b()),
                    draw.uniform(-1, 1, p.a()));
        });
    }

    @TestFactory
    Stream<DynamicTest> gradientOfPrelu() {
        return each(
                "gradient prelu",
                SLOPES.stream().filter(p -> small(p) && p.a().size() > 0).toList(),
                (p, draw) -> {
                    Tensor x = draw.normal(p.a());
                    Arrays.setAll(new Object[x.floats().length], i -> x.floats()[i] = grid(x.floats()[i], 0.05f));
                    gradients(new PRelu(), GRADIENT / 2, draw.normal(p.a()), x, draw.normal(p.b()));
                });
    }
}
