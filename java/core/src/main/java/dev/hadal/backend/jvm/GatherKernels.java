package dev.hadal.backend.jvm;

import static dev.hadal.backend.jvm.Blocks.ceilDiv;

import dev.hadal.backend.Kernel;
import dev.hadal.graph.Type;
import dev.hadal.op.Gather;
import dev.hadal.op.ScatterAdd;
import dev.hadal.tensor.DType;
import java.util.Arrays;
import java.util.List;

/** Rows by their indices. Indices are checked before anything is written. */
final class GatherKernels {
    /** The values of a task. */
    private static final int PER_TASK = 1 << 13;

    static void add(OpTable<OpTable.Job, Kernel> table) {
        table.put(Gather.class, (op, j) -> gather(op.rows(j.x(0), j.x(1)), j.in(), j.out(), j.machine()));
        table.put(Gather.Backward.class, (op, j) -> backward(op.rows(j.x(1)), j.in(), j.out(), j.machine()));
        table.put(ScatterAdd.class, (op, j) -> scatterAdd(op.rows(j.x(0), j.x(1)), j.in(), j.out(), j.machine()));
    }

    private static void check(Gather.Rows rows, Span indices) {
        for (int i = 0; i < rows.count(); i++) {
            int index = indices.ints()[indices.offset() + i];
            if (index < 0 || index >= rows.rows()) {
                throw rows.outside(index, i);
            }
        }
    }

    static Kernel gather(Gather.Rows rows, List<Type> in, List<Type> out, Machine machine) {
        int copies = rows.outer() * rows.count();
        int perTask = Math.max(1, PER_TASK / rows.width());
        Machine sized = machine.forWork(out.get(0).shape().size());
        boolean floats = in.get(0).dtype() == DType.F32;
        return new HeapKernel("java gather", in, out, (x, y, scratch) -> {
            Object from = floats ? x[0].floats() : x[0].ints();
            Object to = floats ? y[0].floats() : y[0].ints();
            Workers.Body body = (task, lane) -> {
                for (int i = task * perTask; i < Math.min(copies, (task + 1) * perTask); i++) {
                    int index = x[1].ints()[x[1].offset() + i % rows.count()];
                    int row = i / rows.count() * rows.rows() + index;
                    System.arraycopy(
                            from,
                            x[0].offset() + row * rows.width(),
                            to,
                            y[0].offset() + i * rows.width(),
                            rows.width());
                }
            };
            return () -> {
                check(rows, x[1]);
                sized.forEach(ceilDiv(copies, perTask), body);
            };
        });
    }

    static Kernel backward(Gather.Rows rows, List<Type> in, List<Type> out, Machine machine) {
        Scatter scatter = new Scatter(rows, machine);
        return new HeapKernel("java gather backward", in, out, (x, y, scratch) -> {
            Workers.Body body = scatter.body(x[1], x[0], y[0]);
            return () -> {
                check(rows, x[1]);
                Arrays.fill(y[0].floats(), y[0].offset(), y[0].offset() + y[0].size(), 0f);
                scatter.run(body);
            };
        });
    }

    static Kernel scatterAdd(Gather.Rows rows, List<Type> in, List<Type> out, Machine machine) {
        Scatter scatter = new Scatter(rows, machine);
        return new HeapKernel("java scatter add", in, out, (x, y, scratch) -> {
                    Workers.Body body = scatter.body(x[1], x[2], y[0]);
                    boolean inPlace = x[0].floats() == y[0].floats() && x[0].offset() == y[0].offset();
                    return () -> {
                        check(rows, x[1]);
                        if (!inPlace) {
                            System.arraycopy(x[0].floats(), x[0].offset(), y[0].floats(), y[0].offset(), y[0].size());
                        }
                        scatter.run(body);
                    };
                })
                .withInPlace(0);
    }

    /** A task owns some columns of y, or some rows, and meets the indices in their order. */
    private static final class Scatter {
        private final Gather.Rows rows;
        private final Machine machine;
        private final boolean byColumns;
        private final int parts;

        Scatter(Gather.Rows rows, Machine machine) {
            this.rows = rows;
            this.machine = machine.forWork((long) rows.outer() * rows.count() * rows.width());
            int lanes = this.machine.lanes();
            byColumns = rows.width() >= 16 * lanes;
            parts = lanes;
        }

        void run(Workers.Body body) {
            machine.forEach(parts, body);
        }

        Workers.Body body(Span indices, Span updates, Span y) {
            int all = byColumns ? rows.width() : rows.rows();
            return (part, lane) -> {
                int first = (int) ((long) all * part / parts);
                int end = (int) ((long) all * (part + 1) / parts);
                int column = byColumns ? first : 0;
                int columns = byColumns ? end - first : rows.width();
                for (int i = 0; i < rows.outer() * rows.count(); i++) {
                    int index = indices.ints()[indices.offset() + i % rows.count()];
                    if (byColumns || (index >= first && index < end)) {
                        int row = i / rows.count() * rows.rows() + index;
                        add(
                                columns,
                                updates.floats(),
                                updates.offset() + i * rows.width() + column,
                                y.floats(),
                                y.offset() + row * rows.width() + column);
                    }
                }
            };
        }

        private static void add(int n, float[] x, int xAt, float[] sum, int sumAt) {
            for (int i = 0; i < n; i++) {
                sum[sumAt + i] += x[xAt + i];
            }
        }
    }

    private GatherKernels() {}
}
