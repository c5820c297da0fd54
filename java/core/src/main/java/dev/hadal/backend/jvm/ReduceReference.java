package dev.hadal.backend.jvm;

import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.op.ArgMax;
import dev.hadal.op.Reduce;
import dev.hadal.tensor.Shape;
import java.util.Arrays;

/** Many values to one. */
final class ReduceReference {

    static void define(OpTable<OpTable.Types, Formula> table) {
        table.put(Reduce.class, (op, t) -> reduce(op.function(), t.x(0), op.kept(t.x(0))));
        table.put(ArgMax.class, (op, t) -> argMax(t.x(0), op.place(t.x(0))));
    }

    private static Formula reduce(Reduce.Function f, Shape x, Shape kept) {
        return (in, out) -> {
            double[] y = out[0];
            Arrays.fill(
                    y,
                    switch (f) {
                        case SUM, MEAN -> 0;
                        case MAX -> Double.NEGATIVE_INFINITY;
                        case MIN -> Double.POSITIVE_INFINITY;
                    });
            for (int i = 0; i < in[0].length; i++) {
                int to = MoveReference.source(kept, x, i);
                y[to] = switch (f) {
                    case SUM, MEAN -> y[to] + in[0][i];
                    case MAX -> Math.max(y[to], in[0][i]);
                    case MIN -> Math.min(y[to], in[0][i]);
                };
            }
            if (f == Reduce.Function.MEAN) {
                double count = (double) in[0].length / y.length;
                Arrays.setAll(y, i -> y[i] / count);
            }
        };
    }

    private static Formula argMax(Shape x, int axis) {
        int stride = x.sizeFrom(axis + 1);
        int length = x.get(axis);
        return (in, out) -> Arrays.setAll(out[0], i -> {
            int from = i / stride * length * stride + i % stride;
            int best = 0;
            for (int k = 1; k < length; k++) {
                double most = in[0][from + best * stride];
                double xk = in[0][from + k * stride];
                best = xk > most || (Double.isNaN(xk) && !Double.isNaN(most)) ? k : best;
            }
            return best;
        });
    }

    private ReduceReference() {}
}
