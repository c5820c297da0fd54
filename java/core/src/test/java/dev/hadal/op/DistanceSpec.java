package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.graph.Op;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Losses that hold values against values. */
@Covers({
    PointwiseLoss.class,
    PointwiseLoss.Backward.class,
    KlDivergence.class,
    KlDivergence.Backward.class,
    CosineLoss.class,
    CosineLoss.Backward.class
})
abstract class DistanceSpec extends Spec {
    private enum Kind {
        MSE,
        L1,
        HUBER,
        BCE_WITH_LOGITS,
        KL,
        COSINE
    }

    record Case(Kind kind, boolean weighted, Shape x) {
        private static final float DELTA = 1.5f;

        static List<Case> all(List<Shape> shapes, Kind... kinds) {
            List<Case> cases = new ArrayList<>();
            for (Kind kind : kinds) {
                for (Shape x : shapes) {
                    if (kind != Kind.COSINE || x.rank() > 1) {
                        cases.add(new Case(kind, false, x));
                        cases.add(new Case(kind, true, x));
                    }
                }
            }
            return cases;
        }

        private PointwiseLoss pointwise() {
            return new PointwiseLoss(PointwiseLoss.Function.valueOf(kind.name()), DELTA, weighted);
        }

        Op op() {
            return switch (kind) {
                case KL -> new KlDivergence(weighted);
                case COSINE -> new CosineLoss(weighted);
                default -> pointwise();
            };
        }

        Op backward() {
            return switch (kind) {
                case KL -> new KlDivergence.Backward(weighted);
                case COSINE -> new CosineLoss.Backward(weighted);
                default -> new PointwiseLoss.Backward(pointwise());
            };
        }

        /** x, target, the weights if there are any, and what comes last. */
        Tensor[] operands(Tensor x, Tensor target, Tensor weights, Tensor... last) {
            List<Tensor> operands = new ArrayList<>(List.of(x, target));
            if (weighted) {
                operands.add(weights);
            }
            operands.addAll(List.of(last));
            return operands.toArray(Tensor[]::new);
        }

        Tensor[] reals(Draw draw, Tensor... last) {
            Tensor logits = draw.normal(0, kind == Kind.BCE_WITH_LOGITS ? 4 : 2, x);
            boolean probabilities = kind == Kind.KL || kind == Kind.BCE_WITH_LOGITS;
            Tensor target = probabilities ? draw.uniform(0, 1, x) : draw.normal(0, 2, x);
            if (kind == Kind.KL && x.size() > 2) {
                target.floats()[1] = 0;
            }
            return operands(logits, target, draw.uniform(0, 2, Shape.of(x.get(0))), last);
        }

        int width() {
            return x.get(x.rank() - 1);
        }

        /** What the mean is over. */
        double divisor() {
            return kind == Kind.KL ? x.get(0) : kind == Kind.COSINE ? x.size() / width() : x.size();
        }

        /** The share of the i-th value's term in the loss. */
        double share(double[][] in, int i) {
            return (weighted ? in[2][i / x.sizeFrom(1)] : 1) / divisor();
        }
    }

    private static final List<Shape> SHAPES = List.of(
            Shape.of(1),
            Shape.of(7),
            Shape.of(3, 1),
            Shape.of(16, 33),
            Shape.of(5, 7, 3),
            Shape.of(2, 3, 8, 15),
            Shape.of(31, 17, 65));

    /** Sums of integers and halves over a power of two. */
    @TestFactory
    Stream<DynamicTest> exact() {
        List<Shape> shapes = List.of(Shape.of(1), Shape.of(16), Shape.of(8, 32), Shape.of(2, 4, 8, 2));
        return each("exact", Case.all(shapes, Kind.MSE, Kind.L1, Kind.HUBER), (c, draw) -> {
            Tensor x = draw.integers(5, c.x());
            Tensor target = draw.integers(5, c.x());
            Tensor weights = draw.integers(3, Shape.of(c.x().get(0)));
            exact(c.op(), c.operands(x, target, weights));
            exact(c.backward(), c.operands(x, target, weights, Tensor.of(Shape.SCALAR, -2f)));
        });
    }

    @TestFactory
    Stream<DynamicTest> exactOnNothing() {
        List<Shape> shapes = List.of(Shape.of(0, 3), Shape.of(3, 0), Shape.of(0, 2, 3));
        return each("exact", Case.all(shapes, Kind.values()), (c, draw) -> {
            Tensor x = draw.integers(5, c.x());
            Tensor weights = draw.integers(3, Shape.of(c.x().get(0)));
            exact(c.op(), c.operands(x, x, weights));
            exact(c.backward(), c.operands(x, x, weights, Tensor.of(Shape.SCALAR, 2f)));
        });
    }

    /**
     * The loss is a sum of M terms: √M·u of their magnitudes, beside the roundings of each, 4u of what it is made of.
     * With a row's sums inside, half of √R·u and of √D·u. Worst observed: 0.7 of it.
     */
    private static double[][] bounds(Case c, double[][] in) {
        double sum = 0;
        double terms = c.kind() == Kind.COSINE
                ? (Math.sqrt(c.divisor()) + Math.sqrt(c.width())) / 2 + 1
                : Math.sqrt(c.x().size()) + 4;
        for (int i = 0; i < c.x().size(); i++) {
            double x = in[0][i];
            double t = in[1][i];
            double magnitude = switch (c.kind()) {
                case MSE -> (x - t) * (x - t);
                case L1, HUBER -> Math.abs(x - t) * (c.kind() == Kind.L1 ? 1 : Case.DELTA);
                case BCE_WITH_LOGITS -> Math.max(x, 0) + Math.abs(x * t) + Math.log1p(Math.exp(-Math.abs(x)));
                case KL -> t == 0 ? 0 : t * (Math.abs(Math.log(t)) + Math.abs(x));
                case COSINE -> Math.abs(x * t) / length(c, in, i) + 1.0 / c.width();
            };
            sum += magnitude * c.share(in, i);
        }
        return new double[][] {{terms * Truth.U * sum + Truth.TINY}};
    }

    /** √(Σx²·Σt²) of the row of the i-th value. */
    private static double length(Case c, double[][] in, int i) {
        return Math.sqrt(square(c, in[0], i) * square(c, in[1], i));
    }

    private static double square(Case c, double[] x, int i) {
        double sum = CosineLoss.EPSILON;
        for (int j = i / c.width() * c.width(); j < (i / c.width() + 1) * c.width(); j++) {
            sum += x[j] * x[j];
        }
        return sum;
    }

    @TestFactory
    Stream<DynamicTest> bounded() {
        return each(
                "bounded",
                Case.all(SHAPES, Kind.values()),
                (c, draw) -> bounded(c.op(), (in, out) -> bounds(c, in), c.reals(draw)));
    }

    /**
     * dx = f′·v·dloss/M: three roundings for the scale and the product, one of x − t; a sigmoid errs by 6u. With cosines,
     * (√D + 6)·u of both terms. Worst observed: 0.8 of it.
     */
    private static double[][] backwardBounds(Case c, double[][] in) {
        double[] dx = new double[c.x().size()];
        double dloss = Math.abs(in[in.length - 1][0]);
        for (int i = 0; i < dx.length; i++) {
            double x = in[0][i];
            double t = in[1][i];
            double d = Math.abs(x - t);
            double errors = switch (c.kind()) {
                case MSE -> 4 * 2 * d;
                case L1 -> 3;
                case HUBER -> 4 * Math.min(d, Case.DELTA);
                case BCE_WITH_LOGITS -> 6 / (1 + Math.exp(-x)) + 4 * Math.abs(1 / (1 + Math.exp(-x)) - t);
                case KL -> 3 * t;
                case COSINE ->
                    (Math.sqrt(c.width()) + 6) * (Math.abs(t) / length(c, in, i) + Math.abs(x) / square(c, in[0], i));
            };
            dx[i] = errors * c.share(in, i) * dloss * Truth.U + Truth.TINY;
        }
        return new double[][] {dx};
    }

    @TestFactory
    Stream<DynamicTest> boundedBackward() {
        return each(
                "bounded dx",
                Case.all(SHAPES, Kind.values()),
                (c, draw) -> bounded(
                        c.backward(),
                        (in, out) -> backwardBounds(c, in),
                        c.reals(draw, Tensor.of(Shape.SCALAR, -1.7f))));
    }

    /** Far from 0 an exponential overflows, and must not be seen to. */
    @TestFactory
    Stream<DynamicTest> boundedFarOut() {
        Shape shape = Shape.of(8);
        Tensor x = Tensor.of(shape, 0f, -0f, 88f, -88f, 1000f, -1000f, 1e30f, -1e30f);
        Tensor target = Tensor.of(shape, 1f, 0f, 1f, 0f, 1f, 0f, 1f, 0f);
        return each("far out", List.of(new Case(Kind.BCE_WITH_LOGITS, false, shape)), (c, draw) -> {
            bounded(c.op(), (in, out) -> bounds(c, in), x, target);
            bounded(c.backward(), (in, out) -> backwardBounds(c, in), x, target, Tensor.of(Shape.SCALAR, 1f));
        });
    }

    @TestFactory
    Stream<DynamicTest> notANumberStaysOne() {
        return each("NaN", Case.all(List.of(Shape.of(5, 7)), Kind.values()), (c, draw) -> {
            for (int k = 0; k < 2; k++) {
                Tensor[] operands = c.reals(draw);
                operands[k].floats()[20] = Float.NaN;
                bench().check(
                                c.op(),
                                List.of(operands),
                                y -> assertTrue(Float.isNaN(y.get(0).floats()[0])));
            }
        });
    }

    /** A few roundings of each term. Worst observed: 0.5 of it. */
    private static final double GRADIENT = 8;

    @TestFactory
    Stream<DynamicTest> gradient() {
        List<Shape> shapes = List.of(Shape.of(7), Shape.of(3, 17), Shape.of(2, 3, 5));
        return each("gradient", Case.all(shapes, Kind.values()), (c, draw) -> {
            Tensor[] operands = c.reals(draw);
            for (int i = 0; i < c.x().size(); i++) { // away from the kinks
                float d = operands[0].floats()[i] - operands[1].floats()[i];
                if (Math.abs(d) < 0.01 || Math.abs(Math.abs(d) - Case.DELTA) < 0.01) {
                    operands[0].floats()[i] += 0.05f;
                }
            }
            gradients(c.op(), GRADIENT, Tensor.of(Shape.SCALAR, 1.3f), operands);
        });
    }
}
