package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The global norm, and the optimizers' steps. */
@Covers({Norm.class, Sgd.class, RmsProp.class, Adam.class, NAdam.class, Lion.class, Shadowed.class})
abstract class UpdateSpec extends Spec {

    // ---- the norm ----

    private static final List<List<Shape>> OPERANDS = List.of(
            List.of(Shape.SCALAR),
            List.of(Shape.of(1)),
            List.of(Shape.of(33)),
            List.of(Shape.of(7, 31, 33, 17)),
            List.of(Shape.of(3, 5), Shape.of(5)),
            List.of(Shape.of(0), Shape.of(5)),
            List.of(Shape.of(16, 8, 3, 3), Shape.of(16), Shape.of(16), Shape.SCALAR, Shape.of(10, 17)));

    private static Tensor[] normals(Draw draw, double deviation, List<Shape> shapes) {
        return shapes.stream().map(s -> draw.normal(0, deviation, s)).toArray(Tensor[]::new);
    }

    /**
     * Sums are kept in double precision, so that only the result's rounding is left: u, and a hair. Worst
     * observed: 0.7 of it.
     */
    private static double[][] normBound(double norm) {
        return new double[][] {{Truth.U * norm * (1 + 1e-6)}};
    }

    @TestFactory
    Stream<DynamicTest> boundedNorm() {
        return each(
                "bounded norm",
                OPERANDS,
                (shapes, draw) -> bounded(new Norm(), (in, out) -> normBound(out[0][0]), normals(draw, 1, shapes)));
    }

    /** Values whose squares f32 cannot hold. */
    @TestFactory
    Stream<DynamicTest> boundedNormOfExtremes() {
        return each("bounded norm", OPERANDS, (shapes, draw) -> {
            bounded(new Norm(), (in, out) -> normBound(out[0][0]), normals(draw, 1e30, shapes));
            bounded(new Norm(), (in, out) -> normBound(out[0][0]), normals(draw, 1e-30, shapes));
        });
    }

    @TestFactory
    Stream<DynamicTest> normOfNothing() {
        return each(
                "exact norm",
                List.of(List.of(Shape.of(0)), List.of(Shape.of(2, 0), Shape.of(0, 3))),
                (shapes, draw) -> exact(new Norm(), normals(draw, 1, shapes)));
    }

    /** A value that is not finite shows in the norm, wherever it stands. */
    @TestFactory
    Stream<DynamicTest> normIsNotFinite() {
        return each("norm of", List.of(Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY), (bad, draw) -> {
            for (int place : new int[] {0, 5, 32}) {
                Tensor x = draw.normal(Shape.of(33));
                x.floats()[place] = bad;
                bench().check(
                                new Norm(),
                                List.of(draw.normal(Shape.of(8)), x),
                                y -> assertFalse(
                                        Float.isFinite(y.get(0).floats()[0]), "the norm with " + bad + " at " + place));
            }
        });
    }

    // ---- the steps ----

    /** A step at one size, with the norm that the gradient is said to have and the limits that it is clipped to. */
    record Case(UpdateOp op, Shape shape, float norm, float limit, float value) {
        static List<Case> all() {
            List<Case> cases = new ArrayList<>();
            float free = Float.POSITIVE_INFINITY;
            for (UpdateOp op : UpdateRules.ELEMENTWISE) {
                for (Shape shape : ANY_SHAPES) {
                    cases.add(new Case(op, shape, 3, free, free));
                }
                cases.add(new Case(op, Shape.of(33), 3, 1, free));
                cases.add(new Case(op, Shape.of(33), 3, 5, 0.5f));
                cases.add(new Case(op, Shape.of(33), 0, 1, free));
                cases.add(new Case(op, Shape.of(1000), 1e30f, 0.1f, free));
            }
            return cases;
        }

        /** w, g and the moments; the norm; the block. */
        Tensor[] operands(Draw draw) {
            List<Tensor> in = new ArrayList<>(List.of(draw.normal(shape), draw.normal(shape)));
            for (String moment : op.moments()) {
                in.add(moment.startsWith("v") ? draw.uniform(0, 0.5, shape) : draw.normal(0, 0.3, shape));
            }
            in.add(Tensor.of(Shape.SCALAR, norm));
            in.add(hyper());
            return in.toArray(Tensor[]::new);
        }

        /** Run-time scalars; NaN where this op has nothing to read. */
        private Tensor hyper() {
            Tensor hyper = Tensor.zeros(Hyper.TYPE.dtype(), Hyper.TYPE.shape());
            Arrays.fill(hyper.floats(), Float.NaN);
            hyper.floats()[Hyper.RATE] = 0.01f;
            hyper.floats()[Hyper.DECAY] = 0.05f;
            hyper.floats()[Hyper.L2] = 0.02f;
            hyper.floats()[Hyper.CLIP] = limit;
            hyper.floats()[Hyper.CLIP_VALUE] = value;
            op.correct(3, hyper.floats());
            return hyper;
        }

        Case withNorm(float other) {
            return new Case(op, shape, other, limit, value);
        }
    }

    /**
     * Each result's bound, by running error analysis in the formulas' own order: every operation adds u times the size
     * of what it gives to what it makes of its operands' errors. Worst observed: 0.99 of each.
     */
    private static double[][] bounds(UpdateOp op, double[][] in, double[][] out) {
        double[][] bounds = new double[out.length][out[0].length];
        int k = op.moments().size();
        double[] hyper = in[3 + k];
        // the factor: two roundings, and the constant's
        double factor = hyper[Hyper.CLIP] / (in[2 + k][0] + 1e-6);
        Rounded clip = factor < 1 ? new Rounded(factor, 3 * Truth.U * factor) : Rounded.of(1);
        for (int i = 0; i < out[0].length; i++) {
            Rounded[] m = new Rounded[k];
            for (int j = 0; j < k; j++) {
                m[j] = Rounded.of(in[2 + j][i]);
            }
            Rounded w = Rounded.of(in[0][i]);
            Rounded g = Rounded.of(in[1][i]).times(clip).clamp(hyper[Hyper.CLIP_VALUE]);
            Rounded d = g.plus(w.times(hyper[Hyper.L2]));
            Rounded s = step(op, d, m, hyper);
            bounds[0][i] = w.minus(s.plus(w.times(hyper[Hyper.DECAY])).times(hyper[Hyper.RATE]))
                            .error()
                    + Truth.TINY;
            for (int j = 0; j < k; j++) {
                bounds[1 + j][i] = m[j].error() + Truth.TINY;
            }
        }
        return bounds;
    }

    private static Rounded step(UpdateOp op, Rounded d, Rounded[] m, double[] hyper) {
        if (op instanceof Sgd sgd) {
            if (sgd.momentum() == 0) {
                return d;
            }
            m[0] = m[0].times(sgd.momentum()).plus(d);
            return sgd.nesterov() ? d.plus(m[0].times(sgd.momentum())) : m[0];
        } else if (op instanceof RmsProp rms) {
            m[0] = average(m[0], d.times(d), rms.alpha());
            Rounded variance = m[0];
            if (rms.centred()) {
                m[1] = average(m[1], d, rms.alpha());
                variance = m[0].minus(m[1].times(m[1])).positive();
            }
            Rounded s = d.over(variance.sqrt().plus(Rounded.of(rms.epsilon())));
            if (rms.momentum() > 0) {
                int last = m.length - 1;
                m[last] = m[last].times(rms.momentum()).plus(s);
                return m[last];
            }
            return s;
        } else if (op instanceof Lion lion) {
            Rounded u = average(m[0], d, lion.beta1());
            m[0] = average(m[0], d, lion.beta2());
            return u.sign();
        } else if (op instanceof NAdam nadam) {
            m[0] = average(m[0], d, nadam.beta1());
            m[1] = average(m[1], d.times(d), nadam.beta2());
            Rounded ahead = m[0].times(hyper[Hyper.CORRECTION1]).plus(d.times(hyper[Hyper.CORRECTION3]));
            return ahead.over(root(m[1], hyper, nadam.epsilon()));
        }
        Adam adam = (Adam) op;
        m[0] = average(m[0], d, adam.beta1());
        m[1] = average(m[1], d.times(d), adam.beta2());
        if (adam.amsgrad()) {
            m[2] = m[1].max(m[2]);
        }
        return m[0].times(hyper[Hyper.CORRECTION1]).over(root(adam.amsgrad() ? m[2] : m[1], hyper, adam.epsilon()));
    }

    /** β·a + (1 − β)·b, where 1 − β is rounded, too. */
    private static Rounded average(Rounded a, Rounded b, float beta) {
        return a.times(beta).plus(b.times(new Rounded(1 - (double) beta, Truth.U * (1 - beta))));
    }

    private static Rounded root(Rounded v, double[] hyper, float epsilon) {
        return v.times(hyper[Hyper.CORRECTION2]).sqrt().plus(Rounded.of(epsilon));
    }

    @TestFactory
    Stream<DynamicTest> bounded() {
        return each(
                "bounded",
                Case.all(),
                (c, draw) -> bounded(c.op(), (in, out) -> bounds(c.op(), in, out), c.operands(draw)));
    }

    /** The operands of a step that keeps a shadow, whose old values are none that a step would give. */
    private static Tensor[] withShadow(Case c, Draw draw) {
        List<Tensor> in = new ArrayList<>(List.of(c.operands(draw)));
        in.add(draw.normal(100, 1, c.shape()).narrowed());
        return in.toArray(Tensor[]::new);
    }

    @TestFactory
    Stream<DynamicTest> boundedWithShadow() {
        return each(
                "bounded",
                Case.all(),
                (c, draw) -> bounded(
                        new Shadowed(c.op()),
                        (in, out) -> {
                            double[][] bounds =
                                    Arrays.copyOf(bounds(c.op(), in, Arrays.copyOf(out, out.length - 1)), out.length);
                            bounds[out.length - 1] = bounds[0].clone();
                            return bounds;
                        },
                        withShadow(c, draw)));
    }

    /** The shadow is the weights of the same run, rounded, bit by bit; and the rule's results are those without a shadow. */
    @TestFactory
    Stream<DynamicTest> theShadowIsTheRoundedWeights() {
        return each("shadow", Case.all(), (c, draw) -> {
            Tensor[] in = withShadow(c, draw);
            List<Tensor> alone = new ArrayList<>();
            bench().check(c.op(), List.of(in).subList(0, in.length - 1), y -> {
                alone.clear();
                alone.addAll(y);
            });
            bench().check(new Shadowed(c.op()), List.of(in), y -> {
                assertEquals(y.get(0).narrowed(), y.get(y.size() - 1));
                assertEquals(alone, y.subList(0, y.size() - 1));
            });
        });
    }

    @TestFactory
    Stream<DynamicTest> theShadowStaysUnlessFinite() {
        List<Case> cases =
                Case.all().stream().filter(c -> c.shape().equals(Shape.of(33))).toList();
        return each("unchanged", cases, (c, draw) -> {
            Tensor[] in = withShadow(c.withNorm(Float.NaN), draw);
            bench().check(new Shadowed(c.op()), List.of(in), y -> {
                assertEquals(in[0], y.get(0));
                assertEquals(in[in.length - 1], y.get(y.size() - 1));
            });
        });
    }

    /** Whatever the gradient holds, a norm that is not finite changes nothing, not a bit. */
    @TestFactory
    Stream<DynamicTest> nothingChangesUnlessFinite() {
        List<Case> cases =
                Case.all().stream().filter(c -> c.shape().equals(Shape.of(33))).toList();
        return each("unchanged", cases, (c, draw) -> {
            for (float norm : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
                Tensor[] in = c.withNorm(norm).operands(draw);
                in[1].floats()[7] = norm;
                bench().check(c.op(), List.of(in), y -> {
                    assertEquals(in[0], y.get(0), "w with a norm of " + norm);
                    for (int moment = 1; moment < y.size(); moment++) {
                        assertEquals(in[1 + moment], y.get(moment), "moment " + moment + " with a norm of " + norm);
                    }
                });
            }
        });
    }

    @TestFactory
    Stream<DynamicTest> exactOnNothing() {
        List<Case> cases = UpdateRules.ELEMENTWISE.stream()
                .map(op -> new Case(op, Shape.of(0), 1, 1, 1))
                .toList();
        return each("exact", cases, (c, draw) -> bounded(c.op(), (in, out) -> out, c.operands(draw)));
    }
}
