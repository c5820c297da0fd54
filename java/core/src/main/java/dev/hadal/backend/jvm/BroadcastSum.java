package dev.hadal.backend.jvm;

import static dev.hadal.backend.jvm.Blocks.ceilDiv;

import dev.hadal.backend.Kernel;
import dev.hadal.graph.Type;
import dev.hadal.op.Expand;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * dx = Σ dy over the axes along which x was repeated. Each element of dx is one sum in the order in which dy lies, so
 * that neither tasks nor threads change its bits. Axes of one kind that follow each other are walked as one.
 */
final class BroadcastSum {
    private static final int PER_TASK = 1 << 12;

    /** Lengths and strides of dy. */
    private record Axis(int length, int stride, boolean summed) {}

    private final int[] keptLengths;
    private final int[] keptStrides;
    private final int[] summedLengths;
    private final int[] summedStrides;
    private final int terms;

    /** The innermost axis. */
    private final Axis row;

    private final int pieces;
    private final int tasks;

    static Kernel prepare(Expand.Backward op, List<Type> in, List<Type> out, Machine machine) {
        return prepare(in.get(0).shape(), op.x(), 1, in, out, machine);
    }

    /** The sums of dy down to x, times a factor. */
    static Kernel prepare(Shape dy, Shape x, double factor, List<Type> in, List<Type> out, Machine machine) {
        BroadcastSum sum = new BroadcastSum(dy, x);
        Machine sized = machine.forWork(dy.size());
        return new HeapKernel("java broadcast sum", in, out, (in1, out1, scratch) -> {
            Workers.Body body = (task, lane) -> sum.run(task, factor, in1[0], out1[0]);
            return () -> sized.forEach(sum.tasks, body);
        });
    }

    private BroadcastSum(Shape dy, Shape x) {
        List<Axis> axes = new ArrayList<>();
        int missing = dy.rank() - x.rank();
        for (int i = 0; i < dy.rank(); i++) {
            boolean summed = i < missing || x.get(i - missing) != dy.get(i);
            Axis axis = new Axis(dy.get(i), dy.sizeFrom(i + 1), summed);
            Axis outer = axes.isEmpty() ? null : axes.get(axes.size() - 1);
            if (axis.length == 1) {
                continue;
            }
            if (outer != null && outer.summed == summed) {
                axes.set(axes.size() - 1, new Axis(outer.length * axis.length, axis.stride, summed));
            } else {
                axes.add(axis);
            }
        }
        row = axes.isEmpty() ? new Axis(1, 1, false) : axes.remove(axes.size() - 1);
        keptLengths =
                axes.stream().filter(a -> !a.summed).mapToInt(Axis::length).toArray();
        keptStrides =
                axes.stream().filter(a -> !a.summed).mapToInt(Axis::stride).toArray();
        summedLengths =
                axes.stream().filter(Axis::summed).mapToInt(Axis::length).toArray();
        summedStrides =
                axes.stream().filter(Axis::summed).mapToInt(Axis::stride).toArray();
        terms = Arrays.stream(summedLengths).reduce(1, (a, b) -> a * b);
        pieces = row.summed ? 1 : ceilDiv(row.length, PER_TASK);
        tasks = Arrays.stream(keptLengths).reduce(1, (a, b) -> a * b) * pieces;
    }

    private static int at(int index, int[] lengths, int[] strides) {
        int at = 0;
        int rest = index;
        for (int axis = lengths.length - 1; axis >= 0; axis--) {
            at += rest % lengths[axis] * strides[axis];
            rest /= lengths[axis];
        }
        return at;
    }

    private void run(int task, double factor, Span dy, Span dx) {
        int from = dy.offset() + at(task / pieces, keptLengths, keptStrides);
        if (row.summed) {
            double sum = 0;
            for (int t = 0; t < terms; t++) {
                int at = from + at(t, summedLengths, summedStrides);
                for (int i = 0; i < row.length; i++) {
                    sum += dy.floats()[at + i];
                }
            }
            dx.set(task, (float) (factor * sum));
        } else {
            int first = task % pieces * PER_TASK;
            int count = Math.min(PER_TASK, row.length - first);
            int to = dx.offset() + task / pieces * row.length + first;
            System.arraycopy(dy.floats(), from + first, dx.floats(), to, count);
            for (int t = 1; t < terms; t++) {
                add(count, dy.floats(), from + first + at(t, summedLengths, summedStrides), dx.floats(), to);
            }
            for (int i = 0; factor != 1 && i < count; i++) {
                dx.floats()[to + i] *= (float) factor;
            }
        }
    }

    private static void add(int n, float[] x, int xAt, float[] sum, int sumAt) {
        for (int i = 0; i < n; i++) {
            sum[sumAt + i] += x[xAt + i];
        }
    }
}
