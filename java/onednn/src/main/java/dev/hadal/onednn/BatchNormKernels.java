package dev.hadal.onednn;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DIFF_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DIFF_SCALE;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DIFF_SHIFT;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DIFF_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_MEAN;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SCALE;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SHIFT;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_VARIANCE;
import static org.bytedeco.dnnl.global.dnnl.dnnl_backward;
import static org.bytedeco.dnnl.global.dnnl.dnnl_batch_normalization_backward_primitive_desc_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_batch_normalization_forward_primitive_desc_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_forward_inference;
import static org.bytedeco.dnnl.global.dnnl.dnnl_forward_training;
import static org.bytedeco.dnnl.global.dnnl.dnnl_use_global_stats;
import static org.bytedeco.dnnl.global.dnnl.dnnl_use_scale;
import static org.bytedeco.dnnl.global.dnnl.dnnl_use_shift;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.op.BatchNorm;
import org.bytedeco.dnnl.dnnl_memory_desc;

/** Batch norm. It is seven times faster with the channels innermost, which is worth a reorder. */
final class BatchNormKernels {
    private static final int AFFINE = dnnl_use_scale | dnnl_use_shift;

    static Kernel inference(BatchNorm op, Request r) {
        Layout x = OneDnnLayout.channelsLast(r.type(0));
        return new PrimitiveKernel.Builder(
                        op, forward(r, dnnl_forward_inference, op.epsilon(), AFFINE | dnnl_use_global_stats))
                .in(DNNL_ARG_SRC, x)
                .in(DNNL_ARG_SCALE, Layout.plain(r.type(1)))
                .in(DNNL_ARG_SHIFT, Layout.plain(r.type(2)))
                .in(DNNL_ARG_MEAN, Layout.plain(r.type(3)))
                .in(DNNL_ARG_VARIANCE, Layout.plain(r.type(4)))
                .out(DNNL_ARG_DST, x)
                .inPlace(0)
                .build();
    }

    static Kernel training(BatchNorm.Training op, Request r) {
        Layout x = OneDnnLayout.channelsLast(r.type(0));
        return new PrimitiveKernel.Builder(op, forward(r, dnnl_forward_training, op.epsilon(), AFFINE))
                .in(DNNL_ARG_SRC, x)
                .in(DNNL_ARG_SCALE, Layout.plain(r.type(1)))
                .in(DNNL_ARG_SHIFT, Layout.plain(r.type(2)))
                .out(DNNL_ARG_DST, x)
                .out(DNNL_ARG_MEAN, Layout.plain(r.result(1)))
                .out(DNNL_ARG_VARIANCE, Layout.plain(r.result(2)))
                .inPlace(0)
                .build();
    }

    static Kernel backward(BatchNorm.Backward op, Request r) {
        Layout x = OneDnnLayout.channelsLast(r.type(0));
        dnnl_memory_desc image = image(r);
        PrimitiveDescriptor hint = forward(r, dnnl_forward_training, op.epsilon(), AFFINE);
        PrimitiveDescriptor dx = r.descriptors()
                .primitive((desc, engine, attributes) -> dnnl_batch_normalization_backward_primitive_desc_create(
                        desc,
                        engine,
                        dnnl_backward,
                        image,
                        image,
                        image,
                        op.epsilon(),
                        AFFINE,
                        hint.desc(),
                        attributes));
        return new PrimitiveKernel.Builder(op, dx)
                .in(DNNL_ARG_SRC, x)
                .in(DNNL_ARG_DIFF_DST, x)
                .in(DNNL_ARG_SCALE, Layout.plain(r.type(2)))
                .in(DNNL_ARG_MEAN, Layout.plain(r.type(3)))
                .in(DNNL_ARG_VARIANCE, Layout.plain(r.type(4)))
                .out(DNNL_ARG_DIFF_SRC, x)
                .out(DNNL_ARG_DIFF_SCALE, Layout.plain(r.result(1)))
                .out(DNNL_ARG_DIFF_SHIFT, Layout.plain(r.result(2)))
                .inPlace(1)
                .build();
    }

    private static PrimitiveDescriptor forward(Request r, int propagation, float epsilon, int flags) {
        dnnl_memory_desc image = image(r);
        return r.descriptors()
                .primitive((desc, engine, attributes) -> dnnl_batch_normalization_forward_primitive_desc_create(
                        desc, engine, propagation, image, image, epsilon, flags, attributes));
    }

    private static dnnl_memory_desc image(Request r) {
        return r.descriptors().image(OneDnnLayout.channelsLast(r.type(0)));
    }

    private BatchNormKernels() {}
}
