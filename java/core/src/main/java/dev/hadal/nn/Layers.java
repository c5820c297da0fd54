package dev.hadal.nn;

import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Activation;
import dev.hadal.op.Activation.Function;
import dev.hadal.op.AdaptivePool;
import dev.hadal.op.Binary;
import dev.hadal.op.Concat;
import dev.hadal.op.Dropout;
import dev.hadal.op.Gather;
import dev.hadal.op.GlobalAveragePool;
import dev.hadal.op.PRelu;
import dev.hadal.op.Pad;
import dev.hadal.op.Pooling;
import dev.hadal.op.Recurrent.Cell;
import dev.hadal.op.Reshape;
import dev.hadal.op.Resize;
import dev.hadal.op.Softmax;
import dev.hadal.op.Transpose;
import dev.hadal.op.Window;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
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
        return conv2d(out, kernel, kernel);
    }

    /** The same with a kernel of another height than width. */
    public static Conv2d conv2d(int out, int kernelHeight, int kernelWidth) {
        return new Conv2d(out, kernelHeight, kernelWidth, Window.UNIT, 1, false, Init.kaimingNormal());
    }

    /** A convolution of sequences [N,C,L] without padding, stride 1, without bias; change it by {@link Conv1d}'s methods. */
    public static Conv1d conv1d(int out, int kernel) {
        return new Conv1d(out, kernel, Conv1d.ONE, 1, false, Init.kaimingNormal());
    }

    /** A square transposed convolution, stride 1, without bias; change it by {@link ConvTranspose2d}'s methods. */
    public static ConvTranspose2d convTranspose2d(int out, int kernel) {
        return new ConvTranspose2d(out, kernel, Window.UNIT, 0, 1, false, Init.kaimingNormal());
    }

    /** Drops that share of the values at random while it trains, and makes the others larger to match; of any shape. */
    public static Layer dropout(double rate) {
        Dropout dropout = new Dropout((float) rate);
        return (scope, x) -> dropout.of(x);
    }

    /** y = x·Wᵀ + b, from [N,…,in] to [N,…,out]. */
    public static Linear linear(int out) {
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
        return (scope, x) -> new Softmax(axis, false).of(x);
    }

    /** y = x − log Σ eˣ along the last axis. */
    public static Layer logSoftmax() {
        return logSoftmax(-1);
    }

    /** The same along another axis; −1 is the last. */
    public static Layer logSoftmax(int axis) {
        return (scope, x) -> new Softmax(axis, true).of(x);
    }

    /** A simple recurrent network, h ← tanh(W·x + b + U·h + b′), from [N,T,features] to [N,T,hidden]. */
    public static Recurrence rnn(int hidden) {
        return new Recurrence(Cell.RNN_TANH, hidden, 1, false, false);
    }

    /** Long short-term memory, from [N,T,features] to [N,T,hidden]. */
    public static Recurrence lstm(int hidden) {
        return new Recurrence(Cell.LSTM, hidden, 1, false, false);
    }

    /** A network of gated recurrent units, from [N,T,features] to [N,T,hidden]. */
    public static Recurrence gru(int hidden) {
        return new Recurrence(Cell.GRU, hidden, 1, false, false);
    }

    /** y = max(x, 0), of any shape. */
    public static Layer relu() {
        return activation(new Activation(Function.RELU));
    }

    /** y = 1 / (1 + e⁻ˣ), of any shape. */
    public static Layer sigmoid() {
        return activation(new Activation(Function.SIGMOID));
    }

    /** y = tanh x, of any shape. */
    public static Layer tanh() {
        return activation(new Activation(Function.TANH));
    }

    /** y = x if x > 0, else x/100, of any shape. */
    public static Layer leakyRelu() {
        return activation(new Activation(Function.LEAKY_RELU));
    }

    /** y = x if x > 0, else slope·x, of any shape; the slope is not negative. */
    public static Layer leakyRelu(float slope) {
        return activation(new Activation(Function.LEAKY_RELU, slope));
    }

    /** y = x if x > 0, else eˣ − 1, of any shape. */
    public static Layer elu() {
        return activation(new Activation(Function.ELU));
    }

    /** y = λ·x if x > 0, else λ·α·(eˣ − 1), of any shape. */
    public static Layer selu() {
        return activation(new Activation(Function.SELU));
    }

    /** y = min(max(x, 0), 6), of any shape. */
    public static Layer relu6() {
        return activation(new Activation(Function.RELU6));
    }

    /** y = x·Φ(x) with the normal distribution's Φ, of any shape. */
    public static Layer gelu() {
        return activation(new Activation(Function.GELU));
    }

    /** What tanh makes of {@link #gelu}, of any shape: {@link Function#GELU_TANH}. */
    public static Layer geluTanh() {
        return activation(new Activation(Function.GELU_TANH));
    }

    /** y = x / (1 + e⁻ˣ), of any shape. */
    public static Layer silu() {
        return activation(new Activation(Function.SILU));
    }

    /** y = x·min(max(x/6 + 1/2, 0), 1), of any shape. */
    public static Layer hardSwish() {
        return activation(new Activation(Function.HARD_SWISH));
    }

    /** y = min(max(x/6 + 1/2, 0), 1), of any shape. */
    public static Layer hardSigmoid() {
        return activation(new Activation(Function.HARD_SIGMOID));
    }

    /** y = ln(1 + eˣ), of any shape. */
    public static Layer softplus() {
        return activation(new Activation(Function.SOFTPLUS));
    }

    /** y = x·tanh ln(1 + eˣ), of any shape. */
    public static Layer mish() {
        return activation(new Activation(Function.MISH));
    }

    /** y = x if x > 0, else a·x, with a learned slope per channel of [N,C,…], a quarter at first. */
    public static Layer prelu() {
        return (scope, x) -> {
            if (x.shape().rank() < 2) {
                throw scope.error("prelu needs [N,C,…], but got " + x.shape());
            }
            return new PRelu().of(x, scope.weight("weight", Shape.of(x.shape().get(1)), Init.constant(0.25f)));
        };
    }

    private static Layer activation(Activation op) {
        return (scope, x) -> op.of(x);
    }

    /** The mean of each plane, from [N,C,H,W] to [N,C]. */
    public static Layer globalAveragePool() {
        return (scope, x) -> new Reshape(List.of(0, 0)).of(new GlobalAveragePool().of(x));
    }

    /** The largest of each plane, from [N,C,H,W] to [N,C]. */
    public static Layer globalMaxPool() {
        return (scope, x) -> new Reshape(List.of(0, 0)).of(new AdaptivePool(Pooling.Function.MAX, 1, 1).of(x));
    }

    /** The largest under each position of a square kernel that moves by its own size; see {@link Pool2d}. */
    public static Pool2d maxPool2d(int kernel) {
        return new Pool2d(Pooling.Function.MAX, kernel, kernel, Window.of(kernel, 0, 1));
    }

    /** The mean under each position of a square kernel that moves by its own size; see {@link Pool2d}. */
    public static Pool2d averagePool2d(int kernel) {
        return new Pool2d(Pooling.Function.AVERAGE, kernel, kernel, Window.of(kernel, 0, 1));
    }

    /** The largest under each position of a kernel along [N,C,L] that moves by its own length; see {@link Pool1d}. */
    public static Pool1d maxPool1d(int kernel) {
        return new Pool1d(Pooling.Function.MAX, kernel, new Window.Axis(kernel, 0, 0, 1));
    }

    /** The mean under each position of a kernel along [N,C,L] that moves by its own length; see {@link Pool1d}. */
    public static Pool1d averagePool1d(int kernel) {
        return new Pool1d(Pooling.Function.AVERAGE, kernel, new Window.Axis(kernel, 0, 0, 1));
    }

    /** The largest of each of height × width bins of a plane, from [N,C,H,W] to [N,C,height,width]. */
    public static Layer adaptiveMaxPool2d(int height, int width) {
        AdaptivePool pool = new AdaptivePool(Pooling.Function.MAX, height, width);
        return (scope, x) -> pool.of(x);
    }

    /** The mean of each of height × width bins of a plane, from [N,C,H,W] to [N,C,height,width]. */
    public static Layer adaptiveAveragePool2d(int height, int width) {
        AdaptivePool pool = new AdaptivePool(Pooling.Function.AVERAGE, height, width);
        return (scope, x) -> pool.of(x);
    }

    /** From [N,…] to [N, everything else]. */
    public static Layer flatten() {
        return (scope, x) -> new Reshape(List.of(0, -1)).of(x);
    }

    /** From [N,…] to [N,dims…]: the values of each sample under another shape, one dimension of which may be −1. */
    public static Layer reshape(int... dims) {
        return (scope, x) -> {
            List<Integer> all = new ArrayList<>(IntStream.of(dims).boxed().toList());
            if (all.contains(0)) {
                throw scope.error("reshape takes dimensions of at least 1, or -1 for the rest, but got " + all);
            }
            all.add(0, 0);
            return new Reshape(all).of(x);
        };
    }

    /** The axes in another order, the batch, which is axis 0, among them: axis i of the result is axis order[i] of x. */
    public static Layer transpose(int... order) {
        return (scope, x) -> new Transpose(IntStream.of(order).boxed().toList()).of(x);
    }

    /** What each branch makes of x, one after another along an axis (the channels are axis 1); branch i has the path {@code i}. */
    public static Layer concat(int axis, Layer... branches) {
        List<Layer> all = List.of(branches);
        return (scope, x) -> {
            List<Value> parts = new ArrayList<>();
            for (int i = 0; i < all.size(); i++) {
                parts.add(scope.call(String.valueOf(i), all.get(i), x));
            }
            return new Concat(axis).of(parts.toArray(Value[]::new));
        };
    }

    /** From [N,C,H,W] to [N,C,H·factor,W·factor]. */
    public static Layer upsample(int factor, Resize.Mode mode) {
        return (scope, x) -> {
            if (x.shape().rank() != 4) {
                throw scope.error("upsample takes [N,C,H,W], but got " + x.type());
            }
            return new Resize(
                            Math.multiplyExact(factor, x.shape().get(2)),
                            Math.multiplyExact(factor, x.shape().get(3)),
                            mode)
                    .of(x);
        };
    }

    /** From [N,C,H,W] to [N,C,top+H+bottom,left+W+right], with zeros around; the order is PyTorch's. */
    public static Layer zeroPad2d(int left, int right, int top, int bottom) {
        return (scope, x) -> new Pad(List.of(0, 0, top, left), List.of(0, 0, bottom, right), 0).of(x);
    }

    /** The same number of zeros on all four sides. */
    public static Layer zeroPad2d(int padding) {
        return zeroPad2d(padding, padding, padding, padding);
    }

    /**
     * A learned vector for each of so many tokens: from i32 [N,…] with ids in 0 … count − 1 to [N,…,width], with weight:
     * [count,width] normal(0, 1).
     */
    public static Layer embedding(int count, int width) {
        return (scope, ids) -> {
            if (ids.type().dtype() != DType.I32) {
                throw scope.error("embedding takes i32 ids, but got " + ids.type());
            }
            return new Gather(0).of(scope.weight("weight", Shape.of(count, width), Init.normal(0, 1)), ids);
        };
    }

    /** A learned vector for each step, as large at first as an embedding's, added to x: from [N,T,features] to the same. */
    public static Layer positionalEmbedding() {
        return (scope, x) -> {
            if (x.shape().rank() != 3) {
                throw scope.error("a positional embedding takes [N,T,features], but got " + x.type());
            }
            Shape steps = Shape.of(x.shape().get(1), x.shape().get(2));
            return new Binary(Binary.Function.ADD).of(x, scope.weight("weight", steps, Init.normal(0, 1)));
        };
    }

    /** Multi-head attention of a sequence to itself, from [N,T,features] to the same. */
    public static Attention attention(int heads) {
        return new Attention(heads, false);
    }

    /** A pre-norm block of a transformer encoder with GELU, from [N,T,features] to the same; nothing is dropped. */
    public static TransformerEncoderLayer transformerEncoderLayer(int heads, int hidden) {
        return new TransformerEncoderLayer(heads, hidden, 0, false, true);
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
