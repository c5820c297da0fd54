package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * y = eˣ / Σ eˣ along one axis, or its logarithm, y = x − log Σ eˣ. Where x is −∞, softmax is exactly 0 and its logarithm
 * −∞; what is −∞ alone becomes NaN.
 *
 * @param axis counted from the first, or if negative from behind: −1 is the last
 * @param log whether it is the logarithm
 */
public record Softmax(int axis, boolean log) implements Op {

    @Override
    public String name() {
        return log ? "log_softmax" : "softmax";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x");
        Require.axis(name(), axis, "x", Require.f32(name(), "x", in.get(0)));
        return in;
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        return List.of(new Backward(this).of(y.output(0), Objects.requireNonNull(dy.get(0))));
    }

    @Override
    public String toString() {
        return name() + "[axis " + axis + "]";
    }

    /** dx = y·(dy − Σ dy·y), or of the logarithm dx = dy − eʸ·Σ dy, the sums along the axis, from y and dy. */
    public record Backward(Softmax forward) implements Op {
        @Override
        public String name() {
            return forward.name() + "_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "y", "dy");
            Require.axis(name(), forward.axis, "y", Require.f32(name(), "y", in.get(0)));
            Require.f32(name(), "dy", in.get(1), in.get(0).shape());
            return List.of(in.get(0));
        }

        @Override
        public String toString() {
            return name() + "[axis " + forward.axis + "]";
        }
    }
}
