package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.graph.Type;
import dev.hadal.op.FakeQuantize;
import dev.hadal.op.LearnedStep;
import dev.hadal.op.Quantization;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Values on the grid of a quantization, row after row of one scale each. The quotient is taken in double precision, as in
 * the reference, so that no value between two steps goes another way.
 */
final class FakeQuantizeKernels {

    static void add(OpTable<OpTable.Job, Kernel> table) {
        table.put(FakeQuantize.class, (op, j) -> fixed(op.grid(), j.in(), j.out()));
        table.put(FakeQuantize.Backward.class, (op, j) -> fixedBackward(op.grid(), j.in(), j.out()));
        table.put(FakeQuantize.Dynamic.class, (op, j) -> dynamic(op.axis(), j.in(), j.out()));
        table.put(LearnedStep.class, (op, j) -> learned(op, j.in(), j.out()));
        table.put(LearnedStep.Backward.class, (op, j) -> learnedBackward(op.forward(), j.in(), j.out()));
    }

    /** Rows of values that share a scale: {@code index(row)} says which. */
    private record Rows(int count, int length, int indices) {
        static Rows of(Shape x, int axis, int scales) {
            int length = scales == 1 ? x.size() : x.sizeFrom(axis + 1);
            return new Rows(x.size() / length, length, scales);
        }

        int index(int row) {
            return row % indices;
        }
    }

    private static Kernel fixed(Quantization grid, List<Type> in, List<Type> out) {
        Rows rows = Rows.of(in.get(0).shape(), grid.axis(), grid.scales().size());
        return new HeapKernel("java fake quantize", in, out, (x, y, scratch) -> () -> quantize(rows, grid, x[0], y[0]))
                .withInPlace(0);
    }

    private static void quantize(Rows rows, Quantization grid, Span x, Span y) {
        for (int r = 0; r < rows.count; r++) {
            int at = r * rows.length;
            quantize(
                    rows.length,
                    grid,
                    grid.scale(rows.index(r)),
                    x.floats(),
                    x.offset() + at,
                    y.floats(),
                    y.offset() + at);
        }
    }

    private static void quantize(int n, Quantization grid, float scale, float[] x, int xAt, float[] y, int yAt) {
        double zero = grid.zeroPoint();
        double least = grid.least() - zero;
        double greatest = grid.greatest() - zero;
        for (int i = 0; i < n; i++) {
            double q = Math.rint(x[xAt + i] / (double) scale);
            y[yAt + i] = (float) (scale * Math.max(least, Math.min(greatest, q)));
        }
    }

    private static Kernel fixedBackward(Quantization grid, List<Type> in, List<Type> out) {
        Rows rows = Rows.of(in.get(0).shape(), grid.axis(), grid.scales().size());
        return new HeapKernel("java fake quantize backward", in, out, (x, y, scratch) -> () -> {
                    for (int r = 0; r < rows.count; r++) {
                        int at = r * rows.length;
                        pass(rows.length, grid, grid.scale(rows.index(r)), x[0], x[1], y[0], at);
                    }
                })
                .withInPlace(1);
    }

    /** dx = dy where nothing is cut off, else 0. */
    private static void pass(int n, Quantization grid, float scale, Span x, Span dy, Span dx, int at) {
        float[] values = x.floats(), from = dy.floats(), to = dx.floats();
        int xAt = x.offset() + at, dyAt = dy.offset() + at, dxAt = dx.offset() + at;
        double least = grid.least() - (double) grid.zeroPoint();
        double greatest = grid.greatest() - (double) grid.zeroPoint();
        for (int i = 0; i < n; i++) {
            double q = Math.rint(values[xAt + i] / (double) scale);
            to[dxAt + i] = q < least || q > greatest ? 0 : from[dyAt + i];
        }
    }

    private static Kernel dynamic(int axis, List<Type> in, List<Type> out) {
        Shape shape = in.get(0).shape();
        int indices = shape.get(axis), stride = shape.sizeFrom(axis + 1);
        Rows rows = Rows.of(shape, axis, indices);
        return new HeapKernel("java fake quantize dynamic", in, out, (x, y, scratch) -> {
            float[] largest = new float[indices];
            return () -> {
                Arrays.fill(largest, 0);
                for (int i = 0; i < x[0].size(); i++) {
                    int c = i / stride % indices;
                    largest[c] = Math.max(largest[c], Math.abs(x[0].get(i)));
                }
                List<Float> scales = new ArrayList<>(indices);
                for (float l : largest) {
                    scales.add(FakeQuantize.scaleThatHolds(l));
                }
                quantize(rows, Quantization.s8(scales, axis), x[0], y[0]);
            };
        });
    }

    private static Kernel learned(LearnedStep op, List<Type> in, List<Type> out) {
        Rows rows = Rows.of(in.get(0).shape(), op.axis(), in.get(1).shape().size());
        return new HeapKernel(
                "java learned step", in, out, (x, y, scratch) -> () -> quantize(rows, grid(op, x[1]), x[0], y[0]));
    }

    private static Quantization grid(LearnedStep op, Span steps) {
        List<Float> scales = new ArrayList<>(steps.size());
        for (int i = 0; i < steps.size(); i++) {
            scales.add(steps.get(i));
        }
        return op.grid(scales);
    }

    private static Kernel learnedBackward(LearnedStep op, List<Type> in, List<Type> out) {
        Shape shape = in.get(0).shape(), step = in.get(1).shape();
        Rows rows = Rows.of(shape, op.axis(), step.size());
        double share = op.share(shape, step);
        return new HeapKernel("java learned step backward", in, out, (x, y, scratch) -> {
            double[] sums = new double[step.size()];
            return () -> {
                Quantization grid = grid(op, x[1]);
                Arrays.fill(sums, 0);
                for (int r = 0; r < rows.count; r++) {
                    int index = rows.index(r);
                    sums[index] += slope(rows.length, grid, grid.scale(index), x[0], x[2], y[0], r * rows.length);
                }
                for (int c = 0; c < sums.length; c++) {
                    y[1].set(c, (float) (share * sums[c]));
                }
            };
        });
    }

    /** dx as above; returns Σ dy·(q − z − x/s where nothing is cut off, else q − z). */
    private static double slope(int n, Quantization grid, float scale, Span x, Span dy, Span dx, int at) {
        double least = grid.least() - (double) grid.zeroPoint();
        double greatest = grid.greatest() - (double) grid.zeroPoint();
        double sum = 0;
        for (int i = at; i < at + n; i++) {
            double exact = x.get(i) / (double) scale;
            double q = Math.rint(exact);
            boolean cutOff = q < least || q > greatest;
            float g = dy.get(i);
            sum += g * (cutOff ? Math.max(least, Math.min(greatest, q)) : q - exact);
            dx.set(i, cutOff ? 0 : g);
        }
        return sum;
    }

    private FakeQuantizeKernels() {}
}
