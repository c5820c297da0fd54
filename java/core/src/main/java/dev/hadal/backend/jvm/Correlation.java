package dev.hadal.backend.jvm;

import dev.hadal.op.Convolution;
import dev.hadal.tensor.Shape;

/**
 * A convolution seen from what it writes: each target channel is a sum over the source channels of its group and over
 * the taps of the kernel. Forward, the source is x and the target y; backward, the source is dy and the target dx.
 */
record Correlation(
        Shape source, Shape w, Shape target, int groups, Shifts vertical, Shifts horizontal, boolean backward) {

    static Correlation forward(Convolution op, Shape x, Shape w, Shape y) {
        Shifts vertical = Shifts.forward(op.window().height(), x.get(2), y.get(2), w.get(2));
        Shifts horizontal = Shifts.forward(op.window().width(), x.get(3), y.get(3), w.get(3));
        return new Correlation(x, w, y, op.groups(), vertical, horizontal, false);
    }

    static Correlation backward(Convolution op, Shape x, Shape w, Shape y) {
        Shifts vertical = Shifts.backward(op.window().height(), x.get(2), y.get(2), w.get(2));
        Shifts horizontal = Shifts.backward(op.window().width(), x.get(3), y.get(3), w.get(3));
        return new Correlation(y, w, x, op.groups(), vertical, horizontal, true);
    }

    int batch() {
        return source.get(0);
    }

    /** Source channels of one group. */
    int sourceChannels() {
        return source.get(1) / groups;
    }

    /** Target channels of one group. */
    int targetChannels() {
        return target.get(1) / groups;
    }

    /** The values of w in one group. */
    int weights() {
        return w.size() / groups;
    }

    /** Where, among its group's, the weight lies that takes a source channel to a target channel. */
    int weight(int targetChannel, int sourceChannel, int kh, int kw) {
        int pair = backward
                ? sourceChannel * targetChannels() + targetChannel
                : targetChannel * sourceChannels() + sourceChannel;
        return (pair * w.get(2) + kh) * w.get(3) + kw;
    }

    /** The multiplications of all sums. */
    long products() {
        Shape y = backward ? source : target;
        return (long) y.size() * w.sizeFrom(1);
    }
}
