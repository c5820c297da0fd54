package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.HeapKernel.Slice;
import dev.hadal.graph.Type;
import dev.hadal.op.Expand;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.List;

/** What only moves values. */
final class MoveKernels {

    static void add(OpTable<OpTable.Job, Kernel> table) {
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

    private static Kernel copy(String name, StridedCopy copy, List<Type> in, List<Type> out, Machine machine) {
        Machine sized = machine.forWork(out.get(0).shape().size());
        return new HeapKernel("java " + name, in, out, (x, y, scratch) -> {
            Object from = array(x[0]);
            Object to = array(y[0]);
            Workers.Body body = (task, lane) -> copy.run(task, from, x[0].offset(), to, y[0].offset());
            return () -> sized.forEach(copy.tasks(), body);
        });
    }

    private static Object array(Slice slice) {
        return slice.type().dtype() == DType.F32 ? slice.floats() : slice.ints();
    }

    private MoveKernels() {}
}
