package dev.hadal.onednn;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_FROM;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_TO;
import static org.bytedeco.dnnl.global.dnnl.dnnl_reorder_primitive_desc_create;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Operand;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.onednn.HadalKernels.FunctionKernel;
import dev.hadal.onednn.natives.HadalNative;
import dev.hadal.op.Expand;
import dev.hadal.op.Gather;
import dev.hadal.op.Move;
import dev.hadal.op.Quantization;
import dev.hadal.op.ScatterAdd;
import dev.hadal.op.Transpose;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.List;
import java.util.function.LongFunction;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
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
        Box box = new Box(0, 0, 0, 0, lengths, from, Descriptors.rowMajor(lengths));
        return copies(op, plain(types(r)), plain(r.results()), List.of(box), (b, steps) -> {});
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
        return new FunctionKernel(op, plain(types(r)), plain(r.results()), List.of(), (b, steps) -> {
            FloatPointer from = new FloatPointer(b.input(0));
            FloatPointer to = new FloatPointer(b.output(0));
            HadalNative.columnSums(steps.list(), from, rows, columns, to);
        });
    }

    /** Images that lie with their channels innermost stay so. */
    static Kernel moves(Move.Only op, Request r) {
        int filling = r.result(0).dtype() == DType.F32 ? Float.floatToRawIntBits(op.filling()) : (int) op.filling();
        return moves(op, filling, r);
    }

    /** The same of values that all have this quantization. */
    static Kernel moves(Move.Only op, Quantization q, Request r) {
        return moves(op, q.integer(op.filling(), 0), r);
    }

    private static Kernel moves(Move.Only op, int filling, Request r) {
        List<Type> in = types(r);
        boolean channelsLast = r.channelsLast();
        List<Layout> inputs = layouts(in, channelsLast);
        List<Layout> outputs = layouts(r.results(), channelsLast);
        List<Move> moves = op.moves(in, r.results());
        boolean gaps = moves.stream().mapToInt(Move::size).sum()
                < r.results().stream().mapToInt(y -> y.shape().size()).sum();
        int size = r.result(0).shape().size();
        List<Box> boxes = moves.stream()
                .filter(move -> move.size() > 0)
                .map(move -> box(move, in, r.results(), channelsLast))
                .toList();
        return copies(op, inputs, outputs, boxes, (b, steps) -> {
            if (gaps && r.hasBytes()) {
                HadalNative.memset(steps.list(), b.output(0), filling, size);
            } else if (gaps) {
                HadalNative.fill(steps.list(), b.output(0), size, filling);
            }
        });
    }

    /** Copies of boxes, after what comes before them. */
    private static Kernel copies(
            Op op, List<Layout> inputs, List<Layout> outputs, List<Box> boxes, BoundFunctions.Body before) {
        int each = inputs.get(0).type().dtype().bytes();
        List<NativeMemory> dims = boxes.stream().map(Box::dims).toList();
        return new FunctionKernel(op, inputs, outputs, List.of(), 0, dims, (b, steps) -> {
            before.record(b, steps);
            for (int i = 0; i < boxes.size(); i++) {
                boxes.get(i).copy(b, dims.get(i), each, steps);
            }
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
        return new Box(move.operand(), fromAt, move.result(), toAt, lengths, from, to);
    }

    private static long[] strides(Shape shape, boolean channelsLast) {
        long[] dims = shape.dims().stream().mapToLong(Integer::longValue).toArray();
        return channelsLast ? Descriptors.channelsLast(dims) : Descriptors.rowMajor(dims);
    }

    /** What libhadal copies in one call, from an operand to a result; places count values. */
    @SuppressWarnings("ArrayRecordComponent") // nobody compares them
    private record Box(
            int operand, long fromAt, int result, long toAt, long[] lengths, long[] fromStrides, long[] toStrides) {

        /** As libhadal reads them, one after the other. */
        NativeMemory dims() {
            return NativeMemory.of(Stream.of(lengths, fromStrides, toStrides)
                    .flatMapToLong(LongStream::of)
                    .toArray());
        }

        void copy(Binding b, NativeMemory dims, int each, Steps steps) {
            int rank = lengths.length;
            LongPointer first = new LongPointer(dims.at(0));
            LongPointer fromSteps = first.getPointer(rank);
            LongPointer toSteps = first.getPointer(2L * rank);
            Pointer from = b.input(operand).getPointer(fromAt * each);
            Pointer to = b.output(result).getPointer(toAt * each);
            if (each == 1) {
                HadalNative.copyBytes(steps.list(), from, to, rank, first, fromSteps, toSteps);
            } else {
                HadalNative.copy(steps.list(), from, to, rank, first, fromSteps, toSteps);
            }
        }
    }

    static Kernel gather(Gather op, Request r) {
        Gather.Rows rows = op.rows(r.shape(0), r.shape(1));
        return new FunctionKernel(op, plain(types(r)), plain(r.results()), List.of(), (b, steps) -> {
            IntPointer indices = new IntPointer(b.input(1));
            HadalNative.gather(
                    steps.list(),
                    b.input(0),
                    indices,
                    rows.outer(),
                    rows.rows(),
                    rows.width(),
                    rows.count(),
                    b.output(0));
            steps.onFault(outside(rows, indices));
        });
    }

    static Kernel scatterAdd(ScatterAdd op, Request r) {
        Gather.Rows rows = op.rows(r.shape(0), r.shape(1));
        long bytes = r.type(0).bytes();
        return new FunctionKernel(op, plain(types(r)), plain(r.results()), List.of(0), (b, steps) -> {
            steps.copy(b.input(0), b.output(0), bytes);
            add(rows, new IntPointer(b.input(1)), b.input(2), b.output(0), steps);
        });
    }

    static Kernel gatherBackward(Gather.Backward op, Request r) {
        Gather.Rows rows = op.rows(r.shape(1));
        long size = r.result(0).shape().size();
        return new FunctionKernel(op, plain(types(r)), plain(r.results()), List.of(), (b, steps) -> {
            HadalNative.fill(steps.list(), b.output(0), size, 0);
            add(rows, new IntPointer(b.input(1)), b.input(0), b.output(0), steps);
        });
    }

    private static void add(Gather.Rows rows, IntPointer indices, Pointer updates, Pointer y, Steps steps) {
        HadalNative.scatterAdd(
                steps.list(),
                new FloatPointer(y),
                indices,
                new FloatPointer(updates),
                rows.outer(),
                rows.rows(),
                rows.width(),
                rows.count());
        steps.onFault(outside(rows, indices));
    }

    private static LongFunction<RuntimeException> outside(Gather.Rows rows, IntPointer indices) {
        return position -> rows.outside(indices.get(position), position);
    }

    private static List<Type> types(Request r) {
        return r.operands().stream().map(Operand::type).toList();
    }

    private static List<Layout> plain(List<Type> types) {
        return types.stream().map(Layout::plain).toList();
    }

    private MoveKernels() {}
}
