package dev.hadal.nn;

import dev.hadal.graph.Value;
import dev.hadal.op.Pool;
import dev.hadal.op.Pooling.Function;
import dev.hadal.op.Window;

/** A pooling of [N,C,L] by a sliding kernel, to [N,C,L']: that of an image of one row. */
public record Pool1d(Function function, int kernel, Window.Axis axis) implements Layer {

    /** How far the kernel slides; its own length, unless said. */
    public Pool1d stride(int stride) {
        return axis(new Window.Axis(stride, axis.padBefore(), axis.padAfter(), axis.dilation()));
    }

    /** Padding on both sides, of no more than half the kernel. */
    public Pool1d padding(int padding) {
        return axis(new Window.Axis(axis.stride(), padding, padding, axis.dilation()));
    }

    /** Any geometry. */
    public Pool1d axis(Window.Axis geometry) {
        return new Pool1d(function, kernel, geometry);
    }

    @Override
    public Value apply(Scope scope, Value x) {
        if (x.shape().rank() != 3) {
            throw scope.error("a pooling of sequences takes [N,C,L], but got " + x.type());
        }
        Pool pool = new Pool(function, 1, kernel, new Window(Conv1d.ONE, axis));
        return Conv1d.FROM_ROW.of(pool.of(Conv1d.TO_ROW.of(x)));
    }
}
