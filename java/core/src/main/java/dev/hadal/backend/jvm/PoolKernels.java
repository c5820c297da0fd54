package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.HeapKernel.Slice;
import dev.hadal.graph.Type;
import dev.hadal.op.GlobalAveragePool;
import dev.hadal.tensor.Shape;
import java.util.Arrays;
import java.util.List;

/** Pooling, plane by plane. */
final class PoolKernels {

    static void add(OpTable<OpTable.Job, Kernel> table) {
        table.put(GlobalAveragePool.class, (op, j) -> globalAverage(j.in(), j.out(), j.machine()));
        table.put(GlobalAveragePool.Backward.class, (op, j) -> globalAverageBackward(j.in(), j.out(), j.machine()));
    }

    static Kernel globalAverage(List<Type> in, List<Type> out, Machine machine) {
        Shape shape = in.get(0).shape();
        int plane = shape.sizeFrom(2);
        Machine sized = machine.forWork(shape.size());
        return new HeapKernel("java global average", in, out, (ins, outs, scratch) -> {
            Slice x = ins[0];
            Slice y = outs[0];
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
            Slice dy = ins[0];
            Slice dx = outs[0];
            Workers.Body image = (task, lane) -> {
                for (int i = task * shape.get(1); i < (task + 1) * shape.get(1); i++) {
                    int at = dx.offset() + i * plane;
                    Arrays.fill(dx.floats(), at, at + plane, dy.get(i) / plane);
                }
            };
            return () -> sized.forEach(shape.get(0), image);
        });
    }

    private PoolKernels() {}
}
