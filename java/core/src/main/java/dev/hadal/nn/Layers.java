package dev.hadal.nn;

import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Activation;
import dev.hadal.op.GlobalAveragePool;
import dev.hadal.op.LogSoftmax;
import dev.hadal.op.Reshape;
import dev.hadal.op.Softmax;
import dev.hadal.op.Window;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/** The layers, by the names under which the field knows them. */
public final class Layers {

    /** One layer after another; the i-th has the path {@code i}. */
    public static Layer sequential(Layer... layers) {
        List<Layer> all = List.of(layers);
        return (scope, x) -> {
            Value y = x;
            for (int i = 0; i < all.size(); i++) {
                y = scope.call(String.valueOf(i), all.get(i), y);
            }
            return y;
        };
    }

    /** Layers numbered from 0 to count − 1, one after another. */
    public static Layer repeat(int count, IntFunction<Layer> layer) {
        List<Layer> layers = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            layers.add(layer.apply(i));
        }
        return sequential(layers.toArray(Layer[]::new));
    }

    /** x + body(x) (He, Zhang, Ren and Sun 2016); the body must keep the shape, or have a shortcut to match. */
    public static Residual residual(Layer... body) {
        return new Residual(sequential(body), null);
    }

    /** A square convolution without padding, stride 1, without bias; change it by {@link Conv2d}'s methods. */
    public static Conv2d conv2d(int out, int kernel) {
        return new Conv2d(out, kernel, Window.UNIT, 1, false);
    }

    /** y = x·Wᵀ + b, from [N,…,in] to [N,…,out]. */
    public static Layer linear(int out) {
        return new Linear(out, true);
    }

    /** Batch normalization along the channels, ε = 10⁻⁵, with running statistics of momentum 0.1. */
    public static Layer batchNorm() {
        return new BatchNormalization(1e-5f, 0.1f);
    }

    /** Layer normalization over the last axis of [N,…,C], ε = 10⁻⁵, with learned scale and bias: [C]. */
    public static Layer layerNorm() {
        return layerNorm(1);
    }

    /** The same over the last few axes, with scale and bias of their shape. */
    public static Layer layerNorm(int axes) {
        return new Normalization(Normalization.Kind.LAYER, axes, 1e-5f);
    }

    /** Root-mean-square normalization over the last axis of [N,…,C], ε = 10⁻⁵, with a learned scale: [C]. */
    public static Layer rmsNorm() {
        return new Normalization(Normalization.Kind.RMS, 1, 1e-5f);
    }

    /** Normalization of [N,C,…] over groups of channels, ε = 10⁻⁵, with learned scale and bias: [C]. */
    public static Layer groupNorm(int groups) {
        return new Normalization(Normalization.Kind.GROUP, groups, 1e-5f);
    }

    /** Normalization of [N,C,…] over each plane by itself, ε = 10⁻⁵, with learned scale and bias: [C]. */
    public static Layer instanceNorm() {
        return new Normalization(Normalization.Kind.INSTANCE, 1, 1e-5f);
    }

    /** y = eˣ / Σ eˣ along the last axis. */
    public static Layer softmax() {
        return softmax(-1);
    }

    /** The same along another axis; −1 is the last. */
    public static Layer softmax(int axis) {
        return (scope, x) -> new Softmax(axis).of(x);
    }

    /** y = x − log Σ eˣ along the last axis. */
    public static Layer logSoftmax() {
        return logSoftmax(-1);
    }

    /** The same along another axis; −1 is the last. */
    public static Layer logSoftmax(int axis) {
        return (scope, x) -> new LogSoftmax(axis).of(x);
    }

    public static Layer relu() {
        return (scope, x) -> new Activation(Activation.Function.RELU).of(x);
    }

    public static Layer sigmoid() {
        return (scope, x) -> new Activation(Activation.Function.SIGMOID).of(x);
    }

    public static Layer tanh() {
        return (scope, x) -> new Activation(Activation.Function.TANH).of(x);
    }

    /** The mean of each plane, from [N,C,H,W] to [N,C]. */
    public static Layer globalAveragePool() {
        return (scope, x) -> new Reshape(List.of(0, 0)).of(new GlobalAveragePool().of(x));
    }

    /** From [N,…] to [N, everything else]. */
    public static Layer flatten() {
        return (scope, x) -> new Reshape(List.of(0, -1)).of(x);
    }

    /** A residual sum. */
    public record Residual(Layer body, @Nullable Layer shortcut) implements Layer {

        /** shortcut(x) + body(x), for a body that changes the shape. */
        public Residual shortcut(Layer... layers) {
            return new Residual(body, sequential(layers));
        }

        @Override
        public Value apply(Scope scope, Value x) {
            Value y = scope.call("body", body, x);
            Value skip = shortcut == null ? x : scope.call("shortcut", shortcut, x);
            if (!skip.type().equals(y.type())) {
                throw scope.error("the body of this residual turns " + x.type() + " into " + y.type()
                        + ", which cannot be added to " + skip.type()
                        + (shortcut == null ? "; add a shortcut, such as a 1x1 convolution" : " of the shortcut"));
            }
            return WeightedSum.sum(List.of(skip, y));
        }
    }

    private Layers() {}
}
