package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.op.AttentionMask;
import dev.hadal.tensor.Shape;
import java.util.Arrays;

/** The mask of attention: what it is, and fast. */
final class AttentionKernels {

    static void define(OpTable<OpTable.Types, Formula> table) {
        table.put(AttentionMask.class, (op, t) -> formula(op, t.x(0), AttentionMask.NEVER));
        table.put(AttentionMask.Backward.class, (op, t) -> formula(op.forward(), t.x(0), 0));
    }

    static void add(OpTable<OpTable.Job, Kernel> table) {
        table.put(AttentionMask.class, (op, j) -> kernel("mask", op, j, AttentionMask.NEVER));
        table.put(AttentionMask.Backward.class, (op, j) -> kernel("mask backward", op.forward(), j, 0));
    }

    private static Formula formula(AttentionMask op, Shape x, float hidden) {
        return (in, out) -> {
            for (int i = 0; i < out[0].length; i++) {
                int query = i / x.get(3) % x.get(2);
                int length = op.padded() ? (int) in[1][i / x.sizeFrom(1)] : x.get(3);
                boolean seen = i % x.get(3) < op.seen(query, x.get(2), x.get(3), length);
                out[0][i] = seen ? op.scale() * in[0][i] : hidden;
            }
        };
    }

    private static Kernel kernel(String name, AttentionMask op, OpTable.Job job, float hidden) {
        Shape shape = job.in().get(0).shape();
        int queries = shape.get(2);
        int keys = shape.get(3);
        int matrix = queries * keys;
        Machine machine = job.machine().forWork(shape.size());
        return new HeapKernel("java attention " + name, job.in(), job.out(), (in, out, scratch) -> {
                    Span x = in[0];
                    Span y = out[0];
                    Workers.Body body = (task, lane) -> {
                        int length = op.padded() ? in[1].ints()[in[1].offset() + task / shape.get(1)] : keys;
                        for (int q = 0; q < queries; q++) {
                            int seen = op.seen(q, queries, keys, length);
                            int xAt = x.offset() + task * matrix + q * keys;
                            int yAt = y.offset() + task * matrix + q * keys;
                            scale(seen, op.scale(), x.floats(), xAt, y.floats(), yAt);
                            Arrays.fill(y.floats(), yAt + seen, yAt + keys, hidden);
                        }
                    };
                    return () -> machine.forEach(shape.get(0) * shape.get(1), body);
                })
                .withInPlace(0);
    }

    private static void scale(int n, float scale, float[] x, int xAt, float[] y, int yAt) {
        for (int i = 0; i < n; i++) {
            y[yAt + i] = scale * x[xAt + i];
        }
    }

    private AttentionKernels() {}
}
