package dev.hadal.onednn;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DIFF_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DIFF_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.dnnl_forward_training;
import static org.bytedeco.dnnl.global.dnnl.dnnl_pooling_avg_include_padding;
import static org.bytedeco.dnnl.global.dnnl.dnnl_pooling_backward_primitive_desc_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_pooling_forward_primitive_desc_create;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.graph.Type;
import dev.hadal.op.GlobalAveragePool;
import dev.hadal.tensor.Shape;
import java.util.List;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.jspecify.annotations.Nullable;

/** Means over whole planes: an average pooling whose window is the image. */
final class PoolingKernels {
    private static final long[] ZERO = {0, 0};

    static @Nullable Kernel globalAverage(GlobalAveragePool op, Request r) {
        if (!r.hasOneDtype()) {
            return null;
        }
        Plane plane = new Plane(r.descriptors(), r.type(0));
        return new PrimitiveKernel.Builder(op, plane.forward())
                .in(DNNL_ARG_SRC, plane.layout)
                .out(DNNL_ARG_DST, Layout.plain(r.result(0)))
                .build();
    }

    static @Nullable Kernel globalAverageBackward(GlobalAveragePool.Backward op, Request r) {
        if (!r.hasOneDtype()) {
            return null;
        }
        Plane plane = new Plane(r.descriptors(), r.result(0));
        return new PrimitiveKernel.Builder(op, plane.backward())
                .in(DNNL_ARG_DIFF_DST, Layout.plain(r.type(0)))
                .out(DNNL_ARG_DIFF_SRC, plane.layout)
                .build();
    }

    private static final class Plane {
        private final Descriptors descriptors;
        private final Layout layout;
        private final dnnl_memory_desc x;
        private final dnnl_memory_desc y;
        private final long[] window;
        private final boolean wholeVectors;

        Plane(Descriptors descriptors, Type image) {
            Shape shape = image.shape();
            this.descriptors = descriptors;
            this.layout = OneDnnLayout.channelsLast(image);
            long[] dims = Descriptors.dims(shape);
            this.x = descriptors.strided(image.dtype(), dims, Descriptors.channelsLast(dims));
            this.y = descriptors.plain(image.dtype(), shape.get(0), shape.get(1), 1, 1);
            this.window = new long[] {shape.get(2), shape.get(3)};
            this.wholeVectors = shape.get(1) % 16 == 0;
        }

        PrimitiveDescriptor forward() {
            return descriptors.primitive((desc, engine, attributes) -> dnnl_pooling_forward_primitive_desc_create(
                    desc,
                    engine,
                    dnnl_forward_training,
                    dnnl_pooling_avg_include_padding,
                    x,
                    y,
                    window,
                    window,
                    ZERO,
                    ZERO,
                    ZERO,
                    attributes));
        }

        PrimitiveDescriptor backward() {
            PrimitiveDescriptor hint = forward();
            return descriptors.primitive(
                    (desc, engine, attributes) -> dnnl_pooling_backward_primitive_desc_create(
                            desc,
                            engine,
                            dnnl_pooling_avg_include_padding,
                            x,
                            y,
                            window,
                            window,
                            ZERO,
                            ZERO,
                            ZERO,
                            hint.desc(),
                            attributes),
                    this::choose);
        }

        /** The AVX-512 kernel takes the channels of a last, broken vector one by one; with AVX2 it is a third as long. */
        private int choose(List<String> names) {
            return wholeVectors ? 0 : Math.max(0, names.indexOf("jit:avx2"));
        }
    }

    private PoolingKernels() {}
}
