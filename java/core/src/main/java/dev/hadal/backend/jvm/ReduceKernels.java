package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.op.ArgMax;
import dev.hadal.op.Reduce;
import dev.hadal.op.Reduce.Function;
import dev.hadal.tensor.Shape;
import java.util.Arrays;

/** Many values to one. */
final class ReduceKernels {

    static void add(OpTable<OpTable.Job, Kernel> table) {
        table.put(Reduce.class, (op, j) -> reduce(op, j));
        table.put(ArgMax.class, (op, j) -> argMax(op, j));
    }

    private static Kernel reduce(Reduce op, OpTable.Job j) {
        Shape x = j.in().get(0).shape();
        Shape kept = op.kept(x);
        return switch (op.function()) {
            case SUM -> BroadcastSum.prepare(x, kept, 1, j.in(), j.out(), j.machine());
            case MEAN -> BroadcastSum.prepare(x, kept, (double) kept.size() / x.size(), j.in(), j.out(), j.machine());
            case MAX, MIN -> extreme(op.function() == Function.MAX, x, kept, j);
        };
    }

    /** Axis by axis: each is [outer, length, inner], and leaves [outer, 1, inner] for the next, in scratch memory. */
    private static Kernel extreme(boolean max, Shape x, Shape kept, OpTable.Job j) {
        return new HeapKernel("java " + (max ? "maximum" : "minimum"), j.in(), j.out(), (in, out, scratch) -> () -> {
                    Span from = in[0];
                    Shape shape = x;
                    int fromAt = from.offset();
                    float[] values = from.floats();
                    for (int axis = x.rank() - 1; axis >= 0; axis--) {
                        if (kept.get(axis) != x.get(axis)) {
                            int inner = shape.sizeFrom(axis + 1);
                            int outer = shape.size() / inner / x.get(axis);
                            // Results lie before what is still to be read, so that they may replace it.
                            fold(max, outer, x.get(axis), inner, values, fromAt, scratch.floats(), scratch.offset());
                            values = scratch.floats();
                            fromAt = scratch.offset();
                            shape = shape.with(axis, 1);
                        }
                    }
                    System.arraycopy(values, fromAt, out[0].floats(), out[0].offset(), out[0].size());
                })
                .withScratch(x.size());
    }

    private static void fold(boolean max, int outer, int length, int inner, float[] x, int xAt, float[] y, int yAt) {
        for (int o = 0; o < outer; o++) {
            int to = yAt + o * inner;
            int from = xAt + o * length * inner;
            System.arraycopy(x, from, y, to, inner);
            for (int k = 1; k < length; k++) {
                int row = from + k * inner;
                for (int i = 0; i < inner; i++) {
                    y[to + i] = max ? Math.max(y[to + i], x[row + i]) : Math.min(y[to + i], x[row + i]);
                }
            }
        }
    }

    private static Kernel argMax(ArgMax op, OpTable.Job j) {
        Shape x = j.in().get(0).shape();
        int axis = op.place(x);
        int length = x.get(axis);
        int inner = x.sizeFrom(axis + 1);
        int outer = x.size() / inner / length;
        Machine sized = j.machine().forWork(x.size());
        return new HeapKernel("java argmax", j.in(), j.out(), (in, out, scratch) -> {
            Span from = in[0];
            int[] y = out[0].ints();
            int yAt = out[0].offset();
            Workers.Body body = (o, lane) -> {
                int first = o * length * inner;
                Arrays.fill(y, yAt + o * inner, yAt + (o + 1) * inner, 0);
                for (int k = 1; k < length; k++) {
                    for (int i = 0; i < inner; i++) {
                        float most = from.get(first + y[yAt + o * inner + i] * inner + i);
                        float value = from.get(first + k * inner + i);
                        if (value > most || (Float.isNaN(value) && !Float.isNaN(most))) {
                            y[yAt + o * inner + i] = k;
                        }
                    }
                }
            };
            return () -> sized.forEach(outer, body);
        });
    }

    private ReduceKernels() {}
}
