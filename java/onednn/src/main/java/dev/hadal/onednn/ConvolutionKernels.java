package dev.hadal.onednn;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DIFF_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DIFF_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DIFF_WEIGHTS;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_WEIGHTS;
import static org.bytedeco.dnnl.global.dnnl.dnnl_convolution_backward_data_primitive_desc_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_convolution_backward_weights_primitive_desc_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_convolution_direct;
import static org.bytedeco.dnnl.global.dnnl.dnnl_convolution_forward_primitive_desc_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_forward_training;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.graph.Fused;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.onednn.HadalKernels.FunctionKernel;
import dev.hadal.onednn.natives.HadalNative;
import dev.hadal.op.Convolution;
import dev.hadal.op.ConvolutionTranspose;
import dev.hadal.op.Quantized;
import dev.hadal.op.Window;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.List;
import java.util.function.Function;
import java.util.stream.LongStream;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.dnnl_primitive_attr;
import org.bytedeco.javacpp.LongPointer;
import org.jspecify.annotations.Nullable;

/**
 * Convolution and its gradients. Images lie with their channels innermost, throughout: oneDNN's best kernels for all three
 * read and write that, and so do its norms. How the weights lie is oneDNN's choice.
 */
final class ConvolutionKernels {
    private static final @Nullable dnnl_memory_desc NO_BIAS = null;
    /** What channels are counted in by libhadal. */
    private static final int BLOCK = 16;

    private static final long MANY_BYTES = 4 << 20;

    static Kernel forward(Convolution op, Request r) {
        return forward(op, op, Epilogue.NONE, r);
    }

    /** The convolution, and more done to its results. */
    static @Nullable Kernel forward(Fused op, Epilogue more, Request r) {
        return forward(op, (Convolution) op.root(), more, r);
    }

    /** The same of quantized values; null without a kernel that multiplies integers. */
    static @Nullable Kernel quantized(Quantized op, Convolution convolution, Epilogue more, Request r) {
        Geometry g = new Geometry(convolution, r, r.type(0), r.type(1), r.result(0));
        PrimitiveDescriptor y = g.forward(r.layout(1), more);
        return y.slow() ? null : kernel(op, y, more, r);
    }

    private static Kernel forward(Op op, Convolution convolution, Epilogue more, Request r) {
        Geometry g = new Geometry(convolution, r, r.type(0), r.type(1), r.result(0));
        return kernel(op, g.forward(r.layout(1), more), more, r);
    }

    private static Kernel kernel(Op op, PrimitiveDescriptor y, Epilogue more, Request r) {
        Layout images = OneDnnLayout.channelsLast(r.result(0));
        PrimitiveKernel.Builder kernel = new PrimitiveKernel.Builder(op, y)
                .in(DNNL_ARG_SRC, OneDnnLayout.channelsLast(r.type(0)))
                .in(DNNL_ARG_WEIGHTS, OneDnnLayout.of(y.memory(DNNL_ARG_WEIGHTS), r.type(1)));
        more.bind(kernel, r, 2, images);
        return kernel.out(DNNL_ARG_DST, images).build();
    }

    static Kernel backwardData(Convolution.BackwardData op, Request r) {
        return backwardData(op, op.forward(), r);
    }

    /** The gradient of the convolution that goes the other way. */
    static Kernel transpose(ConvolutionTranspose op, Request r) {
        return backwardData(op, op.convolution(), r);
    }

    private static Kernel backwardData(Op op, Convolution forward, Request r) {
        Geometry g = new Geometry(forward, r, r.result(0), r.type(1), r.type(0));
        PrimitiveDescriptor hint = g.hint();
        PrimitiveDescriptor dx = g.backwardData(r.layout(1), hint);
        return new PrimitiveKernel.Builder(op, dx)
                .in(DNNL_ARG_DIFF_DST, OneDnnLayout.channelsLast(r.type(0)))
                .in(DNNL_ARG_WEIGHTS, OneDnnLayout.of(dx.memory(DNNL_ARG_WEIGHTS), r.type(1)))
                .out(DNNL_ARG_DIFF_SRC, OneDnnLayout.channelsLast(r.result(0)))
                .build();
    }

    /**
     * Prefers to write dw as the forward kernel reads w, so that the optimizer finds both alike; or plain, as w lies that
     * is cast to bf16 for it.
     */
    static Kernel backwardWeights(Convolution.BackwardWeights op, Request r) {
        if (ownIsFaster(op, r)) {
            return own(op, r);
        }
        Geometry g = new Geometry(op.forward(), r, r.type(0), r.result(0), r.type(1));
        PrimitiveDescriptor hint = g.hint();
        Layout w =
                r.hasBf16() ? Layout.plain(r.result(0)) : OneDnnLayout.of(hint.memory(DNNL_ARG_WEIGHTS), r.result(0));
        PrimitiveDescriptor dw = g.backwardWeights(w, hint);
        return new PrimitiveKernel.Builder(op, dw)
                .in(DNNL_ARG_SRC, OneDnnLayout.channelsLast(r.type(0)))
                .in(DNNL_ARG_DIFF_DST, OneDnnLayout.channelsLast(r.type(1)))
                .out(DNNL_ARG_DIFF_WEIGHTS, OneDnnLayout.of(dw.memory(DNNL_ARG_DIFF_WEIGHTS), r.result(0)))
                .build();
    }

    /**
     * oneDNN's kernel waits for images that no second-level cache holds: with 15 MB of them by a quarter of its time. That
     * of libhadal fetches them ahead.
     */
    private static boolean ownIsFaster(Convolution.BackwardWeights op, Request r) {
        Shape w = r.result(0).shape();
        boolean blocks = op.forward().groups() == 1 && w.get(0) % BLOCK == 0 && w.get(1) % BLOCK == 0;
        boolean large = r.type(0).bytes() + r.type(1).bytes() > MANY_BYTES && w.sizeFrom(2) > 1;
        return blocks
                && large
                && !r.hasBf16()
                && Library.get().hasHadal()
                && HadalNative.isa().equals("avx512");
    }

    private static Kernel own(Convolution.BackwardWeights op, Request r) {
        Shape x = r.shape(0);
        Shape dy = r.shape(1);
        Shape w = r.result(0).shape();
        Window window = op.forward().window();
        NativeMemory axes = NativeMemory.of(LongStream.concat(
                        axis(window.height(), x.get(2), dy.get(2), w.get(2)),
                        axis(window.width(), x.get(3), dy.get(3), w.get(3)))
                .toArray());
        List<Layout> in = List.of(OneDnnLayout.channelsLast(r.type(0)), OneDnnLayout.channelsLast(r.type(1)));
        Layout dw = OneDnnLayout.of(r.descriptors().blockedWeights(Descriptors.dims(w)), r.result(0));
        return new FunctionKernel(op, in, List.of(dw), List.of(), 0, List.of(axes), (b, steps) -> {
            LongPointer geometry = new LongPointer(axes.at(0));
            HadalNative.convolutionWeights(
                    steps.list(),
                    HadalKernels.floats(b.input(0)),
                    HadalKernels.floats(b.input(1)),
                    x.get(0),
                    w.get(1),
                    w.get(0),
                    geometry,
                    HadalKernels.floats(b.output(0)));
        });
    }

    /** As hadal.h has it. */
    private static LongStream axis(Window.Axis axis, int in, int out, int taps) {
        return LongStream.of(in, out, taps, axis.stride(), axis.dilation(), axis.padBefore());
    }

    /** The geometry, in the terms of oneDNN. */
    private static final class Geometry {
        private final Convolution op;
        private final Request r;
        private final Descriptors descriptors;
        private final boolean mixed;
        private final Type xType;
        private final Type wType;
        private final Type yType;
        private final dnnl_memory_desc x;
        private final dnnl_memory_desc y;
        private final long[] w;
        private final long[] strides;
        /** oneDNN counts the gaps between taps. */
        private final long[] gaps;

        private final long[] padBefore;
        private final long[] padAfter;
        private final int out;
        private final boolean narrow;
        private final boolean strided;

        Geometry(Convolution op, Request r, Type x, Type weights, Type y) {
            Shape w = weights.shape();
            Window.Axis height = op.window().height();
            Window.Axis width = op.window().width();
            int groups = op.groups();
            int perGroup = w.get(0) / groups;
            this.op = op;
            this.r = r;
            this.descriptors = r.descriptors();
            this.mixed = r.hasBf16();
            this.xType = x;
            this.wType = weights;
            this.yType = y;
            this.x = image(x);
            this.y = image(y);
            this.w = groups == 1 ? Descriptors.dims(w) : new long[] {groups, perGroup, w.get(1), w.get(2), w.get(3)};
            this.strides = new long[] {height.stride(), width.stride()};
            this.gaps = new long[] {height.dilation() - 1, width.dilation() - 1};
            this.padBefore = new long[] {height.padBefore(), width.padBefore()};
            this.padAfter = new long[] {height.padAfter(), width.padAfter()};
            this.out = w.get(0);
            this.narrow = Math.min(perGroup, w.get(1)) < 64
                    && (groups == 1 || !weights.dtype().isByte());
            this.strided = height.stride() > 1 || width.stride() > 1;
        }

        private dnnl_memory_desc image(Type type) {
            long[] dims = Descriptors.dims(type.shape());
            return descriptors.strided(type.dtype(), dims, Descriptors.channelsLast(dims));
        }

        /** The forward kernel, all in bf16 if anything is. */
        PrimitiveDescriptor hint() {
            return mixed
                    ? new Geometry(op, r, bf16(xType), bf16(wType), bf16(yType)).forward(null, Epilogue.NONE)
                    : forward(null, Epilogue.NONE);
        }

        private static Type bf16(Type type) {
            return new Type(DType.BF16, type.shape());
        }

        PrimitiveDescriptor forward(@Nullable Layout given, Epilogue more) {
            int outputs = op.groups() == 1 ? 1 : 3;
            dnnl_primitive_attr attributes =
                    more.attributes(r, descriptors, outputs, dtype -> image(new Type(dtype, yType.shape())));
            dnnl_memory_desc bias = more.hasBias() ? descriptors.plain(DType.F32, out) : NO_BIAS;
            return withWeights(
                    given,
                    weights -> descriptors.primitive(
                            (desc, engine, plain) -> dnnl_convolution_forward_primitive_desc_create(
                                    desc,
                                    engine,
                                    dnnl_forward_training,
                                    dnnl_convolution_direct,
                                    x,
                                    weights,
                                    bias,
                                    y,
                                    strides,
                                    gaps,
                                    padBefore,
                                    padAfter,
                                    attributes),
                            names -> choose(names, narrow)));
        }

        PrimitiveDescriptor backwardData(@Nullable Layout given, PrimitiveDescriptor hint) {
            return withWeights(
                    given,
                    weights -> descriptors.primitive(
                            (desc, engine, attributes) -> dnnl_convolution_backward_data_primitive_desc_create(
                                    desc,
                                    engine,
                                    dnnl_convolution_direct,
                                    x,
                                    weights,
                                    y,
                                    strides,
                                    gaps,
                                    padBefore,
                                    padAfter,
                                    hint.desc(),
                                    attributes),
                            names -> choose(names, narrow || strided)));
        }

        PrimitiveDescriptor backwardWeights(@Nullable Layout wanted, PrimitiveDescriptor hint) {
            return withWeights(
                    wanted,
                    weights -> descriptors.primitive(
                            (desc, engine, attributes) -> dnnl_convolution_backward_weights_primitive_desc_create(
                                    desc,
                                    engine,
                                    dnnl_convolution_direct,
                                    x,
                                    weights,
                                    NO_BIAS,
                                    y,
                                    strides,
                                    gaps,
                                    padBefore,
                                    padAfter,
                                    hint.desc(),
                                    attributes),
                            names -> choose(names, narrow)));
        }

        /** Weights stay as they lie where a fast kernel takes them so; elsewhere oneDNN chooses. */
        private PrimitiveDescriptor withWeights(
                @Nullable Layout given, Function<dnnl_memory_desc, PrimitiveDescriptor> describe) {
            if (given != null && Descriptors.fits(given, w)) {
                PrimitiveDescriptor kept = describe.apply(descriptors.of(given, w));
                if (!kept.slow()) {
                    return kept;
                }
            }
            return describe.apply(descriptors.any(wType.dtype(), w));
        }

        /**
         * oneDNN lists its brgemm kernels first. They are right for wide layers; below 64 channels its older jit kernels
         * are 1.2 to 4 times faster, and where it strides backwards up to 4 times. The plain jit kernels stride a 1×1
         * window better than those made for it. (Measured on Zen 5; {@code KernelTimings} shows what comes of it.)
         */
        private int choose(List<String> names, boolean preferJit) {
            String first = names.get(0);
            String isa = first.substring(first.lastIndexOf(':'));
            boolean grouped = w.length > 4;
            String wanted = strided && !grouped ? "jit:" : "jit";
            int any = -1;
            for (int i = 0; i < names.size(); i++) {
                String name = names.get(i);
                if (isWrong(name)) {
                    continue;
                } else if (!preferJit || (name.startsWith(wanted) && name.endsWith(isa))) {
                    return i;
                }
                any = any < 0 ? i : any;
            }
            return Math.max(any, 0);
        }

        /** oneDNN 3.11 adds up something else where it takes channels by twos and their number is odd. */
        private boolean isWrong(String name) {
            boolean odd = w[w.length - 3] % 2 != 0 || w[w.length - 4] % 2 != 0;
            return odd && name.startsWith("jit_bf16_1x1");
        }
    }

    private ConvolutionKernels() {}
}
