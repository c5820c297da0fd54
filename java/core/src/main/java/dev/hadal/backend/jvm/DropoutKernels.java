package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.op.Dropout;
import dev.hadal.tensor.Philox;

/** Dropout, plain and chunk after chunk. */
final class DropoutKernels {

    static void define(OpTable<OpTable.Types, Formula> table) {
        table.put(Dropout.class, (op, t) -> ElementwiseReference.copy());
        table.put(Dropout.Training.class, (op, t) -> drop(op));
    }

    static void add(OpTable<OpTable.Job, Kernel> table) {
        table.put(Dropout.class, (op, j) -> ElementwiseKernels.reshape(j.in(), j.out()));
        table.put(Dropout.Training.class, DropoutKernels::drop);
    }

    private static Formula drop(Dropout.Training op) {
        return (in, out) -> {
            int[] words = new int[4];
            long seed = Integer.toUnsignedLong((int) in[1][0]) | (long) in[1][1] << 32;
            for (int i = 0; i < out[0].length; i++) {
                Philox.block(seed, i / 4, (int) in[1][2], op.stream(), words);
                double uniform = (words[i % 4] >>> 8) * 0x1p-24;
                out[0][i] = in[0][i] * (uniform >= op.rate() ? 1 / (1.0 - op.rate()) : 0);
            }
        };
    }

    private static Kernel drop(Dropout.Training op, OpTable.Job job) {
        Chunks chunks = new Chunks(job.out().get(0).shape().size());
        Machine machine = job.machine().forWork(8L * job.out().get(0).shape().size());
        int threshold = op.threshold();
        float scale = op.scale();
        long stream = op.stream();
        HeapKernel kernel = new HeapKernel("java dropout", job.in(), job.out(), (in, out, scratch) -> {
            Span x = in[0];
            Span y = out[0];
            Span random = in[1];
            PhiloxRows[] rows = machine.perLane(new PhiloxRows[0], PhiloxRows::new);
            Workers.Body body = (task, lane) -> {
                int[] r = random.ints();
                int at = random.offset();
                long seed = Integer.toUnsignedLong(r[at]) | (long) r[at + 1] << 32;
                int start = chunks.start(task);
                int n = chunks.length(task);
                for (int i = start; i < start + n; i += 4 * PhiloxRows.BLOCKS) {
                    rows[lane].blocks(seed, i / 4, r[at + 2], stream);
                    int count = Math.min(4 * PhiloxRows.BLOCKS, start + n - i);
                    drop(
                            rows[lane].words,
                            threshold,
                            scale,
                            count,
                            x.floats(),
                            x.offset() + i,
                            y.floats(),
                            y.offset() + i);
                }
            };
            return () -> machine.forEach(chunks.count(), body);
        });
        return kernel.withInPlace(0);
    }

    private static void drop(int[][] words, int threshold, float scale, int n, float[] x, int xAt, float[] y, int yAt) {
        int whole = n & -4;
        drop(words[0], words[1], words[2], words[3], threshold, scale, whole, x, xAt, y, yAt);
        for (int i = whole; i < n; i++) {
            y[yAt + i] = x[xAt + i] * factor(words[i % 4][i / 4], threshold, scale);
        }
    }

    private static void drop(
            int[] w0,
            int[] w1,
            int[] w2,
            int[] w3,
            int threshold,
            float scale,
            int n,
            float[] x,
            int xAt,
            float[] y,
            int yAt) {
        for (int i = 0; i < n; i += 4) {
            int block = i >> 2;
            y[yAt + i] = x[xAt + i] * factor(w0[block], threshold, scale);
            y[yAt + i + 1] = x[xAt + i + 1] * factor(w1[block], threshold, scale);
            y[yAt + i + 2] = x[xAt + i + 2] * factor(w2[block], threshold, scale);
            y[yAt + i + 3] = x[xAt + i + 3] * factor(w3[block], threshold, scale);
        }
    }

    /** The scale or 0, without a branch that would be mispredicted as often as a value is dropped. */
    private static float factor(int word, int threshold, float scale) {
        int kept = ~(((word >>> 8) - threshold) >> 31);
        return Float.intBitsToFloat(Float.floatToRawIntBits(scale) & kept);
    }

    private DropoutKernels() {}
}
