package dev.hadal.nn;

import dev.hadal.graph.Value;
import dev.hadal.op.Pool;
import dev.hadal.op.Pooling.Function;
import dev.hadal.op.Window;

/** A pooling of [N,C,H,W] by a sliding kernel, to [N,C,H',W']. */
public record Pool2d(Function function, int kernelHeight, int kernelWidth, Window window) implements Layer {

    /** How far the kernel slides; its own size, unless said. */
    public Pool2d stride(int stride) {
        return window(
                window.height().padBefore(), stride, stride, window.height().dilation());
    }

    /** Padding on every side, of no more than half the kernel. */
    public Pool2d padding(int padding) {
        return window(
                padding,
                window.height().stride(),
                window.width().stride(),
                window.height().dilation());
    }

    /** The gap from tap to tap of the kernel. */
    public Pool2d dilation(int dilation) {
        return window(
                window.height().padBefore(),
                window.height().stride(),
                window.width().stride(),
                dilation);
    }

    private Pool2d window(int padding, int strideHeight, int strideWidth, int dilation) {
        return window(new Window(
                new Window.Axis(strideHeight, padding, padding, dilation),
                new Window.Axis(strideWidth, padding, padding, dilation)));
    }

    /** Any geometry. */
    public Pool2d window(Window geometry) {
        return new Pool2d(function, kernelHeight, kernelWidth, geometry);
    }

    /** An average of what is no padding: PyTorch's count_include_pad=False. */
    public Pool2d withoutPadding() {
        if (function == Function.MAX) {
            throw new IllegalArgumentException("a maximum never counts its padding; withoutPadding() is for averages");
        }
        return new Pool2d(Function.AVERAGE_WITHOUT_PADDING, kernelHeight, kernelWidth, window);
    }

    @Override
    public Value apply(Scope scope, Value x) {
        return new Pool(function, kernelHeight, kernelWidth, window).of(x);
    }
}
