package dev.hadal.nn;

import dev.hadal.graph.Value;
import dev.hadal.op.Bias;
import dev.hadal.op.Convolution;
import dev.hadal.op.Reshape;
import dev.hadal.op.Window;
import dev.hadal.tensor.Shape;
import java.util.List;

/**
 * Convolution along a sequence, from [N,C,L] to [N,out,L']: that of an image of one row.
 *
 * @param init how the weights begin: Kaiming-normal if nothing else is said
 */
public record Conv1d(int out, int kernel, Window.Axis axis, int groups, boolean bias, Init init) implements Layer {
    /** [N,C,L] as an image of one row, and back. */
    static final Reshape TO_ROW = new Reshape(List.of(0, 0, 1, -1));

    static final Reshape FROM_ROW = new Reshape(List.of(0, 0, -1));

    /** The geometry of the one row's height. */
    static final Window.Axis ONE = new Window.Axis(1, 0, 0, 1);

    public Conv1d {
        if (out < 1 || kernel < 1) {
            throw new IllegalArgumentException(
                    "conv1d needs at least one channel and one tap, got out=" + out + " and kernel=" + kernel);
        }
    }

    /** Zero padding of ⌊extent / 2⌋ of the kernel on both sides: an odd kernel at stride 1 then keeps the length. */
    public Conv1d padded() {
        int padding = (axis.dilation() * (kernel - 1) + 1) / 2;
        return axis(new Window.Axis(axis.stride(), padding, padding, axis.dilation()));
    }

    /** Padding before alone, so that no result sees what comes after it. */
    public Conv1d causal() {
        return axis(new Window.Axis(axis.stride(), axis.dilation() * (kernel - 1), 0, axis.dilation()));
    }

    public Conv1d stride(int stride) {
        return axis(new Window.Axis(stride, axis.padBefore(), axis.padAfter(), axis.dilation()));
    }

    /** The distance from tap to tap of the kernel; set it before {@link #padded} or {@link #causal}. */
    public Conv1d dilation(int dilation) {
        return axis(new Window.Axis(axis.stride(), axis.padBefore(), axis.padAfter(), dilation));
    }

    /** Any geometry. */
    public Conv1d axis(Window.Axis geometry) {
        return new Conv1d(out, kernel, geometry, groups, bias, init);
    }

    public Conv1d groups(int count) {
        return new Conv1d(out, kernel, axis, count, bias, init);
    }

    public Conv1d biased() {
        return new Conv1d(out, kernel, axis, groups, true, init);
    }

    /** With other weights to begin with. */
    public Conv1d init(Init weights) {
        return new Conv1d(out, kernel, axis, groups, bias, weights);
    }

    @Override
    public Value apply(Scope scope, Value x) {
        if (x.shape().rank() != 3 || groups < 1 || x.shape().get(1) % groups != 0) {
            throw scope.error("conv1d with groups=" + groups
                    + " takes [N,C,L] with C a multiple of the groups, but got " + x.type());
        }
        Shape shape = Shape.of(out, x.shape().get(1) / groups, kernel);
        Value w = scope.weight("weight", shape, init);
        Value row = new Convolution(new Window(ONE, axis), groups).of(TO_ROW.of(x), TO_ROW.of(w));
        Value y = FROM_ROW.of(row);
        return bias ? new Bias().of(y, scope.weight("bias", Shape.of(out), Init.zeros())) : y;
    }
}
