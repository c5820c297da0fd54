package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.hadal.graph.Op;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The global norm, and the optimizers' steps. */
@Covers({Norm.class, AdamW.class, Sgd.class})
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

    private static final AdamW ADAMW = new AdamW(0.9f, 0.999f, 1e-8f);

    private static final List<Op> RULES =
            List.of(ADAMW, new AdamW(0f, 0.95f, 1e-3f), new Sgd(0, false), new Sgd(0.9f, false), new Sgd(0.9f, true));

    /** A step at one size, with the norm that the gradient is said to have and the limit that it is clipped to. */
    record Case(Op op, Shape shape, float norm, float limit) {
        static List<Case> all() {
            List<Case> cases = new ArrayList<>();
            for (Op op : RULES) {
                for (Shape shape : ANY_SHAPES) {
                    cases.add(new Case(op, shape, 3, Float.POSITIVE_INFINITY));
                }
                cases.add(new Case(op, Shape.of(33), 3, 1));
                cases.add(new Case(op, Shape.of(33), 3, 5));
                cases.add(new Case(op, Shape.of(33), 0, 1));
                cases.add(new Case(op, Shape.of(1000), 1e30f, 0.1f));
            }
            return cases;
        }

        boolean adam() {
            return op instanceof AdamW;
        }

        /** w, g and the moments; the norm; the block. */
        Tensor[] operands(Draw draw) {
            List<Tensor> in =
                    new ArrayList<>(List.of(draw.normal(shape), draw.normal(shape), draw.normal(0, 0.3, shape)));
            if (adam()) {
                in.add(draw.uniform(0, 0.5, shape));
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
            hyper.floats()[Hyper.CLIP] = limit;
            if (adam()) {
                hyper.floats()[Hyper.CORRECTION1] = (float) (1 / (1 - Math.pow(0.9, 3)));
                hyper.floats()[Hyper.CORRECTION2] = (float) (1 / (1 - Math.pow(0.999, 3)));
            }
            return hyper;
        }

        Case withNorm(float other) {
            return new Case(op, shape, other, limit);
        }
    }

    /**
     * Each result's bound, in the formulas' own order: every operation adds u times the size of what it gives.
     * Worst observed: 0.99 of each.
     */
    private static double[][] bounds(Op op, double[][] in, double[][] out) {
        return op instanceof AdamW adamw ? adamwBounds(adamw, in, out) : sgdBounds((Sgd) op, in, out);
    }

    /** The clip factor: two roundings where there is one, and the constant's. */
    private static final double CLIPPED = 3;

    private static double clip(double norm, double limit) {
        return Math.min(1, limit / (norm + 1e-6));
    }

    private static double[][] adamwBounds(AdamW op, double[][] in, double[][] out) {
        double[] hyper = in[5];
        double clip = clip(in[4][0], hyper[Hyper.CLIP]);
        double[][] bounds = new double[3][out[0].length];
        for (int i = 0; i < out[0].length; i++) {
            double w = Math.abs(in[0][i]);
            double g = Math.abs(in[1][i] * clip);
            // m: two roundings of its own share; of g's, the clip's and four more; v the same with g twice.
            double dg = clip < 1 ? CLIPPED + 1 : 0;
            double dm = Truth.U * (2 * op.beta1() * Math.abs(in[2][i]) + (3 + dg) * (1 - op.beta1()) * g);
            double dv = Truth.U * (2 * op.beta2() * in[3][i] + (4 + 2 * dg) * (1 - op.beta2()) * g * g);
            double m = Math.abs(out[1][i]) * hyper[Hyper.CORRECTION1];
            double root = Math.sqrt(out[2][i] * hyper[Hyper.CORRECTION2]);
            double below = root + op.epsilon();
            double dRoot = root == 0 ? 0 : dv * hyper[Hyper.CORRECTION2] / root / 2 + 2 * Truth.U * root;
            double dStep = dm * hyper[Hyper.CORRECTION1] / below
                    + m / below * (dRoot / below + 3 * Truth.U)
                    + 2 * Truth.U * hyper[Hyper.DECAY] * w;
            double step = m / below + hyper[Hyper.DECAY] * w;
            bounds[0][i] = hyper[Hyper.RATE] * (dStep + Truth.U * step) + Truth.U * Math.abs(out[0][i]);
            bounds[1][i] = dm + Truth.TINY;
            bounds[2][i] = dv + Truth.TINY;
        }
        return bounds;
    }

    private static double[][] sgdBounds(Sgd op, double[][] in, double[][] out) {
        double[] hyper = in[4];
        double clip = clip(in[3][0], hyper[Hyper.CLIP]);
        double mu = op.momentum();
        double[][] bounds = new double[2][out[0].length];
        for (int i = 0; i < out[0].length; i++) {
            double g = Math.abs(in[1][i] * clip);
            double decay = Math.abs(hyper[Hyper.DECAY] * in[0][i]);
            double m = Math.abs(in[2][i]);
            double dd = Truth.U * ((clip < 1 ? CLIPPED + 2 : 1) * g + 2 * decay);
            double dm = dd + Truth.U * (2 * mu * m + (mu == 0 ? 0 : g + decay));
            double step = op.nesterov() ? g + decay + mu * Math.abs(out[1][i]) : Math.abs(out[1][i]);
            double dStep = op.nesterov() ? dd + mu * dm + Truth.U * step : dm;
            bounds[0][i] = hyper[Hyper.RATE] * (dStep + Truth.U * step) + Truth.U * Math.abs(out[0][i]);
            bounds[1][i] = dm + Truth.TINY;
        }
        return bounds;
    }

    @TestFactory
    Stream<DynamicTest> bounded() {
        return each(
                "bounded",
                Case.all(),
                (c, draw) -> bounded(c.op(), (in, out) -> bounds(c.op(), in, out), c.operands(draw)));
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
        List<Case> cases =
                RULES.stream().map(op -> new Case(op, Shape.of(0), 1, 1)).toList();
        return each("exact", cases, (c, draw) -> bounded(c.op(), (in, out) -> out, c.operands(draw)));
    }
}
