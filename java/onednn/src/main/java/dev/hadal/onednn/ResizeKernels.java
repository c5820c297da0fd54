package dev.hadal.onednn;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DIFF_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DIFF_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.dnnl_forward_training;
import static org.bytedeco.dnnl.global.dnnl.dnnl_resampling_backward_primitive_desc_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_resampling_forward_primitive_desc_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_resampling_linear;
import static org.bytedeco.dnnl.global.dnnl.dnnl_resampling_nearest;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.graph.Type;
import dev.hadal.op.Resize;
import dev.hadal.tensor.Shape;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.jspecify.annotations.Nullable;

/** Images of another size, where oneDNN's formula is ours. */
final class ResizeKernels {
    private static final float @Nullable [] FACTORS_OF_THE_SHAPES = null;

    static @Nullable Kernel forward(Resize op, Request r) {
        if (!agrees(op, r.shape(0))) {
            return null;
        }
        boolean last = r.channelsLast();
        Layout x = layout(r.type(0), last);
        Layout y = layout(r.result(0), last);
        return new PrimitiveKernel.Builder(op, describe(op, r, r.type(0), r.result(0), last))
                .in(DNNL_ARG_SRC, x)
                .out(DNNL_ARG_DST, y)
                .build();
    }

    static @Nullable Kernel backward(Resize.Backward op, Request r) {
        if (!agrees(op.forward(), op.x())) {
            return null;
        }
        boolean last = r.channelsLast();
        Layout dy = layout(r.type(0), last);
        Layout dx = layout(r.result(0), last);
        PrimitiveDescriptor hint = describe(op.forward(), r, r.result(0), r.type(0), last);
        dnnl_memory_desc source = memory(r, r.result(0), last);
        dnnl_memory_desc target = memory(r, r.type(0), last);
        PrimitiveDescriptor backward = r.descriptors()
                .primitive((desc, engine, attributes) -> dnnl_resampling_backward_primitive_desc_create(
                        desc,
                        engine,
                        algorithm(op.forward()),
                        FACTORS_OF_THE_SHAPES,
                        source,
                        target,
                        hint.desc(),
                        attributes));
        return new PrimitiveKernel.Builder(op, backward)
                .in(DNNL_ARG_DIFF_DST, dy)
                .out(DNNL_ARG_DIFF_SRC, dx)
                .build();
    }

    private static PrimitiveDescriptor describe(Resize op, Request r, Type x, Type y, boolean channelsLast) {
        dnnl_memory_desc source = memory(r, x, channelsLast);
        dnnl_memory_desc target = memory(r, y, channelsLast);
        return r.descriptors()
                .primitive((desc, engine, attributes) -> dnnl_resampling_forward_primitive_desc_create(
                        desc,
                        engine,
                        dnnl_forward_training,
                        algorithm(op),
                        FACTORS_OF_THE_SHAPES,
                        source,
                        target,
                        attributes));
    }

    private static int algorithm(Resize op) {
        return op.mode() == Resize.Mode.NEAREST ? dnnl_resampling_nearest : dnnl_resampling_linear;
    }

    private static Layout layout(Type image, boolean channelsLast) {
        return channelsLast ? OneDnnLayout.channelsLast(image) : Layout.plain(image);
    }

    /** Both alike, even where a plane of one place makes both layouts the same. */
    private static dnnl_memory_desc memory(Request r, Type image, boolean channelsLast) {
        long[] dims = Descriptors.dims(image.shape());
        return r.descriptors()
                .strided(
                        image.dtype(),
                        dims,
                        channelsLast ? Descriptors.channelsLast(dims) : Descriptors.rowMajor(dims));
    }

    /** Its nearest place is that of (i + ½)·D/D' − ½, which for whole factors is ours, too. */
    private static boolean agrees(Resize op, Shape x) {
        return op.mode() == Resize.Mode.BILINEAR || (op.height() % x.get(2) == 0 && op.width() % x.get(3) == 0);
    }

    private ResizeKernels() {}
}
