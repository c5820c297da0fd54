package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.graph.Type;
import dev.hadal.op.Resize;
import dev.hadal.tensor.Shape;
import java.util.Arrays;
import java.util.List;

/** Images of another size, plane after plane; a task owns some planes. */
final class ResizeKernels {

    static void add(OpTable<OpTable.Job, Kernel> table) {
        table.put(Resize.class, (op, j) -> forward(op, j.in(), j.out(), j.machine()));
        table.put(Resize.Backward.class, (op, j) -> backward(op, j.in(), j.out(), j.machine()));
    }

    /** Taps along one axis, apart. */
    private static final class Taps {
        final int[] lower;
        final int[] upper;
        final float[] distance;

        Taps(Resize op, int in, int out) {
            Resize.Tap[] taps = op.taps(in, out);
            lower = Arrays.stream(taps).mapToInt(Resize.Tap::lower).toArray();
            upper = Arrays.stream(taps).mapToInt(Resize.Tap::upper).toArray();
            distance = new float[out];
            for (int i = 0; i < out; i++) {
                distance[i] = (float) taps[i].distance();
            }
        }
    }

    static Kernel forward(Resize op, List<Type> in, List<Type> out, Machine machine) {
        Shape x = in.get(0).shape();
        Taps rows = new Taps(op, x.get(2), op.height());
        Taps columns = new Taps(op, x.get(3), op.width());
        int planes = x.get(0) * x.get(1);
        Machine sized = machine.forWork(4L * out.get(0).shape().size());
        boolean nearest = op.mode() == Resize.Mode.NEAREST;
        return new HeapKernel("java " + op.name(), in, out, (xs, ys, scratch) -> {
            Workers.Body body = (plane, lane) -> {
                int from = xs[0].offset() + plane * x.sizeFrom(2);
                int to = ys[0].offset() + plane * op.height() * op.width();
                if (nearest) {
                    nearest(rows, columns, x.get(3), xs[0].floats(), from, ys[0].floats(), to);
                } else {
                    bilinear(rows, columns, x.get(3), xs[0].floats(), from, ys[0].floats(), to);
                }
            };
            return () -> sized.forEach(planes, body);
        });
    }

    private static void nearest(Taps rows, Taps columns, int width, float[] x, int xAt, float[] y, int yAt) {
        int at = yAt;
        for (int row : rows.lower) {
            int from = xAt + row * width;
            for (int column : columns.lower) {
                y[at++] = x[from + column];
            }
        }
    }

    /** A place without a distance to the lower one takes nothing of the upper, not even NaN. */
    private static void bilinear(Taps rows, Taps columns, int width, float[] x, int xAt, float[] y, int yAt) {
        int at = yAt;
        for (int i = 0; i < rows.lower.length; i++) {
            float r = rows.distance[i];
            int lower = xAt + rows.lower[i] * width;
            int upper = xAt + rows.upper[i] * width;
            for (int j = 0; j < columns.lower.length; j++) {
                float a = along(columns, j, x, lower);
                y[at++] = r == 0 ? a : (1 - r) * a + r * along(columns, j, x, upper);
            }
        }
    }

    private static float along(Taps columns, int j, float[] x, int rowAt) {
        float c = columns.distance[j];
        float left = x[rowAt + columns.lower[j]];
        return c == 0 ? left : (1 - c) * left + c * x[rowAt + columns.upper[j]];
    }

    static Kernel backward(Resize.Backward op, List<Type> in, List<Type> out, Machine machine) {
        Shape x = op.x();
        Resize forward = op.forward();
        Taps rows = new Taps(forward, x.get(2), forward.height());
        Taps columns = new Taps(forward, x.get(3), forward.width());
        int planes = x.get(0) * x.get(1);
        Machine sized = machine.forWork(4L * in.get(0).shape().size());
        return new HeapKernel("java " + op.name(), in, out, (dys, dxs, scratch) -> {
            Workers.Body body = (plane, lane) -> shareOut(
                    rows,
                    columns,
                    x,
                    dys[0].floats(),
                    dys[0].offset() + plane * forward.height() * forward.width(),
                    dxs[0].floats(),
                    dxs[0].offset() + plane * x.sizeFrom(2));
            return () -> sized.forEach(planes, body);
        });
    }

    private static void shareOut(Taps rows, Taps columns, Shape x, float[] dy, int dyAt, float[] dx, int dxAt) {
        Arrays.fill(dx, dxAt, dxAt + x.sizeFrom(2), 0f);
        int width = x.get(3);
        int at = dyAt;
        for (int i = 0; i < rows.lower.length; i++) {
            float r = rows.distance[i];
            int lower = dxAt + rows.lower[i] * width;
            int upper = dxAt + rows.upper[i] * width;
            for (int j = 0; j < columns.lower.length; j++) {
                float g = dy[at++];
                float c = columns.distance[j];
                dx[lower + columns.lower[j]] += (1 - r) * (1 - c) * g;
                if (c != 0) {
                    dx[lower + columns.upper[j]] += (1 - r) * c * g;
                }
                if (r != 0) {
                    dx[upper + columns.lower[j]] += r * (1 - c) * g;
                    if (c != 0) {
                        dx[upper + columns.upper[j]] += r * c * g;
                    }
                }
            }
        }
    }

    private ResizeKernels() {}
}
