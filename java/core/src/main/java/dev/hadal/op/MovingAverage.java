package dev.hadal.op;

import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.tensor.Shape;
import java.util.List;

/**
 * e ← β·e + (1−β)·w, the running average of weights (Polyak and Juditsky 1992), from e, the new w and the gradient's
 * norm: []; e, if that is not finite. One pass.
 */
public record MovingAverage(float beta) implements Op {

    public MovingAverage {
        if (!(0 <= beta && beta < 1)) {
            throw new IllegalArgumentException("a moving average needs a decay in [0, 1), got " + beta);
        }
    }

    @Override
    public String name() {
        return "moving_average";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "e", "w", "norm");
        Require.f32(name(), "w", in.get(1), Require.f32(name(), "e", in.get(0)));
        Require.f32(name(), "norm", in.get(2), Shape.SCALAR);
        return List.of(in.get(0));
    }

    @Override
    public String toString() {
        return name() + "[β " + beta + "]";
    }
}
