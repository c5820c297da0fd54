package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.simd.Loops;
import dev.hadal.graph.Type;
import dev.hadal.op.AdaptivePool;
import dev.hadal.op.Bins;
import dev.hadal.op.GlobalAveragePool;
import dev.hadal.op.Pool;
import dev.hadal.op.Pooling;
import dev.hadal.op.Window;
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

        /** How a kernel of {@link #taps} slides along a row; null where the bins differ in size. */
        final Window.@Nullable Axis slide;

        final int taps;

        Plane(Pooling op, Shape x) {
            rows = op.rows(x);
            columns = op.columns(x);
            width = x.get(3);
            size = x.sizeFrom(2);
            results = rows.out() * columns.out();
            if (op instanceof Pool pool) {
                slide = pool.window().width();
                taps = pool.kernelWidth();
            } else {
                taps = width / columns.out();
                slide = taps * columns.out() == width ? new Window.Axis(taps, 0, 0, 1) : null;
            }
        }
    }

    /** A thread's scratch for one row of maxima: the lines of x that it reads between their padding; values and places. */
    private static final class Row {
        final Loops loops;
        final int padded;
        final int pitch;
        final float[] lines;
        final float[] best;
        final float[] found;

        /** Where each tap lies in the lines, and in the plane, from the first. */
        final int[] taps;

        final int[] places;

        Row(Plane plane, Loops loops) {
            this.loops = loops;
            padded = Frame.padded(plane.columns.out());
            best = new float[padded];
            found = new float[padded];
            Window.Axis slide = plane.slide;
            int count =
                    slide == null ? 0 : Arrays.stream(plane.rows.count()).max().orElse(0);
            taps = new int[count * plane.taps];
            places = new int[count * plane.taps];
            pitch = slide == null
                    ? 0
                    : slide.padBefore() + plane.width + padded * slide.stride() + plane.taps * slide.dilation();
            for (int t = 0; t < taps.length; t++) {
                int kw = t % plane.taps * plane.columns.step();
                taps[t] = t / plane.taps * pitch + kw;
                places[t] = t / plane.taps * plane.rows.step() * plane.width + kw;
            }
            lines = new float[count * pitch];
            Arrays.fill(lines, Float.NEGATIVE_INFINITY);
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
        int[] index = out[1].ints();
        int yAt = out[0].offset() + number * plane.results;
        int indexAt = out[1].offset() + number * plane.results;
        int from = in[0].offset() + number * plane.size;
        int columns = plane.columns.out();
        for (int oh = 0; oh < plane.rows.out(); oh++, yAt += columns, indexAt += columns) {
            if (plane.slide != null) {
                slide(plane, plane.slide, oh, x, from, row);
            } else {
                bins(plane, oh, x, from, row);
            }
            System.arraycopy(row.best, 0, out[0].floats(), yAt, columns);
            places(columns, plane.rows.at(oh, 0) * plane.width, plane.columns.first(), row, index, indexAt);
        }
    }

    /** What is found where all is −∞ may lie in the padding: then it is the first place. */
    private static void places(int n, int line, int[] first, Row row, int[] index, int indexAt) {
        float[] best = row.best;
        float[] found = row.found;
        for (int ow = 0; ow < n; ow++) {
            index[indexAt + ow] = best[ow] == Float.NEGATIVE_INFINITY ? line + first[ow] : (int) found[ow];
        }
    }

    /** Places are f32, which holds them all, see {@link #forward}. */
    private static void slide(Plane plane, Window.Axis slide, int oh, float[] x, int from, Row row) {
        int first = plane.rows.at(oh, 0) * plane.width;
        int below = plane.rows.step() * plane.width;
        int count = plane.rows.count()[oh];
        for (int kh = 0; kh < count; kh++) {
            System.arraycopy(x, from + first + kh * below, row.lines, kh * row.pitch + slide.padBefore(), plane.width);
        }
        row.loops.largest(
                row.padded,
                slide.stride(),
                count * plane.taps,
                row.taps,
                row.lines,
                first - slide.padBefore(),
                row.places,
                row.best,
                row.found);
    }

    private static void bins(Plane plane, int oh, float[] x, int from, Row row) {
        Arrays.fill(row.best, Float.NEGATIVE_INFINITY);
        for (int ow = 0; ow < plane.columns.out(); ow++) {
            for (int kh = 0; kh < plane.rows.count()[oh]; kh++) {
                int line = plane.rows.at(oh, kh) * plane.width;
                for (int kw = 0; kw < plane.columns.count()[ow]; kw++) {
                    int at = line + plane.columns.at(ow, kw);
                    if (x[from + at] > row.best[ow] || Float.isNaN(x[from + at])) {
                        row.best[ow] = x[from + at];
                        row.found[ow] = at;
                    }
                }
            }
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
