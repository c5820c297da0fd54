package dev.hadal.onednn;

import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_get_blob;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_get_size;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_query;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_dims;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_inner_blks;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_inner_idxs;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_inner_nblks_s32;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_ndims_s32;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_padded_dims;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_strides;

import dev.hadal.backend.Layout;
import dev.hadal.graph.Type;
import dev.hadal.tensor.DType;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.jspecify.annotations.Nullable;

/**
 * A layout that oneDNN chose: axes in another order, and some of them cut into blocks. It is a value of plain Java that
 * holds nothing native; {@link Descriptors#of} makes a descriptor of it where one is needed.
 */
final class OneDnnLayout implements Layout {
    private final Type type;
    private final Placement placement;
    private final long bytes;
    private final String name;
    private final byte[] blob;

    /**
     * Where each element lies. The axes are oneDNN's: those of the type, or the groups of a convolution's weights besides.
     *
     * @param padded the dimensions, rounded up to whole blocks
     * @param strides of the blocks along each axis; 0 where there is one alone, whose stride means nothing
     * @param blocks the sizes of the inner blocks, outermost first
     * @param blocked the axes that they cut
     * @param transposed whether they are those of a matrix that is stored transposed
     * @param more the whole description, where sums of s8 weights lie behind them, of which it alone tells; else empty
     */
    private record Placement(
            List<Long> dims,
            List<Long> padded,
            List<Long> strides,
            List<Long> blocks,
            List<Long> blocked,
            boolean transposed,
            String more) {}

    private OneDnnLayout(Type type, Placement placement, long bytes, String name, byte[] blob) {
        this.type = type;
        this.placement = placement;
        this.bytes = bytes;
        this.name = name;
        this.blob = blob;
    }

    /** The layout that a descriptor describes; {@link Layout#plain} if it is row-major and dense. */
    static Layout of(dnnl_memory_desc desc, Type type) {
        return of(desc, type, false);
    }

    /** The same of a matrix that is stored transposed: oneDNN's axes are the type's exchanged. */
    static Layout transposed(dnnl_memory_desc desc, Type type) {
        return of(desc, type, true);
    }

    private static Layout of(dnnl_memory_desc desc, Type type, boolean transposed) {
        try (Answer answer = new Answer()) {
            query(desc, dnnl_query_ndims_s32, answer);
            int rank = answer.asInt();
            query(desc, dnnl_query_inner_nblks_s32, answer);
            int cuts = answer.asInt();
            long[] dims = longs(desc, dnnl_query_dims, rank, answer);
            long[] padded = longs(desc, dnnl_query_padded_dims, rank, answer);
            long[] strides = longs(desc, dnnl_query_strides, rank, answer);
            long[] blocks = longs(desc, dnnl_query_inner_blks, cuts, answer);
            long[] blocked = longs(desc, dnnl_query_inner_idxs, cuts, answer);
            String name = name(strides, blocks, blocked);
            ignoreSingle(strides, padded, blocks, blocked);
            boolean dense = cuts == 0 && Arrays.equals(dims, padded);
            if (dense && !transposed && Arrays.equals(strides, rowMajor(dims))) {
                return Layout.plain(type);
            }
            long bytes = dnnl_memory_desc_get_size(desc);
            byte[] blob = blob(desc, answer);
            boolean sums =
                    type.dtype() == DType.S8 && bytes > LongStream.of(padded).reduce(1, (a, b) -> a * b);
            Placement placement = new Placement(
                    list(dims),
                    list(padded),
                    list(strides),
                    list(blocks),
                    list(blocked),
                    transposed,
                    sums ? HexFormat.of().formatHex(blob) : "");
            return new OneDnnLayout(type, placement, bytes, name, blob);
        }
    }

    /** Images with their channels innermost, as oneDNN's convolutions and norms want them; plain below rank 3. */
    static Layout channelsLast(Type type) {
        if (type.shape().rank() < 3) {
            return Layout.plain(type);
        }
        try (Descriptors descriptors = new Descriptors()) {
            long[] dims = Descriptors.dims(type.shape());
            return of(descriptors.strided(type.dtype(), dims, Descriptors.channelsLast(dims)), type);
        }
    }

    /**
     * A matrix whose rows are images with their channels innermost, flattened as they lie; plain where that is their order.
     *
     * @param image the axes of one row: [C,…]
     */
    static Layout flattened(Type matrix, long... image) {
        long[] dims = LongStream.concat(LongStream.of(matrix.shape().get(0)), LongStream.of(image))
                .toArray();
        try (Descriptors descriptors = new Descriptors()) {
            return of(descriptors.strided(matrix.dtype(), dims, Descriptors.channelsLast(dims)), matrix);
        }
    }

    /** The axes of a row of such a matrix; null for any other layout, and for none. */
    static long @Nullable [] image(@Nullable Layout layout) {
        if (!(layout instanceof OneDnnLayout l) || l.type.shape().rank() != 2 || l.placement.dims.size() == 2) {
            return null;
        }
        return l.placement.dims.stream().skip(1).mapToLong(Long::longValue).toArray();
    }

    /**
     * oneDNN describes no blocks but those it chose itself. A blob, however, names the type at the bytes in which those of
     * two plain descriptors differ; that all else is as before is checked.
     */
    @Override
    public Layout as(DType dtype) {
        if (dtype == type.dtype()) {
            return this;
        }
        Type other = new Type(dtype, type.shape());
        try (Descriptors descriptors = new Descriptors();
                Answer answer = new Answer()) {
            byte[] mine = blob(descriptors.strided(type.dtype(), dims(), Descriptors.rowMajor(dims())), answer);
            byte[] wanted = blob(descriptors.strided(dtype, dims(), Descriptors.rowMajor(dims())), answer);
            byte[] changed = blob.clone();
            for (int i = 0; i < changed.length; i++) {
                changed[i] = mine[i] == wanted[i] ? changed[i] : wanted[i];
            }
            long size = bytes / type.dtype().bytes() * dtype.bytes();
            OneDnnLayout layout = new OneDnnLayout(other, placement, size, name, changed);
            Layout read = of(descriptors.of(layout, dims()), other, placement.transposed);
            if (!read.equals(layout) || read.bytes() != size) {
                throw new IllegalStateException(
                        "oneDNN takes " + type + " in " + this + " for " + other + " in " + read);
            }
            return layout;
        }
    }

    private static void query(dnnl_memory_desc desc, int what, Answer answer) {
        Status.check(dnnl_memory_desc_query(desc, what, answer.room()), "querying a memory descriptor");
    }

    private static long[] longs(dnnl_memory_desc desc, int what, int count, Answer answer) {
        query(desc, what, answer);
        return answer.asLongs(count);
    }

    private static byte[] blob(dnnl_memory_desc desc, Answer answer) {
        Status.check(dnnl_memory_desc_get_blob((byte[]) null, answer.size(), desc), "measuring a layout");
        byte[] blob = new byte[Math.toIntExact(answer.size().get())];
        Status.check(dnnl_memory_desc_get_blob(blob, answer.size(), desc), "saving a layout");
        return blob;
    }

    private static void ignoreSingle(long[] strides, long[] padded, long[] blocks, long[] blocked) {
        for (int axis = 0; axis < strides.length; axis++) {
            long count = padded[axis];
            for (int cut = 0; cut < blocks.length; cut++) {
                count /= blocked[cut] == axis ? blocks[cut] : 1;
            }
            strides[axis] = count == 1 ? 0 : strides[axis];
        }
    }

    private static long[] rowMajor(long[] dims) {
        long[] strides = Descriptors.rowMajor(dims);
        ignoreSingle(strides, dims, new long[0], new long[0]);
        return strides;
    }

    private static List<Long> list(long[] values) {
        return LongStream.of(values).boxed().toList();
    }

    /** As oneDNN names them: axes from the outermost in, those that are cut in capitals, then the blocks. */
    private static String name(long[] strides, long[] blocks, long[] blocked) {
        StringBuilder name = new StringBuilder();
        IntStream.range(0, strides.length)
                .boxed()
                .sorted(Comparator.comparing((Integer axis) -> -strides[axis]))
                .forEach(axis -> name.append(
                        LongStream.of(blocked).anyMatch(b -> b == axis) ? (char) ('A' + axis) : (char) ('a' + axis)));
        for (int cut = 0; cut < blocks.length; cut++) {
            name.append(blocks[cut]).append((char) ('a' + blocked[cut]));
        }
        return name.toString().equals("acdb") ? "nhwc" : name.toString();
    }

    byte[] blob() {
        return blob;
    }

    /** Whether its axes are those of a matrix that is stored transposed. */
    boolean isTransposed() {
        return placement.transposed;
    }

    /** The dimensions as oneDNN counts them. */
    long[] dims() {
        return placement.dims.stream().mapToLong(Long::longValue).toArray();
    }

    @Override
    public Type type() {
        return type;
    }

    @Override
    public long bytes() {
        return bytes;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof OneDnnLayout l && l.type.equals(type) && l.placement.equals(placement);
    }

    @Override
    public int hashCode() {
        return 31 * type.hashCode() + placement.hashCode();
    }

    @Override
    public String toString() {
        String axes = placement.dims.size() == type.shape().rank()
                ? ""
                : placement.dims.stream().map(String::valueOf).collect(Collectors.joining(",", " of [", "]"));
        return name + axes + (placement.transposed ? " transposed" : "");
    }
}
