package dev.hadal.nn;

import dev.hadal.graph.Value;
import dev.hadal.op.Bias;
import dev.hadal.op.Convolution;
import dev.hadal.op.Window;
import dev.hadal.tensor.Shape;

/** Convolution with learned square kernels, from [N,C,H,W] to [N,out,H',W']; Kaiming-normal weights. */
public record Conv2d(int out, int kernel, Window window, int groups, boolean bias) implements Layer {

    public Conv2d {
        if (out < 1 || kernel < 1) {
            throw new IllegalArgumentException(
                    "conv2d needs at least one channel and one tap, got out=" + out + " and kernel=" + kernel);
        }
    }

    /** Zero padding of ⌊kernel / 2⌋ on every side: an odd kernel at stride 1 then keeps the image's size. */
    public Conv2d padded() {
        Window.Axis h = window.height();
        return window(Window.of(h.stride(), kernel / 2, h.dilation()));
    }

    public Conv2d stride(int stride) {
        Window.Axis h = window.height();
        return window(Window.of(stride, h.padBefore(), h.dilation()));
    }

    /** Any geometry. */
    public Conv2d window(Window geometry) {
        return new Conv2d(out, kernel, geometry, groups, bias);
    }

    public Conv2d groups(int count) {
        return new Conv2d(out, kernel, window, count, bias);
    }

    public Conv2d biased() {
        return new Conv2d(out, kernel, window, groups, true);
    }

    @Override
    public Value apply(Scope scope, Value x) {
        if (x.shape().rank() != 4 || x.shape().get(1) % groups != 0) {
            throw scope.error("conv2d with groups=" + groups
                    + " takes [N,C,H,W] with C a multiple of the groups, but got " + x.type());
        }
        Shape shape = Shape.of(out, x.shape().get(1) / groups, kernel, kernel);
        Value y = new Convolution(window, groups).of(x, scope.weight("weight", shape, Init.kaimingNormal()));
        return bias ? new Bias().of(y, scope.weight("bias", Shape.of(out), Init.zeros())) : y;
    }
}
