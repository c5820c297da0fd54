package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hadal.op.Activation.Function;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The elementwise functions. */
@Covers({Activation.class, Activation.Backward.class})
abstract class ActivationSpec extends Spec {

    /** Those that keep integers integers, with α of a quarter, which f32 holds. */
    private static final List<Activation> EXACT = List.of(
            new Activation(Function.RELU),
            new Activation(Function.LEAKY_RELU, 0.25f),
            new Activation(Function.LEAKY_RELU, 0),
            new Activation(Function.RELU6));

    private static final List<Activation> ALL = all();

    private static List<Activation> all() {
        List<Activation> all = new ArrayList<>(List.of(new Activation(Function.ELU, 0.3f)));
        for (Function f : Function.values()) {
            all.add(new Activation(f));
        }
        return all;
    }

    record Case(Activation op, Shape shape) {
        static List<Case> all(List<Shape> shapes, List<Activation> ops) {
            List<Case> cases = new ArrayList<>();
            for (Activation op : ops) {
                shapes.forEach(s -> cases.add(new Case(op, s)));
            }
            return cases;
        }

        @Override
        public String toString() {
            return op + " " + shape;
        }
    }

    private static Activation.Backward backward(Activation op) {
        return new Activation.Backward(op.function(), op.alpha());
    }

    @TestFactory
    Stream<DynamicTest> exact() {
        return each("exact", Case.all(ANY_SHAPES, EXACT), (c, draw) -> exact(c.op(), draw.integers(9, c.shape())));
    }

    @TestFactory
    Stream<DynamicTest> exactBackward() {
        return each("exact dx", Case.all(ANY_SHAPES, EXACT), (c, draw) -> {
            Tensor x = draw.integers(9, c.shape());
            Tensor y = Truth.tensor(Bench.types(List.of(x)).get(0), Truth.formula(c.op(), List.of(x))[0]);
            exact(backward(c.op()), y, draw.integers(9, c.shape()));
        });
    }

    @TestFactory
    Stream<DynamicTest> exactOnNothing() {
        return each("exact", Case.all(EMPTY_SHAPES, ALL), (c, draw) -> {
            exact(c.op(), draw.integers(9, c.shape()));
            exact(backward(c.op()), draw.integers(9, c.shape()), draw.integers(9, c.shape()));
        });
    }

    /**
     * A good f32 exponential errs by an ulp or two, 2u to 4u; the sum and the quotient, or a polynomial's
     * last steps, add u each, and a factor of x one more: 8u. Relative to y, also near 0, where eˣ − 1 and (e²ˣ − 1)/(e²ˣ + 1)
     * would cancel; but where 1 + erf and 1 + tanh do cancel, or x/6 + 1/2 does, relative to what is added up there.
     * Worst observed: 0.7 of it.
     */
    private static double bound(Activation op, double x, double y) {
        double size = switch (op.function()) {
            case GELU, GELU_TANH -> Math.abs(x);
            case HARD_SIGMOID -> Math.min(Math.abs(x) / 6 + 0.5, 1);
            case HARD_SWISH -> Math.abs(x) * Math.min(Math.abs(x) / 6 + 0.5, 1);
            default -> Math.abs(y);
        };
        return 8 * Truth.U * size + Truth.TINY * Math.max(1, Math.abs(x));
    }

    private static double[][] bounds(Activation op, double[] x, double[] y) {
        double[] bounds = new double[x.length];
        Arrays.setAll(bounds, i -> bound(op, x[i], y[i]));
        return new double[][] {bounds};
    }

    @TestFactory
    Stream<DynamicTest> bounded() {
        return each(
                "bounded",
                Case.all(ANY_SHAPES, ALL),
                (c, draw) -> bounded(c.op(), (in, out) -> bounds(c.op(), in[0], out[0]), draw.normal(0, 4, c.shape())));
    }

    private static Tensor edges() {
        float[] sizes = {0f, 1e-38f, 1e-20f, 1e-4f, 0.5f, 0.93f, 1.3f, 2.999f, 3, 6, 9, 20, 87, 89, 1e30f};
        float[] edges = new float[2 * sizes.length];
        for (int i = 0; i < sizes.length; i++) {
            edges[2 * i] = sizes[i];
            edges[2 * i + 1] = -sizes[i];
        }
        return Tensor.of(Shape.of(edges.length), edges);
    }

    @TestFactory
    Stream<DynamicTest> boundedAtTheEdges() {
        Tensor edges = edges();
        return each("bounded at the edges", Case.all(List.of(edges.shape()), ALL), (c, draw) -> {
            bounded(c.op(), (in, out) -> bounds(c.op(), in[0], out[0]), edges);
            if (!c.op().function().slopeFromResult()) {
                Tensor dy = draw.normal(c.shape());
                bounded(backward(c.op()), (in, out) -> backwardBounds(c.op(), in[0], in[1]), edges, dy);
            }
        });
    }

    /** Whoever looks for the first NaN must find it behind an activation, too. */
    @TestFactory
    Stream<DynamicTest> notANumberStaysOne() {
        return each("NaN", Case.all(List.of(Shape.of(37)), ALL), (c, draw) -> {
            Tensor x = draw.normal(c.shape());
            for (int i = 0; i < 37; i += 5) {
                x.floats()[i] = Float.NaN;
            }
            bench().check(c.op(), List.of(x), y -> {
                for (int i = 0; i < 37; i++) {
                    assertEquals(i % 5 == 0, Float.isNaN(y.get(0).floats()[i]), "NaN at " + i);
                }
            });
        });
    }

    /**
     * Sigmoid: dy·y·(1 − y) has three roundings of u each. Tanh: dy·(1 − y²) has those of y², of the
     * difference and of the product, the first relative to y². ELU's and SELU's sum, constant and product: 3u. From x, a function
     * as above, and another term of the size of x at most, both of 8u. Worst observed: 0.9 of it.
     */
    private static double backwardBound(Activation op, double v, double dy) {
        double slope = switch (op.function()) {
            case RELU, RELU6 -> 0;
            case LEAKY_RELU -> 1;
            case SIGMOID -> 3 * Math.abs(v * (1 - v));
            case TANH -> v * v + 2 * Math.abs(1 - v * v);
            case ELU -> 3 * (Math.abs(v) + op.alpha());
            case SELU -> 3 * (Math.abs(v) + 1.8);
            case HARD_SIGMOID -> 2 / 6.0;
            case SOFTPLUS -> 8 * Math.min(1, Math.exp(v));
            default -> 8 * (1 + Math.abs(v));
        };
        return Truth.U * Math.abs(dy) * slope * (1 + 1e-6) + Truth.TINY * Math.max(1, Math.abs(v));
    }

    private static double[][] backwardBounds(Activation op, double[] v, double[] dy) {
        double[] bounds = new double[v.length];
        Arrays.setAll(bounds, i -> backwardBound(op, v[i], dy[i]));
        return new double[][] {bounds};
    }

    @TestFactory
    Stream<DynamicTest> boundedBackward() {
        return each("bounded dx", Case.all(ANY_SHAPES, ALL), (c, draw) -> {
            Tensor v = switch (c.op().function()) {
                case TANH -> draw.uniform(-1, 1, c.shape());
                case SIGMOID -> draw.uniform(0, 1, c.shape());
                default -> draw.normal(0, 4, c.shape());
            };
            bounded(backward(c.op()), (in, out) -> backwardBounds(c.op(), in[0], in[1]), v, draw.normal(c.shape()));
        });
    }

    /** Forward and backward err by a few u each. Worst observed: 0.5 of it. */
    private static final double GRADIENT = 8;

    /** With kinks away from 0, too. */
    private static final Set<Function> HARD = EnumSet.of(Function.RELU6, Function.HARD_SWISH, Function.HARD_SIGMOID);

    @TestFactory
    Stream<DynamicTest> gradient() {
        List<Shape> shapes = List.of(Shape.SCALAR, Shape.of(33), Shape.of(2, 3, 4, 5));
        return each("gradient", Case.all(shapes, ALL), (c, draw) -> {
            Tensor x = draw.normal(0, HARD.contains(c.op().function()) ? 4 : 1, c.shape());
            for (int i = 0; i < x.floats().length; i++) {
                x.floats()[i] = kinkless(x.floats()[i]);
            }
            gradients(c.op(), GRADIENT, draw.normal(c.shape()), x);
        });
    }

    /** Away from 0, ±3 and 6, as central differences need it. */
    private static float kinkless(float x) {
        float nearest = Math.round(x);
        return Math.abs(x - nearest) < 0.01f ? nearest + Math.copySign(0.01f, x - nearest) : x;
    }
}
