package dev.hadal.onednn;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC_0;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC_1;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_WEIGHTS;
import static org.bytedeco.dnnl.global.dnnl.dnnl_binary_add;
import static org.bytedeco.dnnl.global.dnnl.dnnl_binary_primitive_desc_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_matmul_primitive_desc_create;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.op.Bias;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.Arrays;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.jspecify.annotations.Nullable;

/** A bias per channel, and its gradient. */
final class BiasKernels {
    private static final @Nullable dnnl_memory_desc NO_BIAS = null;

    static Kernel forward(Bias op, Request r) {
        Layout channelsLast = OneDnnLayout.channelsLast(r.type(0));
        Layout x = channelsLast.equals(r.layout(0)) ? channelsLast : Layout.plain(r.type(0));
        dnnl_memory_desc image = r.descriptors().image(x);
        dnnl_memory_desc b = r.descriptors().channels(x);
        PrimitiveDescriptor y = r.descriptors()
                .primitive((desc, engine, attributes) ->
                        dnnl_binary_primitive_desc_create(desc, engine, dnnl_binary_add, image, b, image, attributes));
        return new PrimitiveKernel.Builder(op, y)
                .in(DNNL_ARG_SRC_0, x)
                .in(DNNL_ARG_SRC_1, Layout.plain(r.type(1)))
                .out(DNNL_ARG_DST, x)
                .inPlace(0)
                .build();
    }

    /** db = 1·dy, with a row of ones and dy as a matrix of a row per place: oneDNN's reduction is plain loops there. */
    static Kernel backward(Bias.Backward op, Request r) {
        Shape dy = r.shape(0);
        int channels = dy.get(1);
        int places = dy.size() / channels;
        Descriptors d = r.descriptors();
        dnnl_memory_desc row = d.plain(DType.F32, 1, places);
        dnnl_memory_desc matrix = d.plain(DType.F32, places, channels);
        dnnl_memory_desc sums = d.plain(DType.F32, 1, channels);
        PrimitiveDescriptor db = d.primitive((desc, engine, attributes) ->
                dnnl_matmul_primitive_desc_create(desc, engine, row, matrix, NO_BIAS, sums, attributes));
        return new PrimitiveKernel.Builder(op, db)
                .constant(DNNL_ARG_SRC, ones(places))
                .in(DNNL_ARG_WEIGHTS, OneDnnLayout.channelsLast(r.type(0)))
                .out(DNNL_ARG_DST, Layout.plain(r.result(0)))
                .build();
    }

    private static NativeMemory ones(int count) {
        float[] ones = new float[count];
        Arrays.fill(ones, 1);
        return NativeMemory.of(ones);
    }

    private BiasKernels() {}
}
