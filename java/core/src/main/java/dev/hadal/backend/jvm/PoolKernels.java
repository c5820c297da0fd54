package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.simd.Loops;
import dev.hadal.graph.Type;
import dev.hadal.op.AdaptivePool;
import dev.hadal.op.Bins;
import dev.hadal.op.GlobalAveragePool;
import dev.hadal.op.Pool;
import dev.hadal.op.Pooling;
import dev.hadal.tensor.Shape;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Pooling, plane by plane. */
final class PoolKernels {
    /** The values of a task, at least. */
    private static final int TASK = 1 << 12;

    static void add(OpTable<OpTable.Job, Kernel> table) {
        table.put(GlobalAveragePool.class, (op, j) -> globalAverage(j.in(), j.out(), j.machine()));
        table.put(GlobalAveragePool.Backward.class, (op, j) -> globalAverageBackward(j.in(), j.out(), j.machine()));
        table.put(Pool.class, PoolKernels::forward);
        table.put(AdaptivePool.class, PoolKernels::forward);
        table.put(
                Pooling.MaxBackward.class,
                (op, j) -> planes("max pool backward", op.forward(), j.out().get(0), j, PoolKernels::maxBackward));
        table.put(
                Pooling.AverageBackward.class,
                (op, j) ->
                        planes("average pool backward", op.forward(), j.out().get(0), j, PoolKernels::averageBackward));
    }

    static Kernel globalAverage(List<Type> in, List<Type> out, Machine machine) {
        Shape shape = in.get(0).shape();
        int plane = shape.sizeFrom(2);
        Machine sized = machine.forWork(shape.size());
        return new HeapKernel("java global average", in, out, (ins, outs, scratch) -> {
            Span x = ins[0];
            Span y = outs[0];
            Workers.Body image = (task, lane) -> {
                for (int i = task * shape.get(1); i < (task + 1) * shape.get(1); i++) {
                    y.set(i, (float) (sum(plane, x.floats(), x.offset() + i * plane) / plane));
                }
            };
            return () -> sized.forEach(shape.get(0), image);
        });
    }

    /** By four chains of additions that run side by side. */
    private static double sum(int n, float[] x, int at) {
        double s0 = 0;
        double s1 = 0;
        double s2 = 0;
        double s3 = 0;
        int i = at;
        for (; i + 4 <= at + n; i += 4) {
            s0 += x[i];
            s1 += x[i + 1];
            s2 += x[i + 2];
            s3 += x[i + 3];
        }
        for (; i < at + n; i++) {
            s0 += x[i];
        }
        return (s0 + s1) + (s2 + s3);
    }

    static Kernel globalAverageBackward(List<Type> in, List<Type> out, Machine machine) {
        Shape shape = out.get(0).shape();
        int plane = shape.sizeFrom(2);
        Machine sized = machine.forWork(shape.size());
        return new HeapKernel("java global average backward", in, out, (ins, outs, scratch) -> {
            Span dy = ins[0];
            Span dx = outs[0];
            Workers.Body image = (task, lane) -> {
                for (int i = task * shape.get(1); i < (task + 1) * shape.get(1); i++) {
                    int at = dx.offset() + i * plane;
                    Arrays.fill(dx.floats(), at, at + plane, dy.get(i) / plane);
                }
            };
            return () -> sized.forEach(shape.get(0), image);
        });
    }

    // ---- bins ----

    /** The geometry of one plane of x and of y, shared by all. */
    private static final class Plane {
        final int width;
        final int size;
        final int results;
        final Bins rows;
        final Bins columns;

        /** What each result reads of a row as its k-th; those that read fewer read the last again. */
        final int[][] taps;

        Plane(Pooling op, Shape x) {
            rows = op.rows(x);
            columns = op.columns(x);
            width = x.get(3);
            size = x.sizeFrom(2);
            results = rows.out() * columns.out();
            taps = new int[Arrays.stream(columns.count()).max().orElse(0)][columns.out()];
            for (int k = 0; k < taps.length; k++) {
                for (int o = 0; o < columns.out(); o++) {
                    taps[k][o] = columns.at(o, Math.min(k, columns.count()[o] - 1));
                }
            }
        }
    }

    /** A thread's scratch for one row of maxima: values and their places, the largest so far and theirs. */
    private static final class Row {
        final Loops loops;
        final int padded;
        final float[] values;
        final float[] at;
        final float[] best;
        final float[] found;

        Row(Plane plane, Loops loops) {
            this.loops = loops;
            padded = Frame.padded(plane.columns.out());
            values = new float[padded];
            at = new float[padded];
            best = new float[padded];
            found = new float[padded];
        }
    }

    /** What happens in one plane, once operands and results are bound. */
    private interface PlaneBody {
        void run(Plane plane, int number, Span[] in, Span[] out, Row row);
    }

    /** Declines the maxima of planes whose places f32 cannot count. */
    private static @Nullable Kernel forward(Pooling op, OpTable.Job job) {
        if (op.function() == Pooling.Function.MAX && job.in().get(0).shape().sizeFrom(2) > 1 << 24) {
            return null;
        }
        return op.function() == Pooling.Function.MAX
                ? planes("max pool", op, job.in().get(0), job, PoolKernels::max)
                : planes("average pool", op, job.in().get(0), job, PoolKernels::average);
    }

    private static Kernel planes(String name, Pooling op, Type x, OpTable.Job job, PlaneBody body) {
        Plane plane = new Plane(op, x.shape());
        int count = x.shape().get(0) * x.shape().get(1);
        int perTask = Math.max(1, TASK / plane.size);
        Machine sized = job.machine().forWork(4L * x.shape().size());
        return new HeapKernel("java " + name, job.in(), job.out(), (ins, outs, scratch) -> {
            Row[] rows =
                    sized.perLane(new Row[0], () -> new Row(plane, sized.simd().loops()));
            Workers.Body task = (number, lane) -> {
                for (int p = number * perTask; p < Math.min(count, (number + 1) * perTask); p++) {
                    body.run(plane, p, ins, outs, rows[lane]);
                }
            };
            return () -> sized.forEach(Blocks.ceilDiv(count, perTask), task);
        });
    }

    private static void max(Plane plane, int number, Span[] in, Span[] out, Row row) {
        float[] x = in[0].floats();
        float[] y = out[0].floats();
        int[] index = out[1].ints();
        int yAt = out[0].offset() + number * plane.results;
        int indexAt = out[1].offset() + number * plane.results;
        int from = in[0].offset() + number * plane.size;
        int columns = plane.columns.out();
        for (int oh = 0; oh < plane.rows.out(); oh++, yAt += columns, indexAt += columns) {
            int first = plane.rows.at(oh, 0) * plane.width;
            gather(x, from, first, plane.taps[0], row.best, row.found);
            for (int kh = 0; kh < plane.rows.count()[oh]; kh++) {
                for (int[] tap : plane.taps) {
                    gather(x, from, plane.rows.at(oh, kh) * plane.width, tap, row.values, row.at);
                    row.loops.larger(row.padded, row.values, row.at, row.best, row.found);
                }
            }
            System.arraycopy(row.best, 0, y, yAt, columns);
            for (int ow = 0; ow < columns; ow++) {
                index[indexAt + ow] = (int) row.found[ow];
            }
        }
    }

    /** The values under one tap, and their places in the plane: as f32, which holds them all, see {@link #forward}. */
    private static void gather(float[] x, int from, int line, int[] tap, float[] values, float[] places) {
        for (int ow = 0; ow < tap.length; ow++) {
            int at = line + tap[ow];
            values[ow] = x[from + at];
            places[ow] = at;
        }
    }

    private static void maxBackward(Plane plane, int number, Span[] in, Span[] out, Row row) {
        float[] dy = in[0].floats();
        int[] index = in[1].ints();
        float[] dx = out[0].floats();
        int dyAt = in[0].offset() + number * plane.results;
        int indexAt = in[1].offset() + number * plane.results;
        int dxAt = out[0].offset() + number * plane.size;
        Arrays.fill(dx, dxAt, dxAt + plane.size, 0f);
        for (int i = 0; i < plane.results; i++) {
            dx[dxAt + index[indexAt + i]] += dy[dyAt + i];
        }
    }

    private static void average(Plane plane, int number, Span[] in, Span[] out, Row row) {
        float[] x = in[0].floats();
        float[] y = out[0].floats();
        int yAt = out[0].offset() + number * plane.results;
        int from = in[0].offset() + number * plane.size;
        for (int oh = 0; oh < plane.rows.out(); oh++, yAt += plane.columns.out()) {
            Arrays.fill(y, yAt, yAt + plane.columns.out(), 0f);
            for (int kh = 0; kh < plane.rows.count()[oh]; kh++) {
                addRow(plane.columns, x, from + plane.rows.at(oh, kh) * plane.width, y, yAt);
            }
            for (int ow = 0; ow < plane.columns.out(); ow++) {
                y[yAt + ow] /= plane.rows.divisor()[oh] * plane.columns.divisor()[ow];
            }
        }
    }

    private static void addRow(Bins columns, float[] x, int xAt, float[] y, int yAt) {
        int[] first = columns.first();
        int[] count = columns.count();
        for (int ow = 0; ow < first.length; ow++) {
            float sum = 0;
            int at = xAt + first[ow];
            for (int kw = 0; kw < count[ow]; kw++, at += columns.step()) {
                sum += x[at];
            }
            y[yAt + ow] += sum;
        }
    }

    private static void averageBackward(Plane plane, int number, Span[] in, Span[] out, Row row) {
        float[] dy = in[0].floats();
        float[] dx = out[0].floats();
        int dyAt = in[0].offset() + number * plane.results;
        int to = out[0].offset() + number * plane.size;
        Arrays.fill(dx, to, to + plane.size, 0f);
        for (int oh = 0; oh < plane.rows.out(); oh++, dyAt += plane.columns.out()) {
            for (int kh = 0; kh < plane.rows.count()[oh]; kh++) {
                int line = to + plane.rows.at(oh, kh) * plane.width;
                spreadRow(plane.columns, plane.rows.divisor()[oh], dy, dyAt, dx, line);
            }
        }
    }

    private static void spreadRow(Bins columns, int divisor, float[] dy, int dyAt, float[] dx, int dxAt) {
        int[] first = columns.first();
        int[] count = columns.count();
        for (int ow = 0; ow < first.length; ow++) {
            float g = dy[dyAt + ow] / (divisor * columns.divisor()[ow]);
            int at = dxAt + first[ow];
            for (int kw = 0; kw < count[ow]; kw++, at += columns.step()) {
                dx[at] += g;
            }
        }
    }

    private PoolKernels() {}
}
