package dev.hadal.backend.jvm;

import static dev.hadal.backend.jvm.Blocks.ceilDiv;

import dev.hadal.graph.Type;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * How operands that broadcast are walked together: row after row of the result, along which each operand either runs
 * densely or stands still. Axes that every operand walks as one become one.
 */
final class BroadcastRows {
    private static final int PIECE = 1 << 10;
    private static final int PER_TASK = 1 << 13;

    /** What a row's values become. Operands that stand still have been repeated. */
    interface Row {
        /**
         * @param in arrays of floats or ints
         * @param at where each operand begins
         */
        void run(int n, Object[] in, int[] at, Object y, int yAt);
    }

    /** An axis of the result, and from element to element along it, each operand's stride. */
    private record Axis(int length, List<Integer> strides) {
        boolean continues(Axis inner) {
            for (int k = 0; k < strides.size(); k++) {
                if (strides.get(k) != inner.length * inner.strides.get(k)) {
                    return false;
                }
            }
            return true;
        }
    }

    /** A lane's arrays. */
    private static final class Lane {
        private final Object[] repeated;
        private final Object[] in;
        private final int[] at;

        Lane(List<Type> types) {
            repeated = types.stream()
                    .map(t -> t.dtype() == DType.F32 ? (Object) new float[PIECE] : new int[PIECE])
                    .toArray();
            in = new Object[types.size()];
            at = new int[types.size()];
        }
    }

    private final List<Type> types;
    private final List<Axis> outer;
    private final Axis row;
    private final int pieces;
    private final int units;
    private final int unitsPerTask;

    BroadcastRows(List<Type> in, Shape y) {
        types = in;
        List<Axis> axes = new ArrayList<>();
        for (int axis = 0; axis < y.rank(); axis++) {
            int at = axis;
            Axis inner = new Axis(
                    y.get(axis), in.stream().map(t -> stride(t.shape(), y, at)).toList());
            Axis before = axes.isEmpty() ? null : axes.get(axes.size() - 1);
            if (before != null && before.continues(inner)) {
                axes.set(axes.size() - 1, new Axis(before.length * inner.length, inner.strides));
            } else if (inner.length != 1) {
                axes.add(inner);
            }
        }
        row = axes.isEmpty() ? new Axis(1, in.stream().map(t -> 0).toList()) : axes.remove(axes.size() - 1);
        outer = axes;
        pieces = ceilDiv(row.length, PIECE);
        units = axes.stream().mapToInt(Axis::length).reduce(1, (a, b) -> a * b) * pieces;
        unitsPerTask = Math.max(1, PER_TASK / Math.min(row.length, PIECE));
    }

    private static int stride(Shape x, Shape y, int axis) {
        int own = axis - (y.rank() - x.rank());
        return own < 0 || x.get(own) == 1 ? 0 : x.sizeFrom(own + 1);
    }

    /** A kernel that does the same to every row; the result may lie over an operand of its type. */
    static HeapKernel kernel(String name, List<Type> in, List<Type> out, Machine machine, Row body) {
        BroadcastRows rows = new BroadcastRows(in, out.get(0).shape());
        Machine sized = machine.forWork(out.get(0).shape().size());
        HeapKernel kernel = new HeapKernel("java " + name, in, out, (x, y, scratch) -> {
            Lane[] lanes = sized.perLane(new Lane[0], () -> new Lane(in));
            Workers.Body run = (task, lane) -> rows.run(task, lanes[lane], x, y[0], body);
            return () -> sized.forEach(ceilDiv(rows.units, rows.unitsPerTask), run);
        });
        int same = in.indexOf(out.get(0));
        return same < 0 ? kernel : kernel.withInPlace(same);
    }

    private void run(int task, Lane lane, Span[] x, Span y, Row body) {
        int end = Math.min(units, (task + 1) * unitsPerTask);
        for (int unit = task * unitsPerTask; unit < end; unit++) {
            int start = unit % pieces * PIECE;
            int n = Math.min(PIECE, row.length - start);
            for (int k = 0; k < x.length; k++) {
                place(k, unit / pieces, start, n, lane, x[k]);
            }
            body.run(n, lane.in, lane.at, array(y), y.offset() + unit / pieces * row.length + start);
        }
    }

    private void place(int k, int rowIndex, int start, int n, Lane lane, Span x) {
        int at = x.offset() + start * row.strides.get(k);
        int rest = rowIndex;
        for (int axis = outer.size() - 1; axis >= 0; axis--) {
            Axis a = outer.get(axis);
            at += rest % a.length * a.strides.get(k);
            rest /= a.length;
        }
        boolean dense = row.strides.get(k) == 1;
        lane.in[k] = dense ? array(x) : lane.repeated[k];
        lane.at[k] = dense ? at : 0;
        if (!dense && types.get(k).dtype() == DType.F32) {
            Arrays.fill((float[]) lane.repeated[k], 0, n, x.floats()[at]);
        } else if (!dense) {
            Arrays.fill((int[]) lane.repeated[k], 0, n, x.ints()[at]);
        }
    }

    private static Object array(Span slice) {
        return slice.type().dtype() == DType.F32 ? slice.floats() : slice.ints();
    }
}
