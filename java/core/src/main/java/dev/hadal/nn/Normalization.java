package dev.hadal.nn;

import dev.hadal.graph.Value;
import dev.hadal.op.GroupNorm;
import dev.hadal.op.LayerNorm;
import dev.hadal.op.RmsNorm;
import dev.hadal.tensor.Shape;

/**
 * Normalization within each sample, with a learned scale and, but for RMS, a learned bias.
 *
 * @param count how many of the last axes, or how many groups of channels
 */
public record Normalization(Kind kind, int count, float epsilon) implements Layer {

    /** Over what. */
    public enum Kind {
        /** The last axes. */
        LAYER,
        /** The last axes, without subtracting the mean. */
        RMS,
        /** Groups of channels of [N,C,…]. */
        GROUP,
        /** Each channel of [N,C,…]. */
        INSTANCE
    }

    @Override
    public Value apply(Scope scope, Value x) {
        Shape in = x.shape();
        if (kind == Kind.LAYER || kind == Kind.RMS) {
            if (in.rank() <= count) {
                throw scope.error("normalization over the last " + count
                        + " axes takes samples that have them, but got " + x.type());
            }
            Shape row = new Shape(in.dims().subList(in.rank() - count, in.rank()));
            Value scale = scope.weight("weight", row, Init.ones());
            return kind == Kind.RMS
                    ? new RmsNorm(count, epsilon).of(x, scale)
                    : new LayerNorm(count, epsilon).of(x, scale, scope.weight("bias", row, Init.zeros()));
        }
        if (in.rank() < 2) {
            throw scope.error("group norm takes [N,C,…], but got " + x.type());
        }
        Shape channels = Shape.of(in.get(1));
        return new GroupNorm(kind == Kind.GROUP ? count : in.get(1), epsilon)
                .of(x, scope.weight("weight", channels, Init.ones()), scope.weight("bias", channels, Init.zeros()));
    }
}
