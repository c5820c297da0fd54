package dev.hadal.onednn;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_BIAS;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC_1;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_WEIGHTS;
import static org.bytedeco.dnnl.global.dnnl.dnnl_binary_add;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_hardswish;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_logistic;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_swish;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_tanh;
import static org.bytedeco.dnnl.global.dnnl.dnnl_post_ops_append_binary;
import static org.bytedeco.dnnl.global.dnnl.dnnl_post_ops_append_eltwise;
import static org.bytedeco.dnnl.global.dnnl.dnnl_post_ops_append_prelu;

import dev.hadal.backend.Layout;
import dev.hadal.graph.Fused;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Activation;
import dev.hadal.op.Bias;
import java.util.List;
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
    static final Epilogue NONE = new Epilogue(List.of());

    private static final List<Float> PAIR = List.of(1f, 1f);

    private final List<Fused.Part> parts;

    private Epilogue(List<Fused.Part> parts) {
        this.parts = parts;
    }

    /** What follows the first op of a chain; null if a primitive cannot do that. */
    static @Nullable Epilogue of(Fused op) {
        for (int i = 1; i < op.parts().size(); i++) {
            Fused.Part part = op.parts().get(i);
            boolean can = part.op() instanceof Bias
                    ? i == 1
                    : part.op() instanceof Activation a
                            ? fits(a.function())
                            : part.op() instanceof WeightedSum sum
                                    && sum.scales().equals(PAIR);
            if (!can) {
                return null;
            }
        }
        return new Epilogue(op.epilogue());
    }

    /** Of the others, oneDNN loses NaN, or digits, or time. */
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
     * @param result how the result lies
     */
    dnnl_primitive_attr attributes(Descriptors descriptors, dnnl_memory_desc result) {
        return descriptors.with(operations -> {
            for (Fused.Part part : postOps()) {
                append(part, operations, result);
            }
        });
    }

    private static void append(Fused.Part part, dnnl_post_ops operations, dnnl_memory_desc result) {
        int status = !(part.op() instanceof Activation a)
                ? dnnl_post_ops_append_binary(operations, dnnl_binary_add, result)
                : isRelu(a)
                        ? dnnl_post_ops_append_prelu(operations, 0)
                        : dnnl_post_ops_append_eltwise(
                                operations,
                                algorithm(a.function()),
                                ElementwiseKernels.alpha(a),
                                ElementwiseKernels.beta(a));
        Status.check(status, "adding " + part.op() + " to a primitive");
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
                kernel.in(argument | DNNL_ARG_SRC_1, result);
            } else if (isRelu(a)) {
                kernel.constant(argument | DNNL_ARG_WEIGHTS, NativeMemory.of(a.alpha()));
            }
            argument += DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE;
        }
    }
}
