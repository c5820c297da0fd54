package dev.hadal.onednn;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC_0;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC_1;
import static org.bytedeco.dnnl.global.dnnl.dnnl_binary_add;
import static org.bytedeco.dnnl.global.dnnl.dnnl_binary_mul;
import static org.bytedeco.dnnl.global.dnnl.dnnl_binary_primitive_desc_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_binary_sub;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.op.Binary;
import dev.hadal.op.Binary.Function;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.Arrays;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.jspecify.annotations.Nullable;

/** Sums, differences and products that broadcast; where oneDNN has plain loops alone, Java's are faster. */
final class BinaryKernels {

    static @Nullable Kernel binary(Binary op, Request r) {
        Shape y = r.result(0).shape();
        boolean swapped = !r.shape(0).equals(y); // only the second operand of a primitive broadcasts
        boolean fits = !swapped || (r.shape(1).equals(y) && op.function() != Function.SUB);
        int algorithm = algorithm(op.function());
        if (!fits || algorithm < 0) {
            return null;
        }
        Descriptors d = r.descriptors();
        boolean alike = r.shape(0).equals(r.shape(1));
        Layout whole = alike ? r.common() : Layout.plain(r.result(0));
        Layout other = alike ? whole : Layout.plain(r.type(swapped ? 0 : 1));
        dnnl_memory_desc full =
                alike ? d.plain(DType.F32, whole.bytes() / Float.BYTES) : d.plain(DType.F32, Descriptors.dims(y));
        dnnl_memory_desc part =
                alike ? full : d.plain(DType.F32, padded(other.type().shape(), y.rank()));
        PrimitiveDescriptor primitive = d.primitive((desc, engine, attributes) ->
                dnnl_binary_primitive_desc_create(desc, engine, algorithm, full, part, full, attributes));
        if (primitive.implementation().startsWith("ref")) {
            return null;
        }
        return new PrimitiveKernel.Builder(op, primitive)
                .in(swapped ? DNNL_ARG_SRC_1 : DNNL_ARG_SRC_0, swapped ? other : whole)
                .in(swapped ? DNNL_ARG_SRC_0 : DNNL_ARG_SRC_1, swapped ? whole : other)
                .out(DNNL_ARG_DST, whole)
                .inPlace(swapped ? 1 : 0)
                .build();
    }

    private static int algorithm(Function function) {
        return switch (function) {
            case ADD -> dnnl_binary_add;
            case SUB -> dnnl_binary_sub;
            case MUL -> dnnl_binary_mul;
            default -> -1;
        };
    }

    /** With ones before it, up to a rank. */
    private static long[] padded(Shape x, int rank) {
        long[] dims = new long[Math.max(rank, 1)];
        Arrays.setAll(dims, axis -> axis < dims.length - x.rank() ? 1 : x.get(axis - (dims.length - x.rank())));
        return dims;
    }

    private BinaryKernels() {}
}
