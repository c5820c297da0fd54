package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.HeapKernel.Slice;
import dev.hadal.graph.Type;
import dev.hadal.op.CrossEntropy;
import dev.hadal.tensor.Shape;
import java.util.List;

/** Losses, row by row. */
final class LossKernels {

    static void add(OpTable<OpTable.Job, Kernel> table) {
        table.put(CrossEntropy.class, (op, j) -> crossEntropy(op, j.in(), j.out(), j.machine()));
        table.put(CrossEntropy.Backward.class, (op, j) -> crossEntropyBackward(op, j.in(), j.out(), j.machine()));
    }
    /** An exponential takes about as long as that many additions. */
    private static final int EXP = 16;

    /** With M = max x and S = Σe^(x − M): p = e^(x − M)/S and −Σ q·log p = log S − Σ q·(x − M). */
    static Kernel crossEntropy(CrossEntropy op, List<Type> in, List<Type> out, Machine machine) {
        Shape shape = in.get(0).shape();
        int rows = shape.get(0);
        int classes = shape.get(1);
        Machine sized = machine.forWork((long) EXP * shape.size());
        return new HeapKernel("java cross entropy", in, out, (ins, outs, scratch) -> {
                    Slice x = ins[0];
                    Slice labels = ins[1];
                    Slice loss = outs[0];
                    Slice p = outs[1];
                    double[] losses = new double[rows];
                    Workers.Body body = (row, lane) -> {
                        int label = labels.ints()[labels.offset() + row];
                        int at = x.offset() + row * classes;
                        losses[row] = row(
                                op.smoothing(), classes, label, x.floats(), at, p.floats(), p.offset() + row * classes);
                    };
                    return () -> {
                        sized.forEach(rows, body);
                        double sum = 0;
                        for (double rowLoss : losses) {
                            sum += rowLoss;
                        }
                        loss.set(0, (float) (sum / rows));
                    };
                })
                .withInPlace(-1, 0);
    }

    /** Writes p, and returns the loss. */
    private static double row(float smoothing, int classes, int label, float[] x, int xAt, float[] p, int pAt) {
        float max = x[xAt];
        for (int c = 1; c < classes; c++) {
            max = Math.max(max, x[xAt + c]);
        }
        double target = (double) x[xAt + label] - max;
        double all = 0;
        double sum = 0;
        for (int c = 0; c < classes; c++) {
            double logit = (double) x[xAt + c] - max;
            double e = Math.exp(logit);
            all += logit;
            sum += e;
            p[pAt + c] = (float) e;
        }
        float scale = (float) (1 / sum);
        for (int c = 0; c < classes; c++) {
            p[pAt + c] *= scale;
        }
        return Math.log(sum) - (1 - smoothing) * target - smoothing / classes * all;
    }

    /** dx = (p − q)·dloss/N */
    static Kernel crossEntropyBackward(CrossEntropy.Backward op, List<Type> in, List<Type> out, Machine machine) {
        Shape shape = in.get(0).shape();
        int rows = shape.get(0);
        int classes = shape.get(1);
        float q = op.smoothing() / classes;
        float hit = 1 - op.smoothing() + q;
        Machine sized = machine.forWork(shape.size());
        return new HeapKernel("java cross entropy backward", in, out, (ins, outs, scratch) -> {
                    Slice p = ins[0];
                    Slice labels = ins[1];
                    Slice dloss = ins[2];
                    Slice dx = outs[0];
                    Workers.Body body = (row, lane) -> {
                        float scale = dloss.get(0) / rows;
                        int label = labels.ints()[labels.offset() + row];
                        for (int c = 0; c < classes; c++) {
                            int i = row * classes + c;
                            dx.set(i, (p.get(i) - (c == label ? hit : q)) * scale);
                        }
                    };
                    return () -> sized.forEach(rows, body);
                })
                .withInPlace(0);
    }

    private LossKernels() {}
}
