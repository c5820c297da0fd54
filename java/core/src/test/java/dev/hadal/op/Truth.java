package dev.hadal.op;

import dev.hadal.backend.jvm.Reference;
import dev.hadal.graph.Fused;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.tensor.Bf16;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntToDoubleFunction;

/** The float64 reference, and how results are held against it. */
final class Truth {
    /** u, the unit roundoff of f32: one rounding changes a value by no more than this share of it. */
    static final double U = 0x1p-24;

    /** Below the least normal f32 there is less precision, and fast exponentials give up a little above. */
    static final double TINY = 2 * Float.MIN_NORMAL;

    /** The op's results in double precision. */
    static double[][] formula(Op op, List<Tensor> operands) {
        return formula(
                op, Bench.types(operands), operands.stream().map(Truth::wide).toArray(double[][]::new));
    }

    static double[][] formula(Op op, List<Type> in, double[][] operands) {
        if (Mixed.inner(op) instanceof Fused chain) {
            return chained(chain, in.stream().map(Mixed::widened).toList(), operands);
        }
        List<Type> out = op.infer(in);
        double[][] y = out.stream().map(t -> new double[t.shape().size()]).toArray(double[][]::new);
        Reference.formula(op, in, out)
                .orElseThrow(() -> new AssertionError("the reference has no formula for " + op))
                .run(operands, y);
        return y;
    }

    /** One formula after the other. */
    private static double[][] chained(Fused chain, List<Type> in, double[][] operands) {
        record Typed(Type type, double[] values) {}
        List<Typed> typed = new ArrayList<>();
        for (int i = 0; i < operands.length; i++) {
            typed.add(new Typed(in.get(i), operands[i]));
        }
        List<Typed> results = chain.through(typed, (op, taken) -> {
            List<Type> types = taken.stream().map(Typed::type).toList();
            double[][] y = formula(op, types, taken.stream().map(Typed::values).toArray(double[][]::new));
            List<Typed> given = new ArrayList<>();
            for (int i = 0; i < y.length; i++) {
                given.add(new Typed(op.infer(types).get(i), y[i]));
            }
            return given;
        });
        return results.stream().map(Typed::values).toArray(double[][]::new);
    }

    static double[] wide(Tensor t) {
        double[] wide = new double[t.shape().size()];
        for (int i = 0; i < wide.length; i++) {
            wide[i] = switch (t.dtype()) {
                case F32 -> t.floats()[i];
                case BF16 -> Bf16.widen(t.bf16Bits()[i]);
                case I32 -> t.ints()[i];
                case S8, U8 -> t.dtype().integer(t.bytes()[i]);
            };
        }
        return wide;
    }

    /** The values rounded to their type. */
    static Tensor tensor(Type type, double[] values) {
        Tensor t = Tensor.zeros(type.dtype(), type.shape());
        for (int i = 0; i < values.length; i++) {
            switch (type.dtype()) {
                case F32 -> t.floats()[i] = (float) values[i];
                case BF16 -> t.bf16Bits()[i] = Bf16.narrow((float) values[i]);
                case I32 -> t.ints()[i] = (int) values[i];
                case S8, U8 -> t.bytes()[i] = (byte) (int) values[i];
            }
        }
        return t;
    }

    /**
     * Fails unless every value is the expected one bit by bit, but for the sign of a zero: 0·(−1) and the sum
     * of nothing are equally right as a term that is masked or padded away.
     */
    static void exact(String what, Tensor actual, double[] expected) {
        if (actual.dtype() == DType.I32 || actual.dtype().isByte()) {
            exactIntegers(what, actual, expected);
            return;
        }
        boolean narrow = actual.dtype() == DType.BF16;
        float[] values = (narrow ? actual.widened() : actual).floats();
        for (int i = 0; i < expected.length; i++) {
            if ((float) expected[i] != expected[i]
                    || (narrow && Bf16.widen(Bf16.narrow((float) expected[i])) != expected[i])) {
                throw new AssertionError(what + ": the case is not exact, " + expected[i] + " is no " + actual.dtype());
            }
            if (Float.floatToIntBits(values[i] + 0f) != Float.floatToIntBits((float) expected[i] + 0f)) {
                throw new AssertionError(
                        what + " at " + i + " of " + actual + " is " + values[i] + ", not exactly " + expected[i]);
            }
        }
    }

    private static void exactIntegers(String what, Tensor actual, double[] expected) {
        double[] values = wide(actual);
        for (int i = 0; i < expected.length; i++) {
            if (values[i] != expected[i]) {
                throw new AssertionError(
                        what + " at " + i + " of " + actual + " is " + values[i] + ", not " + expected[i]);
            }
        }
    }

    /**
     * Fails unless every value lies within its bound.
     *
     * @return the largest share that an error took of its bound
     */
    static double bounded(String what, Tensor actual, double[] expected, IntToDoubleFunction bound) {
        float[] values = (actual.dtype() == DType.BF16 ? actual.widened() : actual).floats();
        double worst = 0;
        for (int i = 0; i < expected.length; i++) {
            double error = Math.abs(values[i] - expected[i]);
            double limit = bound.applyAsDouble(i);
            if (!(error <= limit)) {
                throw new AssertionError(what + " at " + i + " of " + actual + " is " + values[i] + ", not "
                        + expected[i] + ": an error of " + error + " where " + limit + " is allowed");
            }
            worst = limit == 0 ? worst : Math.max(worst, error / limit);
        }
        return worst;
    }

    /** ⟨a, b⟩ */
    static double dot(Tensor a, Tensor b) {
        double sum = 0;
        for (int i = 0; i < a.floats().length; i++) {
            sum += (double) a.floats()[i] * b.floats()[i];
        }
        return sum;
    }

    private Truth() {}
}
