package dev.hadal.onednn;

import static dev.hadal.onednn.HadalKernels.floats;
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
import dev.hadal.graph.Fused;
import dev.hadal.onednn.HadalKernels.FunctionKernel;
import dev.hadal.onednn.natives.HadalNative;
import dev.hadal.op.Activation;
import dev.hadal.op.Bias;
import dev.hadal.tensor.Bf16;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.javacpp.FloatPointer;
import org.jspecify.annotations.Nullable;

/** A bias per channel, and its gradient. */
final class BiasKernels {
    private static final @Nullable dnnl_memory_desc NO_BIAS = null;
    private static final List<Fused.Part> SUMS = List.of(new Fused.Part(new Bias.Backward(), 1, 0));

    static Kernel forward(Bias op, Request r) {
        Layout channelsLast = OneDnnLayout.channelsLast(r.type(0));
        boolean last = channelsLast.equals(r.layout(0));
        Layout x = last ? channelsLast : Layout.plain(r.type(0));
        Layout y = last ? OneDnnLayout.channelsLast(r.result(0)) : Layout.plain(r.result(0));
        dnnl_memory_desc from = r.descriptors().image(x);
        dnnl_memory_desc b = r.descriptors().channels(r.type(1).dtype(), x);
        dnnl_memory_desc to = r.descriptors().image(y);
        PrimitiveDescriptor sum = r.descriptors()
                .primitive((desc, engine, attributes) ->
                        dnnl_binary_primitive_desc_create(desc, engine, dnnl_binary_add, from, b, to, attributes));
        return new PrimitiveKernel.Builder(op, sum)
                .in(DNNL_ARG_SRC_0, x)
                .in(DNNL_ARG_SRC_1, Layout.plain(r.type(1)))
                .out(DNNL_ARG_DST, y)
                .inPlace(r.type(0).equals(r.result(0)) ? 0 : -1)
                .build();
    }

    /** db = 1·dy, with a row of ones and dy as a matrix of a row per place: oneDNN's reduction is plain loops there. */
    static Kernel backward(Bias.Backward op, Request r) {
        Shape dy = r.shape(0);
        int channels = dy.get(1);
        int places = dy.size() / channels;
        Descriptors d = r.descriptors();
        dnnl_memory_desc row = d.plain(r.type(0).dtype(), 1, places);
        dnnl_memory_desc matrix = d.plain(r.type(0).dtype(), places, channels);
        dnnl_memory_desc sums = d.plain(r.result(0).dtype(), 1, channels);
        PrimitiveDescriptor db = d.primitive((desc, engine, attributes) ->
                dnnl_matmul_primitive_desc_create(desc, engine, row, matrix, NO_BIAS, sums, attributes));
        return new PrimitiveKernel.Builder(op, db)
                .constant(DNNL_ARG_SRC, ones(r.type(0).dtype(), places))
                .in(DNNL_ARG_WEIGHTS, OneDnnLayout.channelsLast(r.type(0)))
                .out(DNNL_ARG_DST, Layout.plain(r.result(0)))
                .build();
    }

    /** The gradient of a ReLU, and its sums, in one pass. */
    static @Nullable Kernel reluBackward(Fused op, Request r) {
        if (!(op.root() instanceof Activation.Backward relu
                && (relu.function() == Activation.Function.RELU || relu.function() == Activation.Function.LEAKY_RELU)
                && op.epilogue().equals(SUMS))) {
            return null;
        }
        Layout lies = OneDnnLayout.channelsLast(r.type(0));
        long columns = r.shape(0).get(1);
        long rows = r.shape(0).size() / columns;
        long scratch = HadalNative.reluBiasBackwardScratch(rows, columns) * Float.BYTES;
        List<Layout> out = List.of(lies, Layout.plain(r.result(1)));
        return new FunctionKernel(op, List.of(lies, lies), out, List.of(1, -1), scratch, (b, steps) -> {
            FloatPointer y = floats(b.input(0));
            FloatPointer dy = floats(b.input(1));
            FloatPointer dx = floats(b.output(0));
            FloatPointer db = floats(b.output(1));
            FloatPointer sums = floats(b.scratch());
            HadalNative.reluBiasBackward(steps.list(), y, dy, rows, columns, relu.alpha(), dx, db, sums);
        });
    }

    private static NativeMemory ones(DType dtype, int count) {
        if (dtype == DType.BF16) {
            short[] ones = new short[count];
            Arrays.fill(ones, Bf16.narrow(1));
            return NativeMemory.of(ones);
        }
        float[] ones = new float[count];
        Arrays.fill(ones, 1);
        return NativeMemory.of(ones);
    }

    private BiasKernels() {}
}
