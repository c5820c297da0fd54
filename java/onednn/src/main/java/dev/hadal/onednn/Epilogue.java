package dev.hadal.onednn;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_ATTR_SCALES;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_ATTR_ZERO_POINTS;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_BIAS;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC_1;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_WEIGHTS;
import static org.bytedeco.dnnl.global.dnnl.dnnl_binary_add;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_clip;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_elu;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_gelu_erf;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_gelu_tanh;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_hardsigmoid;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_hardswish;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_linear;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_logistic;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_mish;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_relu;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_soft_relu;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_swish;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_tanh;
import static org.bytedeco.dnnl.global.dnnl.dnnl_post_ops_append_binary;
import static org.bytedeco.dnnl.global.dnnl.dnnl_post_ops_append_eltwise;
import static org.bytedeco.dnnl.global.dnnl.dnnl_post_ops_append_prelu;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_attr_set_scales_mask;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_attr_set_zero_points_mask;

import dev.hadal.backend.Layout;
import dev.hadal.graph.Fused;
import dev.hadal.graph.Op;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Activation;
import dev.hadal.op.Bias;
import dev.hadal.op.Quantization;
import dev.hadal.op.Quantized;
import dev.hadal.tensor.DType;
import java.util.List;
import java.util.function.Function;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.dnnl_post_ops;
import org.bytedeco.dnnl.dnnl_primitive_attr;
import org.jspecify.annotations.Nullable;

/**
 * What a primitive does to its results before it writes them: adds a bias, adds a value that lies as they do, applies an
 * activation.
 */
final class Epilogue {
    /** Nothing at all. */
    static final Epilogue NONE = new Epilogue(List.of(), null);

    private static final List<Float> PAIR = List.of(1f, 1f);

    private final List<Fused.Part> parts;
    private final @Nullable Quantized quantized;

    private Epilogue(List<Fused.Part> parts, @Nullable Quantized quantized) {
        this.parts = parts;
        this.quantized = quantized;
    }

    /** What follows the product in a quantized op, and the scales; null if a primitive cannot do that. */
    static @Nullable Epilogue of(Quantized op) {
        Op inner = op.op();
        if (!(inner instanceof Fused chain)) {
            return new Epilogue(List.of(), op);
        }
        return chain.keep() || !canFollow(chain, true) ? null : new Epilogue(chain.epilogue(), op);
    }

    /** What follows the first op of a chain; null if a primitive cannot do that. */
    static @Nullable Epilogue of(Fused op) {
        return canFollow(op, false) ? new Epilogue(op.epilogue(), null) : null;
    }

    private static boolean canFollow(Fused op, boolean quantized) {
        for (int i = 1; i < op.parts().size(); i++) {
            Fused.Part part = op.parts().get(i);
            boolean can = part.op() instanceof Bias
                    ? i == 1
                    : part.op() instanceof Activation a
                            ? quantized ? a.function() != Activation.Function.SELU : fits(a.function())
                            : part.op() instanceof WeightedSum sum
                                    && sum.scales().equals(PAIR);
            if (!can) {
                return false;
            }
        }
        return true;
    }

    /** Of the others, oneDNN loses NaN, or digits that 8 bits do not have, or time. */
    private static boolean fits(Activation.Function function) {
        return switch (function) {
            case RELU, LEAKY_RELU, SIGMOID, TANH, SILU, HARD_SWISH -> true;
            case GELU, GELU_TANH, ELU, SELU, RELU6, HARD_SIGMOID, SOFTPLUS, MISH -> false;
        };
    }

    boolean hasBias() {
        return !parts.isEmpty() && parts.get(0).op() instanceof Bias;
    }

    private List<Fused.Part> postOps() {
        return hasBias() ? parts.subList(1, parts.size()) : parts;
    }

    /**
     * The common attributes, and these operations.
     *
     * @param outputs the bits of the axes of the weights along which they have scales
     * @param result how the result lies, and a value of another type that lies as it does
     */
    dnnl_primitive_attr attributes(
            Request r, Descriptors descriptors, int outputs, Function<DType, dnnl_memory_desc> result) {
        return descriptors.with(attr -> scale(attr, outputs), operations -> {
            int operand = hasBias() ? 3 : 2;
            for (Fused.Part part : postOps()) {
                if (part.op() instanceof Activation a) {
                    append(a, operations);
                } else {
                    append(
                            quantization(operand),
                            operations,
                            result.apply(r.type(operand).dtype()));
                    operand++;
                }
            }
        });
    }

    private Quantization quantization(int operand) {
        return quantized == null ? Quantization.NONE : quantized.operands().get(operand);
    }

    private Quantization toResult() {
        return quantized == null ? Quantization.NONE : quantized.results().get(0);
    }

    private void scale(dnnl_primitive_attr attr, int outputs) {
        scale(attr, DNNL_ARG_SRC, quantization(0), 0);
        scale(attr, DNNL_ARG_WEIGHTS, quantization(1), outputs);
        scale(attr, DNNL_ARG_DST, toResult(), 0);
    }

    private static void scale(dnnl_primitive_attr attr, int argument, Quantization q, int axes) {
        if (q.quantizes()) {
            int mask = q.isPerIndex() ? axes : 0;
            Status.check(dnnl_primitive_attr_set_scales_mask(attr, argument, mask), "setting a scale");
        }
        if (q.zeroPoint() != 0) {
            Status.check(dnnl_primitive_attr_set_zero_points_mask(attr, argument, 0), "setting a zero point");
        }
    }

    /**
     * A value that is added. One of 8 bits is added in its own scale s:
     *
     * <pre>
     *   y + s·(q − z) = s·((y/s − z) + q)
     * </pre>
     */
    private static void append(Quantization q, dnnl_post_ops operations, dnnl_memory_desc value) {
        if (q.quantizes()) {
            append(operations, dnnl_eltwise_linear, 1 / q.scale(0), -q.zeroPoint());
        }
        Status.check(dnnl_post_ops_append_binary(operations, dnnl_binary_add, value), "adding a value in a primitive");
        if (q.quantizes()) {
            append(operations, dnnl_eltwise_linear, q.scale(0), 0);
        }
    }

    private static void append(dnnl_post_ops operations, int algorithm, float alpha, float beta) {
        Status.check(
                dnnl_post_ops_append_eltwise(operations, algorithm, alpha, beta), "adding a function to a primitive");
    }

    /** Integers are no NaN, which oneDNN's own ReLU would lose. */
    private void append(Activation a, dnnl_post_ops operations) {
        if (isRelu(a) && quantized != null) {
            append(operations, dnnl_eltwise_relu, a.alpha(), 0);
            return;
        }
        int status = isRelu(a)
                ? dnnl_post_ops_append_prelu(operations, 0)
                : dnnl_post_ops_append_eltwise(
                        operations, algorithm(a.function()), ElementwiseKernels.alpha(a), ElementwiseKernels.beta(a));
        Status.check(status, "adding " + a + " to a primitive");
    }

    /** y = x if x ≥ 0, else α·x: with α an operand, which keeps NaN, where oneDNN's ReLU turns it into 0. */
    private static boolean isRelu(Activation a) {
        return a.function() == Activation.Function.RELU || a.function() == Activation.Function.LEAKY_RELU;
    }

    private static int algorithm(Activation.Function function) {
        return switch (function) {
            case SIGMOID -> dnnl_eltwise_logistic;
            case TANH -> dnnl_eltwise_tanh;
            case SILU -> dnnl_eltwise_swish;
            case HARD_SWISH -> dnnl_eltwise_hardswish;
            case ELU -> dnnl_eltwise_elu;
            case GELU -> dnnl_eltwise_gelu_erf;
            case GELU_TANH -> dnnl_eltwise_gelu_tanh;
            case RELU6 -> dnnl_eltwise_clip;
            case HARD_SIGMOID -> dnnl_eltwise_hardsigmoid;
            case SOFTPLUS -> dnnl_eltwise_soft_relu;
            case MISH -> dnnl_eltwise_mish;
            default -> throw new IllegalArgumentException("no epilogue applies " + function);
        };
    }

    /**
     * Names the operands.
     *
     * @param result how the result lies
     */
    void bind(PrimitiveKernel.Builder kernel, Request r, int firstOperand, Layout result) {
        int operand = firstOperand;
        if (hasBias()) {
            kernel.in(DNNL_ARG_BIAS, Layout.plain(r.type(operand++)));
        }
        int argument = DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE;
        for (Fused.Part part : postOps()) {
            if (!(part.op() instanceof Activation a)) {
                boolean scaled = quantization(operand).quantizes();
                argument += scaled ? DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE : 0;
                kernel.in(argument | DNNL_ARG_SRC_1, result.as(r.type(operand++).dtype()));
                argument += scaled ? DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE : 0;
            } else if (isRelu(a) && quantized == null) {
                kernel.constant(argument | DNNL_ARG_WEIGHTS, NativeMemory.of(a.alpha()));
            }
            argument += DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE;
        }
        bind(kernel, DNNL_ARG_SRC, quantization(0));
        bind(kernel, DNNL_ARG_WEIGHTS, quantization(1));
        bind(kernel, DNNL_ARG_DST, toResult());
    }

    private static void bind(PrimitiveKernel.Builder kernel, int argument, Quantization q) {
        if (q.quantizes()) {
            float[] scales = new float[q.scales().size()];
            for (int i = 0; i < scales.length; i++) {
                scales[i] = q.scale(i);
            }
            kernel.constant(DNNL_ARG_ATTR_SCALES | argument, NativeMemory.of(scales));
        }
        if (q.zeroPoint() != 0) {
            kernel.constant(DNNL_ARG_ATTR_ZERO_POINTS | argument, DType.I32, NativeMemory.of(q.zeroPoint()));
        }
    }
}
