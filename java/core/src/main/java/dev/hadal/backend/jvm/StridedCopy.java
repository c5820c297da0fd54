package dev.hadal.backend.jvm;

import static dev.hadal.backend.jvm.Blocks.ceilDiv;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Copies a box of values whose axes lie at some strides in the source and at others in the target. Axes that can be
 * walked as one become one; rows that lie densely in both are copied whole. Where a row of the target is a column of the
 * source, squares are copied, so that each line of the cache is read once.
 */
final class StridedCopy {
    private static final int SQUARE = 32;
    private static final int PER_TASK = 1 << 13;

    private record Axis(int length, int from, int to) {}

    private final int fromAt;
    private final int toAt;
    private final int[] lengths;
    private final int[] fromStrides;
    private final int[] toStrides;
    private final Axis row;

    /** Where columns of the source become rows: how many lie side by side, and how far their rows lie apart. */
    private final Axis across;

    private final int strips;
    private final int units;
    private final int unitsPerTask;

    /**
     * @param fromAt where the box begins in the source
     * @param fromStrides from element to element along each axis; 0 repeats, and may be negative
     */
    StridedCopy(int[] lengths, int fromAt, int[] fromStrides, int toAt, int[] toStrides) {
        this.fromAt = fromAt;
        this.toAt = toAt;
        List<Axis> axes = merged(lengths, fromStrides, toStrides);
        row = axes.remove(axes.size() - 1);
        across = row.from == 1 || row.to != 1 ? new Axis(1, 0, 0) : takeColumns(axes);
        this.lengths = axes.stream().mapToInt(Axis::length).toArray();
        this.fromStrides = axes.stream().mapToInt(Axis::from).toArray();
        this.toStrides = axes.stream().mapToInt(Axis::to).toArray();
        strips = ceilDiv(across.length, SQUARE);
        int outer = axes.stream().mapToInt(Axis::length).reduce(1, (a, b) -> a * b);
        units = outer * strips;
        unitsPerTask = Math.max(1, PER_TASK / (Math.min(across.length, SQUARE) * row.length));
    }

    /** Outermost first as the target has them; never empty. */
    private static List<Axis> merged(int[] lengths, int[] fromStrides, int[] toStrides) {
        List<Axis> sorted = new ArrayList<>();
        for (int i = 0; i < lengths.length; i++) {
            if (lengths[i] != 1) {
                sorted.add(new Axis(lengths[i], fromStrides[i], toStrides[i]));
            }
        }
        sorted.sort(Comparator.comparing(axis -> -Math.abs(axis.to)));
        List<Axis> axes = new ArrayList<>();
        for (Axis inner : sorted) {
            Axis outer = axes.isEmpty() ? new Axis(1, 0, 0) : axes.get(axes.size() - 1);
            if (outer.from == inner.length * inner.from && outer.to == inner.length * inner.to) {
                axes.set(axes.size() - 1, new Axis(outer.length * inner.length, inner.from, inner.to));
            } else {
                axes.add(inner);
            }
        }
        if (axes.isEmpty()) {
            axes.add(new Axis(1, 1, 1));
        }
        return axes;
    }

    private static Axis takeColumns(List<Axis> axes) {
        for (Axis axis : axes) {
            if (axis.from == 1) {
                axes.remove(axis);
                return axis;
            }
        }
        return new Axis(1, 0, 0);
    }

    int tasks() {
        return ceilDiv(units, unitsPerTask);
    }

    /**
     * One part of the work.
     *
     * @param from an array of floats, of ints or of bytes, as is {@code to}
     * @param fromBase where the source begins in it
     */
    void run(int task, Object from, int fromBase, Object to, int toBase) {
        int end = Math.min(units, (task + 1) * unitsPerTask);
        for (int unit = task * unitsPerTask; unit < end; unit++) {
            int strip = unit % strips * SQUARE;
            int rest = unit / strips;
            int source = fromBase + fromAt + strip * across.from;
            int target = toBase + toAt + strip * across.to;
            for (int axis = lengths.length - 1; axis >= 0; axis--) {
                int place = rest % lengths[axis];
                rest /= lengths[axis];
                source += place * fromStrides[axis];
                target += place * toStrides[axis];
            }
            if (row.from == 1 && row.to == 1) {
                System.arraycopy(from, source, to, target, row.length);
            } else {
                int columns = Math.min(SQUARE, across.length - strip);
                if (from instanceof float[] floats) {
                    strip(columns, floats, source, (float[]) to, target);
                } else if (from instanceof byte[] bytes) {
                    strip(columns, bytes, source, (byte[]) to, target);
                } else {
                    strip(columns, (int[]) from, source, (int[]) to, target);
                }
            }
        }
    }

    private void strip(int columns, float[] from, int fromAt, float[] to, int toAt) {
        for (int j0 = 0; j0 < row.length; j0 += SQUARE) {
            int j1 = Math.min(row.length, j0 + SQUARE);
            for (int c = 0; c < columns; c++) {
                int source = fromAt + c * across.from;
                int target = toAt + c * across.to;
                for (int j = j0; j < j1; j++) {
                    to[target + j * row.to] = from[source + j * row.from];
                }
            }
        }
    }

    private void strip(int columns, byte[] from, int fromAt, byte[] to, int toAt) {
        for (int j0 = 0; j0 < row.length; j0 += SQUARE) {
            int j1 = Math.min(row.length, j0 + SQUARE);
            for (int c = 0; c < columns; c++) {
                int source = fromAt + c * across.from;
                int target = toAt + c * across.to;
                for (int j = j0; j < j1; j++) {
                    to[target + j * row.to] = from[source + j * row.from];
                }
            }
        }
    }

    private void strip(int columns, int[] from, int fromAt, int[] to, int toAt) {
        for (int j0 = 0; j0 < row.length; j0 += SQUARE) {
            int j1 = Math.min(row.length, j0 + SQUARE);
            for (int c = 0; c < columns; c++) {
                int source = fromAt + c * across.from;
                int target = toAt + c * across.to;
                for (int j = j0; j < j1; j++) {
                    to[target + j * row.to] = from[source + j * row.from];
                }
            }
        }
    }
}
