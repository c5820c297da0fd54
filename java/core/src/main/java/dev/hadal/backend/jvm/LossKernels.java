package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.simd.Exponential;
import dev.hadal.graph.Type;
import dev.hadal.op.CrossEntropy;
import dev.hadal.tensor.Shape;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Losses, row by row. */
final class LossKernels {

    static void add(OpTable<OpTable.Job, Kernel> table) {
        table.put(CrossEntropy.class, (op, j) -> crossEntropy(op, j.in(), j.out(), j.machine()));
        table.put(
                CrossEntropy.Backward.class,
                (op, j) -> crossEntropyBackward(op.forward(), j.in(), j.out(), j.machine()));
    }

    /** An exponential takes about as long as that many additions. */
    private static final int EXP = 8;

    /**
     * The weights and the labels of a batch, in the words of {@link CrossEntropy}.
     *
     * @param classWeights w; null if they all are 1
     * @param totalWeight Σ w
     * @param places the rows of a sample
     */
    @SuppressWarnings("ArrayRecordComponent") // it stays in here
    private record Rows(
            CrossEntropy op, float @Nullable [] classWeights, double totalWeight, int count, int places, int classes) {
        static Rows of(CrossEntropy op, Shape x) {
            int classes = x.get(x.rank() - 1);
            float[] w = new float[classes];
            double total = 0;
            for (int c = 0; c < classes; c++) {
                w[c] = op.classWeights().isEmpty() ? 1 : op.classWeights().get(c);
                total += w[c];
            }
            int rows = x.size() / classes;
            return new Rows(op, op.classWeights().isEmpty() ? null : w, total, rows, rows / x.get(0), classes);
        }

        float classWeight(int c) {
            return classWeights == null ? 1 : classWeights[c];
        }

        float sampleWeight(Span[] in, int row) {
            return op.weighted() ? in[2].get(row / places) : 1;
        }

        boolean counts(int label) {
            return label != op.ignore();
        }

        /** Σ w[y] */
        double divisor(Span labels) {
            double sum = 0;
            for (int row = 0; row < count; row++) {
                int label = labels.ints()[labels.offset() + row];
                sum += counts(label) ? classWeight(label) : 0;
            }
            return sum;
        }
    }

    /** With M = max x and S = Σe^(x − M): p = e^(x − M)/S and −log p = log S − (x − M). */
    static Kernel crossEntropy(CrossEntropy op, List<Type> in, List<Type> out, Machine machine) {
        Rows rows = Rows.of(op, in.get(0).shape());
        Machine sized = machine.forWork((long) EXP * rows.count * rows.classes);
        return new HeapKernel("java cross entropy", in, out, (ins, outs, scratch) -> {
                    Span labels = ins[1];
                    double[] losses = new double[rows.count];
                    Workers.Body body = (row, lane) -> {
                        int label = labels.ints()[labels.offset() + row];
                        double loss = row(rows, label, row * rows.classes, ins[0], outs[1]);
                        losses[row] = rows.counts(label) ? rows.sampleWeight(ins, row) * loss : 0;
                    };
                    return () -> {
                        sized.forEach(rows.count, body);
                        double sum = 0;
                        for (double rowLoss : losses) {
                            sum += rowLoss;
                        }
                        outs[0].set(0, (float) (sum / rows.divisor(labels)));
                    };
                })
                .withInPlace(-1, 0);
    }

    /** Writes p, and returns (1 − s)·w[y]·(log S − z[y]) + s/C·Σ w·(log S − z), with z = x − M. */
    private static double row(Rows rows, int label, int at, Span xs, Span ps) {
        float[] x = xs.floats();
        float[] p = ps.floats();
        int xAt = xs.offset() + at;
        int pAt = ps.offset() + at;
        int classes = rows.classes;
        float smoothing = rows.op.smoothing();
        float max = x[xAt];
        for (int c = 1; c < classes; c++) {
            max = Math.max(max, x[xAt + c]);
        }
        double hit = rows.counts(label) ? (double) x[xAt + label] - max : 0;
        double all = 0;
        for (int c = 0; c < classes && smoothing > 0; c++) {
            all += rows.classWeight(c) * ((double) x[xAt + c] - max);
        }
        double sum = 0;
        for (int c = 0; c < classes; c++) {
            float e = Exponential.ofNegative(x[xAt + c] - max);
            sum += e;
            p[pAt + c] = e;
        }
        float scale = (float) (1 / sum);
        for (int c = 0; c < classes; c++) {
            p[pAt + c] *= scale;
        }
        double smoothed = smoothing > 0 ? smoothing / classes * (rows.totalWeight * Math.log(sum) - all) : 0;
        double w = rows.counts(label) ? rows.classWeight(label) : 0;
        return (1 - smoothing) * w * (Math.log(sum) - hit) + smoothed;
    }

    /** dx = v·(p·Σ q·w − q·w)·dloss / Σ w[y] */
    static Kernel crossEntropyBackward(CrossEntropy op, List<Type> in, List<Type> out, Machine machine) {
        Rows rows = Rows.of(op, in.get(0).shape());
        int classes = rows.classes;
        float q = op.smoothing() / classes;
        float hit = 1 - op.smoothing() + q;
        Machine sized = machine.forWork((long) rows.count * classes);
        return new HeapKernel("java cross entropy backward", in, out, (ins, outs, scratch) -> {
                    Span p = ins[0];
                    Span labels = ins[1];
                    Span dloss = ins[ins.length - 1];
                    Span dx = outs[0];
                    double[] divisor = new double[1];
                    Workers.Body body = (row, lane) -> {
                        int label = labels.ints()[labels.offset() + row];
                        if (!rows.counts(label)) {
                            int at = dx.offset() + row * classes;
                            Arrays.fill(dx.floats(), at, at + classes, 0f);
                            return;
                        }
                        float scale = (float) (rows.sampleWeight(ins, row) * dloss.get(0) / divisor[0]);
                        float sum = (float) ((1 - op.smoothing()) * rows.classWeight(label) + q * rows.totalWeight);
                        for (int c = 0; c < classes; c++) {
                            int i = row * classes + c;
                            dx.set(i, (p.get(i) * sum - (c == label ? hit : q) * rows.classWeight(c)) * scale);
                        }
                    };
                    return () -> {
                        divisor[0] = rows.divisor(labels);
                        sized.forEach(rows.count, body);
                    };
                })
                .withInPlace(0);
    }

    private LossKernels() {}
}
