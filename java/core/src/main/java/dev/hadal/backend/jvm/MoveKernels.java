package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.graph.Type;
import dev.hadal.op.Cast;
import dev.hadal.op.Concat;
import dev.hadal.op.Expand;
import dev.hadal.op.Move;
import dev.hadal.op.Pad;
import dev.hadal.op.Slice;
import dev.hadal.op.Split;
import dev.hadal.op.Transpose;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.Arrays;
import java.util.List;

/** What only moves values. */
final class MoveKernels {

    static void add(OpTable<OpTable.Job, Kernel> table) {
        table.put(Transpose.class, (op, j) -> transpose(op, j.in(), j.out(), j.machine()));
        table.put(Slice.class, MoveKernels::moves);
        table.put(Slice.Backward.class, MoveKernels::moves);
        table.put(Concat.class, MoveKernels::moves);
        table.put(Split.class, MoveKernels::moves);
        table.put(Split.Backward.class, MoveKernels::moves);
        table.put(Pad.class, MoveKernels::moves);
        table.put(Pad.Backward.class, MoveKernels::moves);
        table.put(Cast.class, (op, j) -> cast(j.in(), j.out(), j.machine()));
        table.put(Expand.class, (op, j) -> expand(j.in(), j.out(), j.machine()));
        table.put(Expand.Backward.class, (op, j) -> BroadcastSum.prepare(op, j.in(), j.out(), j.machine()));
    }

    /** From element to element along each axis. */
    static int[] strides(Shape shape) {
        int[] strides = new int[shape.rank()];
        for (int axis = 0; axis < strides.length; axis++) {
            strides[axis] = shape.sizeFrom(axis + 1);
        }
        return strides;
    }

    private static int[] lengths(Shape shape) {
        return shape.dims().stream().mapToInt(Integer::intValue).toArray();
    }

    static Kernel expand(List<Type> in, List<Type> out, Machine machine) {
        Shape x = in.get(0).shape();
        Shape y = out.get(0).shape();
        int[] from = new int[y.rank()];
        for (int axis = 0; axis < x.rank(); axis++) {
            from[y.rank() - x.rank() + axis] = x.get(axis) == 1 ? 0 : x.sizeFrom(axis + 1);
        }
        return copy("expand", new StridedCopy(lengths(y), 0, from, 0, strides(y)), in, out, machine);
    }

    static Kernel transpose(Transpose op, List<Type> in, List<Type> out, Machine machine) {
        int[] given = strides(in.get(0).shape());
        int[] from = op.permutation().stream().mapToInt(axis -> given[axis]).toArray();
        Shape y = out.get(0).shape();
        return copy("transpose", new StridedCopy(lengths(y), 0, from, 0, strides(y)), in, out, machine);
    }

    /** The filling where there are gaps, then all boxes at once. */
    private static Kernel moves(Move.Only op, OpTable.Job j) {
        return moves(op, op.filling(), j);
    }

    static Kernel moves(Move.Only op, float filling, OpTable.Job j) {
        List<Move> moves = op.moves(j.in(), j.out());
        StridedCopy[] copies = moves.stream().map(m -> copy(m, j.in(), j.out())).toArray(StridedCopy[]::new);
        int[] firstTasks = new int[copies.length + 1];
        for (int i = 0; i < copies.length; i++) {
            firstTasks[i + 1] = firstTasks[i] + copies[i].tasks();
        }
        int values = j.out().stream().mapToInt(y -> y.shape().size()).sum();
        boolean gaps = moves.stream().mapToInt(Move::size).sum() < values;
        Chunks chunks = new Chunks(values);
        Machine sized = j.machine().forWork(values);
        return new HeapKernel("java " + op.name(), j.in(), j.out(), (x, y, scratch) -> {
            Workers.Body fill = (task, lane) -> fill(y[0], chunks.start(task), chunks.length(task), filling);
            Workers.Body copy = (task, lane) -> {
                int i = moveOf(task, firstTasks);
                Span from = x[moves.get(i).operand()];
                Span to = y[moves.get(i).result()];
                copies[i].run(task - firstTasks[i], from.array(), from.offset(), to.array(), to.offset());
            };
            return () -> {
                if (gaps) {
                    sized.forEach(chunks.count(), fill);
                }
                sized.forEach(firstTasks[copies.length], copy);
            };
        });
    }

    private static int moveOf(int task, int[] firstTasks) {
        int i = Arrays.binarySearch(firstTasks, task);
        return i >= 0 ? i : -i - 2;
    }

    private static StridedCopy copy(Move move, List<Type> in, List<Type> out) {
        int[] x = strides(in.get(move.operand()).shape());
        int[] y = strides(out.get(move.result()).shape());
        int rank = x.length;
        int[] lengths = new int[rank];
        int[] from = new int[rank];
        int[] to = new int[rank];
        int fromAt = 0;
        int toAt = 0;
        for (int axis = 0; axis < rank; axis++) {
            lengths[axis] = move.lengths().get(axis);
            from[axis] = move.from().steps().get(axis) * x[axis];
            to[axis] = move.to().steps().get(axis) * y[axis];
            fromAt += move.from().starts().get(axis) * x[axis];
            toAt += move.to().starts().get(axis) * y[axis];
        }
        return new StridedCopy(lengths, fromAt, from, toAt, to);
    }

    private static void fill(Span y, int at, int count, float value) {
        int from = y.offset() + at;
        if (y.type().dtype() == DType.F32) {
            Arrays.fill(y.floats(), from, from + count, value);
        } else if (y.type().dtype().isByte()) {
            Arrays.fill(y.bytes(), from, from + count, (byte) (int) value);
        } else {
            Arrays.fill(y.ints(), from, from + count, (int) value);
        }
    }

    static Kernel cast(List<Type> in, List<Type> out, Machine machine) {
        int size = out.get(0).shape().size();
        Chunks chunks = new Chunks(size);
        Machine sized = machine.forWork(size);
        DType from = in.get(0).dtype();
        DType to = out.get(0).dtype();
        return new HeapKernel("java cast", in, out, (x, y, scratch) -> {
            Workers.Body body = (task, lane) -> {
                int xAt = x[0].offset() + chunks.start(task);
                int yAt = y[0].offset() + chunks.start(task);
                int n = chunks.length(task);
                if (from == to) {
                    System.arraycopy(x[0].array(), xAt, y[0].array(), yAt, n);
                } else if (to == DType.I32) {
                    truncate(n, x[0].floats(), xAt, y[0].ints(), yAt);
                } else {
                    widen(n, x[0].ints(), xAt, y[0].floats(), yAt);
                }
            };
            return () -> sized.forEach(chunks.count(), body);
        });
    }

    private static void truncate(int n, float[] x, int xAt, int[] y, int yAt) {
        for (int i = 0; i < n; i++) {
            y[yAt + i] = (int) x[xAt + i];
        }
    }

    private static void widen(int n, int[] x, int xAt, float[] y, int yAt) {
        for (int i = 0; i < n; i++) {
            y[yAt + i] = x[xAt + i];
        }
    }

    private static Kernel copy(String name, StridedCopy copy, List<Type> in, List<Type> out, Machine machine) {
        Machine sized = machine.forWork(out.get(0).shape().size());
        return new HeapKernel("java " + name, in, out, (x, y, scratch) -> {
            Object from = x[0].array();
            Object to = y[0].array();
            Workers.Body body = (task, lane) -> copy.run(task, from, x[0].offset(), to, y[0].offset());
            return () -> sized.forEach(copy.tasks(), body);
        });
    }

    private MoveKernels() {}
}
