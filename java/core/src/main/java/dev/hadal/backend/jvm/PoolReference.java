package dev.hadal.backend.jvm;

import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.op.AdaptivePool;
import dev.hadal.op.Pool;
import dev.hadal.op.Pooling;
import dev.hadal.op.Pooling.Function;
import dev.hadal.op.Window;
import dev.hadal.tensor.Shape;
import java.util.Arrays;

/** Pooling, as its definitions have it. */
final class PoolReference {

    static void define(OpTable<OpTable.Types, Formula> table) {
        table.put(Pool.class, (op, t) -> forward(op, t.x(0), t.y(0)));
        table.put(AdaptivePool.class, (op, t) -> forward(op, t.x(0), t.y(0)));
        table.put(Pooling.MaxBackward.class, (op, t) -> maxBackward(op.x(), t.x(0)));
        table.put(Pooling.AverageBackward.class, (op, t) -> averageBackward(op.forward(), op.x(), t.x(0)));
    }

    private static Formula forward(Pooling op, Shape x, Shape y) {
        return op.function() == Function.MAX ? max(op, x, y) : average(op, x, y);
    }

    private static Formula max(Pooling op, Shape x, Shape y) {
        int plane = x.sizeFrom(2);
        return (in, out) -> {
            Arrays.fill(out[0], Double.NEGATIVE_INFINITY);
            Arrays.fill(out[1], -1);
            visit(op, x, y, (xi, yi) -> {
                double value = in[0][xi];
                if (out[1][yi] < 0 || value > out[0][yi] || Double.isNaN(value)) {
                    out[0][yi] = value;
                    out[1][yi] = xi % plane;
                }
            });
        };
    }

    private static Formula maxBackward(Shape x, Shape dy) {
        return (in, out) -> {
            Arrays.fill(out[0], 0);
            for (int i = 0; i < in[0].length; i++) {
                out[0][i / dy.sizeFrom(2) * x.sizeFrom(2) + (int) in[1][i]] += in[0][i];
            }
        };
    }

    private static Formula average(Pooling op, Shape x, Shape y) {
        double[] divisors = divisors(op, x, y);
        return (in, out) -> {
            Arrays.fill(out[0], 0);
            visit(op, x, y, (xi, yi) -> out[0][yi] += in[0][xi] / divisors[yi]);
        };
    }

    private static Formula averageBackward(Pooling op, Shape x, Shape y) {
        double[] divisors = divisors(op, x, y);
        return (in, out) -> {
            Arrays.fill(out[0], 0);
            visit(op, x, y, (xi, yi) -> out[0][xi] += in[0][yi] / divisors[yi]);
        };
    }

    private static double[] divisors(Pooling op, Shape x, Shape y) {
        double[] divisors = new double[y.size()];
        if (op instanceof Pool p && p.function() == Function.AVERAGE) {
            Arrays.fill(divisors, p.kernelHeight() * p.kernelWidth());
        } else {
            visit(op, x, y, (xi, yi) -> divisors[yi]++);
        }
        return divisors;
    }

    /** One place of x in the bin of one place of y. */
    private interface Pair {
        void at(int x, int y);
    }

    private static void visit(Pooling op, Shape x, Shape y, Pair pair) {
        for (int plane = 0; plane < y.get(0) * y.get(1); plane++) {
            for (int oh = 0; oh < y.get(2); oh++) {
                for (int ow = 0; ow < y.get(3); ow++) {
                    for (int ih = 0; ih < x.get(2); ih++) {
                        for (int iw = 0; readsRow(op, x, oh, ih) && iw < x.get(3); iw++) {
                            if (readsColumn(op, x, ow, iw)) {
                                pair.at(
                                        (plane * x.get(2) + ih) * x.get(3) + iw,
                                        (plane * y.get(2) + oh) * y.get(3) + ow);
                            }
                        }
                    }
                }
            }
        }
    }

    private static boolean readsRow(Pooling op, Shape x, int o, int i) {
        return op instanceof Pool p
                ? taps(p.window().height(), p.kernelHeight(), o, i)
                : within(i, o, x.get(2), ((AdaptivePool) op).height());
    }

    private static boolean readsColumn(Pooling op, Shape x, int o, int i) {
        return op instanceof Pool p
                ? taps(p.window().width(), p.kernelWidth(), o, i)
                : within(i, o, x.get(3), ((AdaptivePool) op).width());
    }

    private static boolean taps(Window.Axis axis, int kernel, int o, int i) {
        for (int k = 0; k < kernel; k++) {
            if (axis.in(o, k) == i) {
                return true;
            }
        }
        return false;
    }

    /** ⌊o·in/out⌋ ≤ i < ⌈(o + 1)·in/out⌉ */
    private static boolean within(int i, int o, int in, int out) {
        return Math.floor((double) o * in / out) <= i && i < Math.ceil((o + 1.0) * in / out);
    }

    private PoolReference() {}
}
