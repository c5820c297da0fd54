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
            int[][] words = machine.perLane(new int[0][], () -> new int[4]);
            Workers.Body body = (task, lane) -> {
                int[] r = random.ints();
                int at = random.offset();
                long seed = Integer.toUnsignedLong(r[at]) | (long) r[at + 1] << 32;
                int start = chunks.start(task);
                drop(
                        seed,
                        start,
                        r[at + 2],
                        stream,
                        words[lane],
                        threshold,
                        scale,
                        chunks.length(task),
                        x.floats(),
                        x.offset() + start,
                        y.floats(),
                        y.offset() + start);
            };
            return () -> machine.forEach(chunks.count(), body);
        });
        return kernel.withInPlace(0);
    }

    /** @param start a multiple of four */
    private static void drop(
            long seed,
            int start,
            int run,
            long stream,
            int[] words,
            int threshold,
            float scale,
            int n,
            float[] x,
            int xAt,
            float[] y,
            int yAt) {
        int i = 0;
        for (; i + 4 <= n; i += 4) {
            Philox.block(seed, (start + i) >>> 2, run, stream, words);
            y[yAt + i] = x[xAt + i] * (words[0] >>> 8 >= threshold ? scale : 0f);
            y[yAt + i + 1] = x[xAt + i + 1] * (words[1] >>> 8 >= threshold ? scale : 0f);
            y[yAt + i + 2] = x[xAt + i + 2] * (words[2] >>> 8 >= threshold ? scale : 0f);
            y[yAt + i + 3] = x[xAt + i + 3] * (words[3] >>> 8 >= threshold ? scale : 0f);
        }
        if (i < n) {
            Philox.block(seed, (start + i) >>> 2, run, stream, words);
            for (int k = 0; i + k < n; k++) {
                y[yAt + i + k] = x[xAt + i + k] * (words[k] >>> 8 >= threshold ? scale : 0f);
            }
        }
    }

    private DropoutKernels() {}
}
