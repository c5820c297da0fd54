package dev.hadal.onednn;

import static org.bytedeco.dnnl.global.dnnl.dnnl_ABcd16b16a;
import static org.bytedeco.dnnl.global.dnnl.dnnl_bf16;
import static org.bytedeco.dnnl.global.dnnl.dnnl_f32;
import static org.bytedeco.dnnl.global.dnnl.dnnl_format_tag_any;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_create_with_blob;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_create_with_strides;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_create_with_tag;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_permute_axes;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_attr_set_post_ops;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_attr_set_scales_mask;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_attr_set_scratchpad_mode;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_desc_next_impl;
import static org.bytedeco.dnnl.global.dnnl.dnnl_s32;
import static org.bytedeco.dnnl.global.dnnl.dnnl_s8;
import static org.bytedeco.dnnl.global.dnnl.dnnl_scratchpad_mode_user;
import static org.bytedeco.dnnl.global.dnnl.dnnl_success;
import static org.bytedeco.dnnl.global.dnnl.dnnl_sum_primitive_desc_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_u8;

import dev.hadal.backend.Layout;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.ToIntFunction;
import org.bytedeco.dnnl.dnnl_engine;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.dnnl_post_ops;
import org.bytedeco.dnnl.dnnl_primitive_attr;
import org.bytedeco.dnnl.dnnl_primitive_desc;
import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;

/** The native descriptors that it takes to prepare a kernel. All are freed together, once the kernel is made. */
final class Descriptors implements AutoCloseable {
    private final List<Handle<?>> owned = new ArrayList<>();
    private final dnnl_engine engine = Library.get().engine();
    private final dnnl_primitive_attr attributes;

    Descriptors() {
        attributes = attributes();
    }

    private dnnl_primitive_attr attributes() {
        dnnl_primitive_attr attr = own(Handle.create(
                "creating attributes",
                new dnnl_primitive_attr(),
                dnnl::dnnl_primitive_attr_create,
                dnnl::dnnl_primitive_attr_destroy));
        // What makes a primitive safe for any thread: it keeps nothing of its own between runs.
        Status.check(
                dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user),
                "setting the scratchpad mode");
        return attr;
    }

    /** The same attributes for a primitive that multiplies one of its arguments with a number. */
    dnnl_primitive_attr scaling(int argument) {
        dnnl_primitive_attr attr = attributes();
        Status.check(dnnl_primitive_attr_set_scales_mask(attr, argument, 0), "setting a scale");
        return attr;
    }

    /** The same attributes for a primitive that does more to its results. */
    dnnl_primitive_attr with(Consumer<dnnl_primitive_attr> scales, Consumer<dnnl_post_ops> operations) {
        dnnl_primitive_attr attr = attributes();
        scales.accept(attr);
        try (Handle<dnnl_post_ops> more = Handle.create(
                "creating operations", new dnnl_post_ops(), dnnl::dnnl_post_ops_create, dnnl::dnnl_post_ops_destroy)) {
            operations.accept(more.get());
            Status.check(dnnl_primitive_attr_set_post_ops(attr, more.get()), "setting the operations");
        }
        return attr;
    }

    // ---- of memory ----

    static long[] dims(Shape shape) {
        return shape.rank() == 0
                ? new long[] {1}
                : shape.dims().stream().mapToLong(Integer::longValue).toArray();
    }

    static long[] rowMajor(long... dims) {
        long[] strides = new long[dims.length];
        long stride = 1;
        for (int axis = dims.length - 1; axis >= 0; axis--) {
            strides[axis] = stride;
            stride *= dims[axis];
        }
        return strides;
    }

    /** The strides of [N,C,…] with the channels innermost. */
    static long[] channelsLast(long... dims) {
        long[] strides = new long[dims.length];
        strides[1] = 1;
        long stride = dims[1];
        for (int axis = dims.length - 1; axis > 1; axis--) {
            strides[axis] = stride;
            stride *= dims[axis];
        }
        strides[0] = stride;
        return strides;
    }

    dnnl_memory_desc strided(DType dtype, long[] dims, long[] strides) {
        return memory(desc -> dnnl_memory_desc_create_with_strides(desc, dims.length, dims, code(dtype), strides));
    }

    /** Row-major. */
    dnnl_memory_desc plain(DType dtype, long... dims) {
        return strided(dtype, dims, rowMajor(dims));
    }

    /** A convolution's weights in blocks of 16 outputs and 16 inputs, as its kernels for AVX-512 read them. */
    dnnl_memory_desc blockedWeights(long... dims) {
        return memory(
                desc -> dnnl_memory_desc_create_with_tag(desc, dims.length, dims, code(DType.F32), dnnl_ABcd16b16a));
    }

    /** In whatever layout oneDNN prefers. */
    dnnl_memory_desc any(DType dtype, long... dims) {
        return memory(
                desc -> dnnl_memory_desc_create_with_tag(desc, dims.length, dims, code(dtype), dnnl_format_tag_any));
    }

    /**
     * The layout of a value that a primitive sees with these dimensions.
     *
     * @throws IllegalArgumentException if the value is laid out for others; {@link #fits} tells
     */
    dnnl_memory_desc of(Layout layout, long... dims) {
        if (!fits(layout, dims)) {
            throw new IllegalArgumentException(
                    layout.type() + " in " + layout + " is not laid out for " + Arrays.toString(dims));
        }
        return layout instanceof OneDnnLayout l
                ? memory(desc -> dnnl_memory_desc_create_with_blob(desc, l.blob()))
                : strided(layout.type().dtype(), dims, rowMajor(dims));
    }

    /**
     * [N,C,…] with all other axes as one, so that kernels which know nothing of space take any rank: [N,C] or [N,C,1,S].
     *
     * @param layout plain, or with the channels innermost
     */
    dnnl_memory_desc image(Layout layout) {
        long[] dims = imageDims(layout.type().shape());
        return strided(
                layout.type().dtype(), dims, layout instanceof Layout.Plain ? rowMajor(dims) : channelsLast(dims));
    }

    /** One value per channel of such an image. */
    dnnl_memory_desc channels(DType dtype, Layout layout) {
        long[] dims = imageDims(layout.type().shape());
        Arrays.setAll(dims, axis -> axis == 1 ? dims[axis] : 1);
        return plain(dtype, dims);
    }

    private static long[] imageDims(Shape shape) {
        int plane = shape.sizeFrom(2);
        return plane == 1 ? new long[] {shape.get(0), shape.get(1)} : new long[] {shape.get(0), shape.get(1), 1, plane};
    }

    /** Row-major values can be seen with any dimensions, others with their own alone. */
    static boolean fits(Layout layout, long... dims) {
        return !(layout instanceof OneDnnLayout l) || Arrays.equals(l.dims(), dims);
    }

    /** The same matrix with its axes exchanged, each element where it was. */
    dnnl_memory_desc transposed(dnnl_memory_desc matrix) {
        return memory(desc -> dnnl_memory_desc_permute_axes(desc, matrix, new int[] {1, 0}));
    }

    private dnnl_memory_desc memory(ToIntFunction<dnnl_memory_desc> create) {
        return own(Handle.create("describing memory", new dnnl_memory_desc(), create, dnnl::dnnl_memory_desc_destroy));
    }

    private static int code(DType dtype) {
        return switch (dtype) {
            case F32 -> dnnl_f32;
            case BF16 -> dnnl_bf16;
            case I32 -> dnnl_s32;
            case S8 -> dnnl_s8;
            case U8 -> dnnl_u8;
        };
    }

    // ---- of primitives ----

    /** One of oneDNN's functions that describe a primitive, with all but the common arguments filled in. */
    interface Creation {
        int create(dnnl_primitive_desc desc, dnnl_engine engine, dnnl_primitive_attr attributes);
    }

    /** The implementation that oneDNN puts first. */
    PrimitiveDescriptor primitive(Creation creation) {
        return new PrimitiveDescriptor(own(Handle.create(
                "describing the primitive",
                new dnnl_primitive_desc(),
                desc -> creation.create(desc, engine, attributes),
                dnnl::dnnl_primitive_desc_destroy)));
    }

    /**
     * Another implementation.
     *
     * @param choice from the names of all that there are, in oneDNN's order, to the index of one
     */
    PrimitiveDescriptor primitive(Creation creation, ToIntFunction<List<String>> choice) {
        List<String> names = new ArrayList<>();
        PrimitiveDescriptor all = primitive(creation);
        do {
            names.add(all.implementation());
        } while (dnnl_primitive_desc_next_impl(all.desc()) == dnnl_success);
        int chosen = choice.applyAsInt(names);
        PrimitiveDescriptor one = primitive(creation);
        for (int i = 0; i < chosen; i++) {
            Status.check(dnnl_primitive_desc_next_impl(one.desc()), "choosing " + names.get(chosen));
        }
        return one;
    }

    /** A sum of values that lie alike. The preset offers no form of this function that takes several and fits above. */
    PrimitiveDescriptor sum(float[] scales, dnnl_memory_desc alike) {
        Pointer room = Pointer.malloc((scales.length + 1L) * Long.BYTES);
        try {
            PointerPointer<dnnl_primitive_desc> result = new PointerPointer<>(room);
            PointerPointer<dnnl_memory_desc> sources = new PointerPointer<dnnl_memory_desc>(room).getPointer(1);
            for (int i = 0; i < scales.length; i++) {
                sources.put(i, alike);
            }
            Status.check(
                    dnnl_sum_primitive_desc_create(result, engine, alike, scales.length, scales, sources, attributes),
                    "describing the sum");
            return new PrimitiveDescriptor(own(Handle.create(
                    "describing the sum",
                    result.get(dnnl_primitive_desc.class, 0),
                    desc -> dnnl_success,
                    dnnl::dnnl_primitive_desc_destroy)));
        } finally {
            Pointer.free(room);
        }
    }

    private <P extends Pointer> P own(Handle<P> handle) {
        owned.add(handle);
        return handle.get();
    }

    @Override
    public void close() {
        owned.forEach(Handle::close);
    }
}
