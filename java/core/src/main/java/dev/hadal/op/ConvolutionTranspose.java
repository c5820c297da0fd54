package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A convolution run backwards, as ONNX's ConvTranspose defines it: the gradient of {@link #convolution} with respect to
 * its data, with x: [N,C,H,W], w: [C,O/groups,KH,KW] and y: [N,O,H',W'], where
 * H' = (H − 1)·stride − padding + dilation·(KH − 1) + 1 + extraHeight.
 *
 * @param extraHeight how many rows are added below, fewer than the stride: of the heights that the convolution brings to
 *     H, which one; PyTorch's output_padding
 * @param extraWidth likewise
 */
public record ConvolutionTranspose(Window window, int groups, int extraHeight, int extraWidth) implements Op {

    public ConvolutionTranspose {
        if (groups < 1) {
            throw new IllegalArgumentException("a transposed convolution needs groups >= 1, got " + groups);
        }
        if (extraHeight < 0
                || extraWidth < 0
                || extraHeight >= window.height().stride()
                || extraWidth >= window.width().stride()) {
            throw new IllegalArgumentException("a transposed convolution of " + window
                    + " adds at least 0 and fewer rows and columns than its stride, not " + extraHeight + " and "
                    + extraWidth);
        }
    }

    @Override
    public String name() {
        return "convolution_transpose";
    }

    /** The convolution that takes y to x. */
    public Convolution convolution() {
        return new Convolution(window, groups);
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x", "w");
        Shape x = Require.f32(name(), "x", in.get(0), "N,C,H,W");
        Shape w = Require.f32(name(), "w", in.get(1), "C,O/groups,KH,KW");
        Require.that(
                x.get(1) == w.get(0) && x.get(1) % groups == 0,
                "%s: x %s has %d channels, but w %s takes %d in groups=%d",
                name(),
                x,
                x.get(1),
                w,
                w.get(0),
                groups);
        long height = out(window.height(), x.get(2), w.get(2), extraHeight);
        long width = out(window.width(), x.get(3), w.get(3), extraWidth);
        long channels = (long) w.get(1) * groups;
        Require.that(
                Math.min(Math.min(x.get(2), x.get(3)), Math.min(w.get(2), w.get(3))) >= 1
                        && Math.min(height, width) >= 1
                        && Math.max(channels, Math.max(height, width)) <= Integer.MAX_VALUE,
                "%s: x %s and w %s with %s leave a result of %dx%d; each must be in 1 … 2^31 - 1",
                name(),
                x,
                w,
                window,
                height,
                width);
        return List.of(Type.f32(x.get(0), (int) channels, (int) height, (int) width));
    }

    private static long out(Window.Axis axis, int in, int kernel, int extra) {
        return (in - 1L) * axis.stride()
                - axis.padBefore()
                - axis.padAfter()
                + axis.dilation() * (kernel - 1L)
                + 1
                + extra;
    }

    /** dx is the convolution of dy, and dw the gradient of its weights. */
    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        Value w = y.input(1);
        Value g = Objects.requireNonNull(dy.get(0));
        return List.of(
                convolution().of(g, w), new Convolution.BackwardWeights(convolution(), w.shape()).of(g, y.input(0)));
    }

    @Override
    public String toString() {
        return name() + "[" + window + (groups == 1 ? "" : ", groups " + groups) + "]";
    }
}
