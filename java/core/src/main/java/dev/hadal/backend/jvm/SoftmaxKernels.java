package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.GroupReference.Lines;
import dev.hadal.backend.jvm.simd.Exponential;
import dev.hadal.backend.jvm.simd.Loops;
import dev.hadal.backend.jvm.simd.Runs;
import dev.hadal.op.Softmax;
import java.util.Arrays;

/** Softmax and its logarithm. Where the axis is not the last, neighbouring lines go together. */
final class SoftmaxKernels {

    static void add(OpTable<OpTable.Job, Kernel> table) {
        table.put(Softmax.class, (op, j) -> forward(op.axis(), op.log(), j));
        table.put(
                Softmax.Backward.class,
                (op, j) -> backward(op.forward().axis(), op.forward().log(), j));
    }

    /** An exponential takes about as long as that many additions. */
    private static final int EXP = 8;

    /** How many lines go together. */
    private static final int LINES = 32;

    static Kernel forward(int axis, boolean log, OpTable.Job job) {
        Lines lines = Lines.of(job.in().get(0).shape(), axis);
        Machine machine = job.machine().forWork((long) EXP * lines.count() * lines.length());
        return new HeapKernel(log ? "java log softmax" : "java softmax", job.in(), job.out(), (in, out, scratch) -> {
                    float[][] max = machine.perLane(new float[0][], () -> new float[LINES]);
                    double[][] sum = machine.perLane(new double[0][], () -> new double[LINES]);
                    Loops[] loops = machine.perLane(new Loops[0], machine.simd()::loops);
                    Tasks tasks = Tasks.of(lines);
                    Workers.Body body = (task, lane) -> {
                        int at = tasks.at(task);
                        if (lines.stride() == 1 && !log) {
                            line(loops[lane], lines.length(), in[0], out[0], at);
                        } else {
                            lines(tasks.lines(task), lines, log, in[0], out[0], at, max[lane], sum[lane]);
                        }
                    };
                    return () -> machine.forEach(tasks.count(), body);
                })
                .withInPlace(0);
    }

    /** With M = max x and S = Σe^(x − M): y = e^(x − M)/S, or y = x − M − log S. */
    private static void lines(
            int count, Lines lines, boolean log, Span xs, Span ys, int at, float[] max, double[] sum) {
        float[] x = xs.floats();
        float[] y = ys.floats();
        Arrays.fill(max, Float.NEGATIVE_INFINITY);
        Arrays.fill(sum, 0);
        for (int k = 0; k < lines.length(); k++) {
            int xAt = xs.offset() + at + k * lines.stride();
            for (int l = 0; l < count; l++) {
                max[l] = x[xAt + l] > max[l] ? x[xAt + l] : max[l];
            }
        }
        for (int k = 0; k < lines.length(); k++) {
            int xAt = xs.offset() + at + k * lines.stride();
            int yAt = ys.offset() + at + k * lines.stride();
            for (int l = 0; l < count; l++) {
                float e = Exponential.ofNegative(x[xAt + l] - max[l]);
                sum[l] += e;
                if (!log) {
                    y[yAt + l] = e;
                }
            }
        }
        for (int l = 0; l < count; l++) {
            sum[l] = log ? Math.log(sum[l]) : 1 / sum[l];
        }
        for (int k = 0; k < lines.length(); k++) {
            int xAt = xs.offset() + at + k * lines.stride();
            int yAt = ys.offset() + at + k * lines.stride();
            for (int l = 0; l < count; l++) {
                y[yAt + l] = (float) (log ? (double) x[xAt + l] - max[l] - sum[l] : y[yAt + l] * sum[l]);
            }
        }
    }

    /** Softmax of one line whose values lie next to each other. */
    private static void line(Loops loops, int n, Span x, Span y, int at) {
        int xAt = x.offset() + at;
        int yAt = y.offset() + at;
        float max = loops.largest(n, x.floats(), xAt);
        double sum = loops.exponentials(n, x.floats(), xAt, max, y.floats(), yAt);
        loops.scale(Runs.of(n), (float) (1 / sum), y.floats(), yAt, 0, 0, y.floats(), yAt);
    }

    static Kernel backward(int axis, boolean log, OpTable.Job job) {
        Lines lines = Lines.of(job.in().get(0).shape(), axis);
        Machine machine = job.machine().forWork((log ? (long) EXP : 1) * lines.count() * lines.length());
        String name = log ? "java log softmax backward" : "java softmax backward";
        return new HeapKernel(name, job.in(), job.out(), (in, out, scratch) -> {
                    double[][] sum = machine.perLane(new double[0][], () -> new double[LINES]);
                    Tasks tasks = Tasks.of(lines);
                    Workers.Body body = (task, lane) ->
                            lines(tasks.lines(task), lines, log, in[0], in[1], out[0], tasks.at(task), sum[lane]);
                    return () -> machine.forEach(tasks.count(), body);
                })
                .withInPlace(1);
    }

    /** With s = Σ dy·y: dx = y·(dy − s); or with s = Σ dy: dx = dy − eʸ·s. */
    private static void lines(int count, Lines lines, boolean log, Span ys, Span dys, Span dxs, int at, double[] sum) {
        float[] y = ys.floats();
        float[] dy = dys.floats();
        float[] dx = dxs.floats();
        Arrays.fill(sum, 0);
        for (int k = 0; k < lines.length(); k++) {
            int yAt = ys.offset() + at + k * lines.stride();
            int dyAt = dys.offset() + at + k * lines.stride();
            for (int l = 0; l < count; l++) {
                sum[l] += log ? dy[dyAt + l] : (double) dy[dyAt + l] * y[yAt + l];
            }
        }
        for (int k = 0; k < lines.length(); k++) {
            int yAt = ys.offset() + at + k * lines.stride();
            int dyAt = dys.offset() + at + k * lines.stride();
            int dxAt = dxs.offset() + at + k * lines.stride();
            for (int l = 0; l < count; l++) {
                float d = dy[dyAt + l];
                float s = (float) sum[l];
                dx[dxAt + l] = log ? d - Exponential.ofNegative(y[yAt + l]) * s : y[yAt + l] * (d - s);
            }
        }
    }

    /** Lines that lie side by side, {@link #LINES} of them or fewer. */
    private record Tasks(Lines all, int perStride) {
        static Tasks of(Lines lines) {
            return new Tasks(lines, Blocks.ceilDiv(lines.stride(), LINES));
        }

        int count() {
            return all.count() / all.stride() * perStride;
        }

        private int first(int task) {
            return task % perStride * LINES;
        }

        int lines(int task) {
            return Math.min(LINES, all.stride() - first(task));
        }

        /** Where the first value of the first line lies. */
        int at(int task) {
            return task / perStride * all.length() * all.stride() + first(task);
        }
    }

    private SoftmaxKernels() {}
}
