package dev.hadal.onednn;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_ATTR_SCALES;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DIFF_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DIFF_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_MULTIPLE_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC_0;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC_1;
import static org.bytedeco.dnnl.global.dnnl.dnnl_binary_add;
import static org.bytedeco.dnnl.global.dnnl.dnnl_binary_max;
import static org.bytedeco.dnnl.global.dnnl.dnnl_binary_primitive_desc_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_backward_primitive_desc_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_clip_v2_use_dst_for_bwd;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_elu_use_dst_for_bwd;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_forward_primitive_desc_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_gelu_erf;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_gelu_tanh;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_hardsigmoid;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_hardswish;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_logistic_use_dst_for_bwd;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_mish;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_relu_use_dst_for_bwd;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_soft_relu;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_swish;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_tanh_use_dst_for_bwd;
import static org.bytedeco.dnnl.global.dnnl.dnnl_forward_training;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.graph.WeightedSum;
import dev.hadal.onednn.natives.HadalNative;
import dev.hadal.op.Activation;
import dev.hadal.tensor.DType;
import java.util.List;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.dnnl_primitive_attr;
import org.jspecify.annotations.Nullable;

/**
 * What treats every element alike: to these kernels a value is one row of elements, in whatever layout. Padding they treat
 * as elements too; it is zero, and must come out as zero.
 */
final class ElementwiseKernels {
    private static final float UNUSED = 0;

    static @Nullable Kernel activation(Activation op, Request r) {
        if (!r.hasOneDtype()) {
            return null;
        }
        return switch (op.function()) {
            case RELU -> relu(op, r);
            case ELU, SELU, RELU6, HARD_SIGMOID, SOFTPLUS, MISH ->
                hasHadal(r) ? HadalKernels.activation(op, layout(op.function(), r)) : null;
            case GELU, GELU_TANH ->
                ownGeluIsFaster(r) ? HadalKernels.activation(op, layout(op.function(), r)) : primitive(op, r);
            default -> primitive(op, r);
        };
    }

    /** By 1.6 times forward and 2.4 backward with AVX-512, which looks up 16 values of a table at once. */
    private static boolean ownGeluIsFaster(Request r) {
        return hasHadal(r) && HadalNative.isa().equals("avx512");
    }

    private static Kernel primitive(Activation op, Request r) {
        Layout x = layout(op.function(), r);
        return new PrimitiveKernel.Builder(op, forward(op, row(x, r), r))
                .in(DNNL_ARG_SRC, x)
                .out(DNNL_ARG_DST, x)
                .inPlace(0)
                .build();
    }

    /**
     * max(0·x, x), as fast as oneDNN's own ReLU, which turns NaN into 0: a network that has come apart must not look as if
     * it had not. (−∞ stays as it is, too.)
     */
    private static Kernel relu(Activation op, Request r) {
        Layout x = layout(op.function(), r);
        dnnl_memory_desc row = row(x, r);
        dnnl_primitive_attr scaled = r.descriptors().scaling(DNNL_ARG_SRC_0);
        PrimitiveDescriptor y = r.descriptors()
                .primitive((desc, engine, unscaled) ->
                        dnnl_binary_primitive_desc_create(desc, engine, dnnl_binary_max, row, row, row, scaled));
        return new PrimitiveKernel.Builder(op, y)
                .in(DNNL_ARG_SRC_0, x)
                .alias(DNNL_ARG_SRC_1)
                .constant(DNNL_ARG_ATTR_SCALES | DNNL_ARG_SRC_0, NativeMemory.of(0))
                .out(DNNL_ARG_DST, x)
                .inPlace(0)
                .build();
    }

    static @Nullable Kernel activationBackward(Activation.Backward op, Request r) {
        if (!r.hasOneDtype()) {
            return null;
        }
        return switch (op.function()) {
            case SELU, GELU_TANH, MISH ->
                hasHadal(r) ? HadalKernels.activationBackward(op, layout(op.function(), r)) : null;
            case GELU ->
                ownGeluIsFaster(r) ? HadalKernels.activationBackward(op, layout(op.function(), r)) : primitive(op, r);
            default -> primitive(op, r);
        };
    }

    private static Kernel primitive(Activation.Backward op, Request r) {
        Activation forward = new Activation(op.function(), op.alpha());
        Layout y = layout(op.function(), r);
        dnnl_memory_desc row = row(y, r);
        PrimitiveDescriptor hint = forward(forward, row, r);
        PrimitiveDescriptor dx = r.descriptors()
                .primitive((desc, engine, attributes) -> dnnl_eltwise_backward_primitive_desc_create(
                        desc,
                        engine,
                        algorithm(op.function()),
                        row,
                        row,
                        row,
                        alpha(forward),
                        beta(forward),
                        hint.desc(),
                        attributes));
        return new PrimitiveKernel.Builder(op, dx)
                .in(op.function().slopeFromResult() ? DNNL_ARG_DST : DNNL_ARG_SRC, y)
                .in(DNNL_ARG_DIFF_DST, y)
                .out(DNNL_ARG_DIFF_SRC, y)
                .inPlace(1)
                .build();
    }

    private static PrimitiveDescriptor forward(Activation op, dnnl_memory_desc row, Request r) {
        return r.descriptors()
                .primitive((desc, engine, attributes) -> dnnl_eltwise_forward_primitive_desc_create(
                        desc,
                        engine,
                        dnnl_forward_training,
                        algorithm(op.function()),
                        row,
                        row,
                        alpha(op),
                        beta(op),
                        attributes));
    }

    private static int algorithm(Activation.Function function) {
        return switch (function) {
            case RELU, LEAKY_RELU -> dnnl_eltwise_relu_use_dst_for_bwd;
            case SIGMOID -> dnnl_eltwise_logistic_use_dst_for_bwd;
            case TANH -> dnnl_eltwise_tanh_use_dst_for_bwd;
            case ELU -> dnnl_eltwise_elu_use_dst_for_bwd;
            case RELU6 -> dnnl_eltwise_clip_v2_use_dst_for_bwd;
            case GELU -> dnnl_eltwise_gelu_erf;
            case GELU_TANH -> dnnl_eltwise_gelu_tanh;
            case SILU -> dnnl_eltwise_swish;
            case HARD_SWISH -> dnnl_eltwise_hardswish;
            case HARD_SIGMOID -> dnnl_eltwise_hardsigmoid;
            case SOFTPLUS -> dnnl_eltwise_soft_relu;
            case MISH -> dnnl_eltwise_mish;
            case SELU -> throw new IllegalArgumentException("oneDNN has no SELU");
        };
    }

    static float alpha(Activation op) {
        return switch (op.function()) {
            case LEAKY_RELU, ELU -> op.alpha();
            case SILU, SOFTPLUS -> 1;
            case HARD_SWISH, HARD_SIGMOID -> 1 / 6f;
            default -> UNUSED;
        };
    }

    static float beta(Activation op) {
        return switch (op.function()) {
            case RELU6 -> 6;
            case HARD_SWISH, HARD_SIGMOID -> 0.5f;
            default -> UNUSED;
        };
    }

    private static Layout layout(Activation.Function function, Request r) {
        Layout x = r.common();
        boolean padded = x.bytes() > r.type(0).bytes();
        return padded && !keepsZero(function) ? Layout.plain(r.type(0)) : x;
    }

    private static boolean keepsZero(Activation.Function function) {
        return switch (function) {
            case SIGMOID, HARD_SIGMOID, SOFTPLUS -> false;
            default -> true;
        };
    }

    static @Nullable Kernel weightedSum(WeightedSum op, Request r) {
        if (!r.hasOneDtype()) {
            return null;
        }
        Layout x = r.common();
        boolean pair = op.scales().equals(List.of(1f, 1f));
        PrimitiveKernel.Builder kernel =
                new PrimitiveKernel.Builder(op, pair ? add(row(x, r), r) : sum(op.scales(), row(x, r), r));
        int first = pair ? DNNL_ARG_SRC_0 : DNNL_ARG_MULTIPLE_SRC;
        for (int i = 0; i < op.scales().size(); i++) {
            kernel.in(first + i, x);
        }
        return kernel.out(DNNL_ARG_DST, x).inPlace(0).build();
    }

    /** The sum of two, twice as fast as {@link #sum}. */
    private static PrimitiveDescriptor add(dnnl_memory_desc row, Request r) {
        return r.descriptors()
                .primitive((desc, engine, attributes) ->
                        dnnl_binary_primitive_desc_create(desc, engine, dnnl_binary_add, row, row, row, attributes));
    }

    private static PrimitiveDescriptor sum(List<Float> scales, dnnl_memory_desc row, Request r) {
        float[] factors = new float[scales.size()];
        for (int i = 0; i < factors.length; i++) {
            factors[i] = scales.get(i);
        }
        return r.descriptors().sum(factors, row);
    }

    /** Whether libhadal is there, and has kernels for these values. */
    private static boolean hasHadal(Request r) {
        return Library.get().hasHadal() && !r.hasBf16();
    }

    private static dnnl_memory_desc row(Layout layout, Request r) {
        DType dtype = layout.type().dtype();
        return r.descriptors().plain(dtype, layout.bytes() / dtype.bytes());
    }

    private ElementwiseKernels() {}
}
