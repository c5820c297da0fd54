package dev.hadal.backend.jvm;

import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.op.Binary;
import dev.hadal.op.Clamp;
import dev.hadal.op.Compare;
import dev.hadal.op.Constant;
import dev.hadal.op.PRelu;
import dev.hadal.op.Unary;
import dev.hadal.op.Where;
import dev.hadal.tensor.Shape;
import java.util.Arrays;

/** Arithmetic, elementwise, with and without broadcasting. */
final class ArithmeticReference {

    static void define(OpTable<OpTable.Types, Formula> table) {
        table.put(Unary.class, (op, t) -> (in, out) -> Arrays.setAll(out[0], i -> value(op.function(), in[0][i])));
        table.put(
                Clamp.class,
                (op, t) -> (in, out) -> Arrays.setAll(out[0], i -> Math.min(Math.max(in[0][i], op.min()), op.max())));
        table.put(Constant.class, (op, t) -> (in, out) -> Arrays.fill(out[0], op.value()));
        table.put(Binary.class, (op, t) -> binary(op.function(), t.x(0), t.x(1), t.y(0)));
        table.put(Compare.class, (op, t) -> compare(op.function(), t.x(0), t.x(1), t.y(0)));
        table.put(Where.class, (op, t) -> where(t.x(0), t.x(1), t.x(2), t.y(0)));
        table.put(PRelu.class, (op, t) -> prelu(t.x(0), t.x(1)));
        table.put(PRelu.Backward.class, (op, t) -> preluBackward(t.x(0), t.x(1)));
    }

    private static double value(Unary.Function f, double x) {
        return switch (f) {
            case EXP -> Math.exp(x);
            case LOG -> Math.log(x);
            case SQRT -> Math.sqrt(x);
            case ABS -> Math.abs(x);
            case NEG -> -x;
            case RECIPROCAL -> 1 / x;
        };
    }

    private static Formula binary(Binary.Function f, Shape a, Shape b, Shape y) {
        return (in, out) -> Arrays.setAll(
                out[0], i -> value(f, in[0][MoveReference.source(a, y, i)], in[1][MoveReference.source(b, y, i)]));
    }

    private static double value(Binary.Function f, double a, double b) {
        return switch (f) {
            case ADD -> a + b;
            case SUB -> a - b;
            case MUL -> a * b;
            case DIV -> a / b;
            case POW -> Math.pow(a, b);
            case MIN -> Math.min(a, b);
            case MAX -> Math.max(a, b);
        };
    }

    private static Formula compare(Compare.Function f, Shape a, Shape b, Shape y) {
        return (in, out) -> Arrays.setAll(
                out[0],
                i -> holds(f, in[0][MoveReference.source(a, y, i)], in[1][MoveReference.source(b, y, i)]) ? 1 : 0);
    }

    private static boolean holds(Compare.Function f, double a, double b) {
        return switch (f) {
            case EQUAL -> a == b;
            case NOT_EQUAL -> a != b;
            case LESS -> a < b;
            case LESS_OR_EQUAL -> a <= b;
            case GREATER -> a > b;
            case GREATER_OR_EQUAL -> a >= b;
        };
    }

    private static Formula where(Shape condition, Shape a, Shape b, Shape y) {
        return (in, out) -> Arrays.setAll(
                out[0],
                i -> in[0][MoveReference.source(condition, y, i)] != 0
                        ? in[1][MoveReference.source(a, y, i)]
                        : in[2][MoveReference.source(b, y, i)]);
    }

    private static int channel(Shape x, Shape slope, int i) {
        return slope.get(0) == 1 ? 0 : i / x.sizeFrom(2) % x.get(1);
    }

    private static Formula prelu(Shape x, Shape slope) {
        return (in, out) ->
                Arrays.setAll(out[0], i -> in[0][i] > 0 ? in[0][i] : in[1][channel(x, slope, i)] * in[0][i]);
    }

    private static Formula preluBackward(Shape x, Shape slope) {
        return (in, out) -> {
            Arrays.fill(out[1], 0);
            for (int i = 0; i < out[0].length; i++) {
                int c = channel(x, slope, i);
                boolean above = in[0][i] > 0;
                out[0][i] = above ? in[2][i] : in[1][c] * in[2][i];
                out[1][c] += above ? 0 : in[0][i] * in[2][i];
            }
        };
    }

    private ArithmeticReference() {}
}
