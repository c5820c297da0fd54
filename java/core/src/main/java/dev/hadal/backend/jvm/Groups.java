package dev.hadal.backend.jvm;

import dev.hadal.op.GroupNorm;
import dev.hadal.op.LayerNorm;
import dev.hadal.op.RmsNorm;
import dev.hadal.tensor.Shape;

/**
 * Values that lie next to each other and are normalized together. Each sample has some groups, each group some channels
 * with a scale of their own, each channel a plane of values. To layer norm, a sample is one group, and a channel one
 * value.
 *
 * @param channels of each group
 * @param centred whether the mean is subtracted, and a bias added
 */
record Groups(int samples, int groups, int channels, int plane, boolean centred, float epsilon) {

    static Groups of(LayerNorm op, Shape x) {
        return rows(x, op.axes(), true, op.epsilon());
    }

    static Groups of(LayerNorm.Backward op, Shape x) {
        return rows(x, op.axes(), true, op.epsilon());
    }

    static Groups of(RmsNorm op, Shape x) {
        return rows(x, op.axes(), false, op.epsilon());
    }

    static Groups of(RmsNorm.Backward op, Shape x) {
        return rows(x, op.axes(), false, op.epsilon());
    }

    static Groups of(GroupNorm op, Shape x) {
        return groups(x, op.groups(), op.epsilon());
    }

    static Groups of(GroupNorm.Backward op, Shape x) {
        return groups(x, op.groups(), op.epsilon());
    }

    private static Groups rows(Shape x, int axes, boolean centred, float epsilon) {
        int width = x.sizeFrom(x.rank() - axes);
        int rows = 1;
        for (int axis = 0; axis < x.rank() - axes; axis++) {
            rows *= x.get(axis);
        }
        return new Groups(rows, 1, width, 1, centred, epsilon);
    }

    private static Groups groups(Shape x, int groups, float epsilon) {
        return new Groups(x.get(0), groups, x.get(1) / groups, x.sizeFrom(2), true, epsilon);
    }

    /** How many groups there are in all samples together. */
    int all() {
        return samples * groups;
    }

    /** The values of a group. */
    int width() {
        return channels * plane;
    }

    /** The channels of a sample. */
    int scales() {
        return groups * channels;
    }

    /** The channel of the j-th value of a group. */
    int channel(int group, int j) {
        return group % groups * channels + j / plane;
    }
}
