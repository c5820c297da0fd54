package dev.hadal.nn;

import dev.hadal.graph.Value;
import dev.hadal.op.Bias;
import dev.hadal.op.Convolution;
import dev.hadal.op.Window;
import dev.hadal.tensor.Shape;

/**
 * Convolution with learned kernels, from [N,C,H,W] to [N,out,H',W'].
 *
 * @param groups 0 for as many as there are channels
 * @param init how the weights begin: Kaiming-normal if nothing else is said
 */
public record Conv2d(int out, int kernelHeight, int kernelWidth, Window window, int groups, boolean bias, Init init)
        implements Layer {
    private static final int DEPTHWISE = 0;

    public Conv2d {
        if (out < 1 || kernelHeight < 1 || kernelWidth < 1) {
            throw new IllegalArgumentException("conv2d needs at least one channel and one tap, got out=" + out
                    + " and a kernel of " + kernelHeight + "x" + kernelWidth);
        }
    }

    /** Zero padding of ⌊extent / 2⌋ of the kernel on every side: an odd kernel at stride 1 then keeps the size. */
    public Conv2d padded() {
        return window(new Window(padded(window.height(), kernelHeight), padded(window.width(), kernelWidth)));
    }

    private static Window.Axis padded(Window.Axis axis, int kernel) {
        int padding = (axis.dilation() * (kernel - 1) + 1) / 2;
        return new Window.Axis(axis.stride(), padding, padding, axis.dilation());
    }

    public Conv2d stride(int stride) {
        return window(new Window(strided(window.height(), stride), strided(window.width(), stride)));
    }

    private static Window.Axis strided(Window.Axis axis, int stride) {
        return new Window.Axis(stride, axis.padBefore(), axis.padAfter(), axis.dilation());
    }

    /** The distance from tap to tap of the kernel; set it before {@link #padded}. */
    public Conv2d dilation(int dilation) {
        return window(new Window(dilated(window.height(), dilation), dilated(window.width(), dilation)));
    }

    private static Window.Axis dilated(Window.Axis axis, int dilation) {
        return new Window.Axis(axis.stride(), axis.padBefore(), axis.padAfter(), dilation);
    }

    /** Any geometry. */
    public Conv2d window(Window geometry) {
        return new Conv2d(out, kernelHeight, kernelWidth, geometry, groups, bias, init);
    }

    public Conv2d groups(int count) {
        return new Conv2d(out, kernelHeight, kernelWidth, window, count, bias, init);
    }

    /** Each channel on its own: as many groups as there are channels, of which out must be a multiple. */
    public Conv2d depthwise() {
        return groups(DEPTHWISE);
    }

    public Conv2d biased() {
        return new Conv2d(out, kernelHeight, kernelWidth, window, groups, true, init);
    }

    /** With other weights to begin with. */
    public Conv2d init(Init weights) {
        return new Conv2d(out, kernelHeight, kernelWidth, window, groups, bias, weights);
    }

    @Override
    public Value apply(Scope scope, Value x) {
        int count = groups == DEPTHWISE && x.shape().rank() == 4 ? x.shape().get(1) : groups;
        if (x.shape().rank() != 4 || count < 1 || x.shape().get(1) % count != 0) {
            throw scope.error("conv2d with groups=" + groups
                    + " takes [N,C,H,W] with C a multiple of the groups, but got " + x.type());
        }
        Shape shape = Shape.of(out, x.shape().get(1) / count, kernelHeight, kernelWidth);
        Value y = new Convolution(window, count).of(x, scope.weight("weight", shape, init));
        return bias ? new Bias().of(y, scope.weight("bias", Shape.of(out), Init.zeros())) : y;
    }
}
