package dev.hadal.onednn;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_FROM;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_TO;
import static org.bytedeco.dnnl.global.dnnl.dnnl_reorder_primitive_desc_create;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Operand;
import dev.hadal.graph.Type;
import dev.hadal.onednn.HadalKernels.FunctionKernel;
import dev.hadal.onednn.natives.HadalNative;
import dev.hadal.op.Expand;
import dev.hadal.op.Gather;
import dev.hadal.op.Move;
import dev.hadal.op.ScatterAdd;
import dev.hadal.op.Transpose;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Pointer;
import org.jspecify.annotations.Nullable;

/** Values from one place to another. */
final class MoveKernels {

    /** A reorder, for which the result is the operand with other strides. */
    static Kernel transpose(Transpose op, Request r) {
        long[] dims = Descriptors.dims(r.result(0).shape());
        long[] given = Descriptors.rowMajor(Descriptors.dims(r.shape(0)));
        long[] strides = op.permutation().isEmpty()
                ? given
                : op.permutation().stream().mapToLong(axis -> given[axis]).toArray();
        DType dtype = r.type(0).dtype();
        dnnl_memory_desc x = r.descriptors().strided(dtype, dims, strides);
        dnnl_memory_desc y = r.descriptors().strided(dtype, dims, Descriptors.rowMajor(dims));
        PrimitiveDescriptor reorder = r.descriptors()
                .primitive((desc, engine, attributes) ->
                        dnnl_reorder_primitive_desc_create(desc, x, engine, y, engine, attributes));
        return new PrimitiveKernel.Builder(op, reorder)
                .in(DNNL_ARG_FROM, Layout.plain(r.type(0)))
                .out(DNNL_ARG_TO, Layout.plain(r.result(0)))
                .build();
    }

    static Kernel expand(Expand op, Request r) {
        Shape x = r.shape(0);
        Shape y = r.result(0).shape();
        long[] from = new long[y.rank()];
        for (int axis = 0; axis < x.rank(); axis++) {
            from[y.rank() - x.rank() + axis] = x.get(axis) == 1 ? 0 : x.sizeFrom(axis + 1);
        }
        long[] lengths = y.dims().stream().mapToLong(Integer::longValue).toArray();
        return new FunctionKernel(op, plain(types(r)), plain(r.results()), List.of(), b -> {
            Box box = new Box(lengths, 0, from, 0, Descriptors.rowMajor(lengths));
            return box.copy(b.input(0), b.output(0));
        });
    }

    /** Sums of columns, where x was repeated along leading axes alone; null where within. */
    static @Nullable Kernel expandBackward(Expand.Backward op, Request r) {
        Shape x = r.result(0).shape();
        Shape dy = r.shape(0);
        int ones = 0;
        while (ones < x.rank() && x.get(ones) == 1) {
            ones++;
        }
        int kept = x.rank() - ones;
        if (!x.dims().subList(ones, x.rank()).equals(dy.dims().subList(dy.rank() - kept, dy.rank()))) {
            return null;
        }
        long columns = x.size();
        long rows = dy.size() / columns;
        return new FunctionKernel(op, plain(types(r)), plain(r.results()), List.of(), b -> {
            FloatPointer from = new FloatPointer(b.input(0));
            FloatPointer to = new FloatPointer(b.output(0));
            return () -> HadalNative.columnSums(from, rows, columns, to);
        });
    }

    /** Images that lie with their channels innermost stay so. */
    static Kernel moves(Move.Only op, Request r) {
        List<Type> in = types(r);
        boolean channelsLast = r.channelsLast();
        List<Layout> inputs = layouts(in, channelsLast);
        List<Layout> outputs = layouts(r.results(), channelsLast);
        List<Move> moves = op.moves(in, r.results());
        boolean gaps = moves.stream().mapToInt(Move::size).sum()
                < r.results().stream().mapToInt(y -> y.shape().size()).sum();
        int filling = r.result(0).dtype() == DType.F32 ? Float.floatToRawIntBits(op.filling()) : (int) op.filling();
        int size = r.result(0).shape().size();
        return new FunctionKernel(op, inputs, outputs, List.of(), b -> {
            List<Runnable> copies = new ArrayList<>();
            if (gaps) {
                BytePointer y = b.output(0);
                copies.add(() -> HadalNative.fill(y, size, filling));
            }
            for (Move move : moves) {
                if (move.size() > 0) {
                    Box box = box(move, in, r.results(), channelsLast);
                    copies.add(box.copy(b.input(move.operand()), b.output(move.result())));
                }
            }
            Runnable[] all = copies.toArray(Runnable[]::new);
            return () -> {
                for (Runnable copy : all) {
                    copy.run();
                }
            };
        });
    }

    private static List<Layout> layouts(List<Type> types, boolean channelsLast) {
        return channelsLast ? types.stream().map(OneDnnLayout::channelsLast).toList() : plain(types);
    }

    private static Box box(Move move, List<Type> in, List<Type> out, boolean channelsLast) {
        long[] x = strides(in.get(move.operand()).shape(), channelsLast);
        long[] y = strides(out.get(move.result()).shape(), channelsLast);
        int rank = move.lengths().size();
        long[] lengths = new long[rank];
        long[] from = new long[rank];
        long[] to = new long[rank];
        long fromAt = 0;
        long toAt = 0;
        for (int axis = 0; axis < rank; axis++) {
            lengths[axis] = move.lengths().get(axis);
            from[axis] = move.from().steps().get(axis) * x[axis];
            to[axis] = move.to().steps().get(axis) * y[axis];
            fromAt += move.from().starts().get(axis) * x[axis];
            toAt += move.to().starts().get(axis) * y[axis];
        }
        return new Box(lengths, fromAt, from, toAt, to);
    }

    private static long[] strides(Shape shape, boolean channelsLast) {
        long[] dims = shape.dims().stream().mapToLong(Integer::longValue).toArray();
        return channelsLast ? Descriptors.channelsLast(dims) : Descriptors.rowMajor(dims);
    }

    /** What libhadal copies in one call; places count values. */
    @SuppressWarnings("ArrayRecordComponent") // nobody compares them
    private record Box(long[] lengths, long fromAt, long[] fromStrides, long toAt, long[] toStrides) {
        Runnable copy(BytePointer x, BytePointer y) {
            BytePointer from = x.getPointer(fromAt * Float.BYTES);
            BytePointer to = y.getPointer(toAt * Float.BYTES);
            return () -> HadalNative.copy(from, to, lengths.length, lengths, fromStrides, toStrides);
        }
    }

    static Kernel gather(Gather op, Request r) {
        Gather.Rows rows = op.rows(r.shape(0), r.shape(1));
        return new FunctionKernel(op, plain(types(r)), plain(r.results()), List.of(), b -> {
            BytePointer x = b.input(0);
            IntPointer indices = new IntPointer(b.input(1));
            BytePointer y = b.output(0);
            return () -> check(
                    rows,
                    indices,
                    HadalNative.gather(x, indices, rows.outer(), rows.rows(), rows.width(), rows.count(), y));
        });
    }

    static Kernel scatterAdd(ScatterAdd op, Request r) {
        Gather.Rows rows = op.rows(r.shape(0), r.shape(1));
        long bytes = r.type(0).bytes();
        return new FunctionKernel(op, plain(types(r)), plain(r.results()), List.of(0), b -> {
            BytePointer x = b.input(0);
            IntPointer indices = new IntPointer(b.input(1));
            FloatPointer updates = new FloatPointer(b.input(2));
            BytePointer y = b.output(0);
            FloatPointer sums = new FloatPointer(y);
            boolean inPlace = x.address() == y.address();
            return () -> {
                if (!inPlace) {
                    Pointer.memcpy(y, x, bytes);
                }
                add(rows, indices, updates, sums);
            };
        });
    }

    static Kernel gatherBackward(Gather.Backward op, Request r) {
        Gather.Rows rows = op.rows(r.shape(1));
        long size = r.result(0).shape().size();
        return new FunctionKernel(op, plain(types(r)), plain(r.results()), List.of(), b -> {
            FloatPointer updates = new FloatPointer(b.input(0));
            IntPointer indices = new IntPointer(b.input(1));
            FloatPointer sums = new FloatPointer(b.output(0));
            return () -> {
                HadalNative.fill(sums, size, 0);
                add(rows, indices, updates, sums);
            };
        });
    }

    private static void add(Gather.Rows rows, IntPointer indices, FloatPointer updates, FloatPointer y) {
        check(
                rows,
                indices,
                HadalNative.scatterAdd(y, indices, updates, rows.outer(), rows.rows(), rows.width(), rows.count()));
    }

    private static void check(Gather.Rows rows, IntPointer indices, long outside) {
        if (outside >= 0) {
            throw rows.outside(indices.get(outside), outside);
        }
    }

    private static List<Type> types(Request r) {
        return r.operands().stream().map(Operand::type).toList();
    }

    private static List<Layout> plain(List<Type> types) {
        return types.stream().map(Layout::plain).toList();
    }

    private MoveKernels() {}
}
