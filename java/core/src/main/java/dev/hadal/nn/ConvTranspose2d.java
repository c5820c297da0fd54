package dev.hadal.nn;

import dev.hadal.graph.Value;
import dev.hadal.op.Bias;
import dev.hadal.op.ConvolutionTranspose;
import dev.hadal.op.Window;
import dev.hadal.tensor.Shape;

/**
 * Transposed convolution with learned square kernels, from [N,C,H,W] to [N,out,H',W'] with
 * H' = (H − 1)·stride − 2·padding + kernel + extra and weights [C, out/groups, kernel, kernel].
 *
 * @param init how the weights begin: Kaiming-normal if nothing else is said
 */
public record ConvTranspose2d(int out, int kernel, Window window, int extra, int groups, boolean bias, Init init)
        implements Layer {

    public ConvTranspose2d {
        if (out < 1 || kernel < 1 || groups < 1 || out % groups != 0) {
            throw new IllegalArgumentException("convTranspose2d needs at least one tap, and channels in whole groups,"
                    + " got kernel=" + kernel + ", out=" + out + " and groups=" + groups);
        }
    }

    public ConvTranspose2d stride(int stride) {
        Window.Axis h = window.height();
        return window(Window.of(stride, h.padBefore(), h.dilation()));
    }

    /** Takes so many rows and columns off every side of the result. */
    public ConvTranspose2d padding(int padding) {
        Window.Axis h = window.height();
        return window(Window.of(h.stride(), padding, h.dilation()));
    }

    /** Any geometry. */
    public ConvTranspose2d window(Window geometry) {
        return new ConvTranspose2d(out, kernel, geometry, extra, groups, bias, init);
    }

    /** Adds rows and columns at the end, fewer than the stride; PyTorch's output_padding. */
    public ConvTranspose2d extra(int count) {
        return new ConvTranspose2d(out, kernel, window, count, groups, bias, init);
    }

    public ConvTranspose2d groups(int count) {
        return new ConvTranspose2d(out, kernel, window, extra, count, bias, init);
    }

    public ConvTranspose2d biased() {
        return new ConvTranspose2d(out, kernel, window, extra, groups, true, init);
    }

    /** With other weights to begin with. */
    public ConvTranspose2d init(Init weights) {
        return new ConvTranspose2d(out, kernel, window, extra, groups, bias, weights);
    }

    @Override
    public Value apply(Scope scope, Value x) {
        if (x.shape().rank() != 4 || x.shape().get(1) % groups != 0) {
            throw scope.error("convTranspose2d with groups=" + groups
                    + " takes [N,C,H,W] with C a multiple of the groups, but got " + x.type());
        }
        Shape shape = Shape.of(x.shape().get(1), out / groups, kernel, kernel);
        Value w = scope.weight("weight", shape, init);
        Value y = new ConvolutionTranspose(window, groups, extra, extra).of(x, w);
        return bias ? new Bias().of(y, scope.weight("bias", Shape.of(out), Init.zeros())) : y;
    }
}
