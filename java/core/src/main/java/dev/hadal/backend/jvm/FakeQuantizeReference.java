package dev.hadal.backend.jvm;

import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.graph.Type;
import dev.hadal.op.FakeQuantize;
import dev.hadal.op.LearnedStep;
import dev.hadal.op.Quantization;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Values on the grid of a quantization, and what rounding passes on of a gradient. */
final class FakeQuantizeReference {

    static void define(OpTable<OpTable.Types, Formula> table) {
        table.put(FakeQuantize.class, (op, t) -> (in, out) -> {
            for (int i = 0; i < out[0].length; i++) {
                int index = op.grid().index(t.x(0), i);
                out[0][i] = onGrid(op.grid(), in[0][i], index);
            }
        });
        table.put(FakeQuantize.Backward.class, (op, t) -> (in, out) -> {
            for (int i = 0; i < out[0].length; i++) {
                out[0][i] = isCutOff(op.grid(), in[0][i], op.grid().index(t.x(0), i)) ? 0 : in[1][i];
            }
        });
        table.put(FakeQuantize.Dynamic.class, (op, t) -> (in, out) -> {
            Quantization grid = Quantization.s8(scales(in[0], t.x(0), op.axis()), op.axis());
            for (int i = 0; i < out[0].length; i++) {
                out[0][i] = onGrid(grid, in[0][i], grid.index(t.x(0), i));
            }
        });
        table.put(LearnedStep.class, (op, t) -> (in, out) -> {
            Quantization grid = op.grid(scales(in[1]));
            for (int i = 0; i < out[0].length; i++) {
                out[0][i] = onGrid(grid, in[0][i], grid.index(t.x(0), i));
            }
        });
        table.put(
                LearnedStep.Backward.class,
                (op, t) -> (in, out) -> learned(op.forward(), t.in().get(0), t.x(1), in, out));
    }

    /** A number that is none stays one, so that whoever looks for it finds it. */
    private static double onGrid(Quantization grid, double x, int index) {
        return Double.isNaN(x) ? x : grid.real(grid.integer(x, index), index);
    }

    private static boolean isCutOff(Quantization grid, double x, int index) {
        double q = Math.rint(x / grid.scale(index)) + grid.zeroPoint();
        return q < grid.least() || q > grid.greatest();
    }

    /** max |w|/127 for each index along an axis. */
    static List<Float> scales(double[] w, Shape shape, int axis) {
        float[] largest = new float[shape.get(axis)];
        int stride = shape.sizeFrom(axis + 1);
        for (int i = 0; i < w.length; i++) {
            int c = i / stride % largest.length;
            largest[c] = (float) Math.max(largest[c], Math.abs(w[i]));
        }
        List<Float> scales = new ArrayList<>();
        for (float l : largest) {
            scales.add(FakeQuantize.scaleThatHolds(l));
        }
        return scales;
    }

    private static List<Float> scales(double[] steps) {
        return Arrays.stream(steps).mapToObj(s -> (float) s).toList();
    }

    private static void learned(LearnedStep op, Type x, Shape step, double[][] in, double[][] out) {
        Quantization grid = op.grid(scales(in[1]));
        double[] ds = new double[out[1].length];
        for (int i = 0; i < in[0].length; i++) {
            int index = grid.index(x.shape(), i);
            boolean cutOff = isCutOff(grid, in[0][i], index);
            double q = (double) grid.integer(in[0][i], index) - grid.zeroPoint();
            out[0][i] = cutOff ? 0 : in[2][i];
            ds[index] += in[2][i] * (cutOff ? q : q - in[0][i] / grid.scale(index));
        }
        for (int c = 0; c < ds.length; c++) {
            out[1][c] = op.share(x.shape(), step) * ds[c];
        }
    }

    private FakeQuantizeReference() {}
}
