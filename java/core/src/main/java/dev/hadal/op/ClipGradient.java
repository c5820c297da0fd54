package dev.hadal.op;

import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.tensor.Shape;
import java.util.List;

/**
 * Keeps one tensor's gradient small, from the weight w and its gradient g.
 *
 * <pre>
 *   by norm:    g·min(1, limit / (‖g‖ + 10⁻⁶))
 *   adaptive (Brock et al. 2021, equation 3):  each unit gᵢ whose norm is more than limit·‖wᵢ‖* becomes
 *               gᵢ·limit·‖wᵢ‖* / ‖gᵢ‖,  ‖wᵢ‖* = max(‖wᵢ‖, 10⁻³)
 * </pre>
 *
 * A unit is what one output reads, a row of w; all of w, if but one of its dimensions is more than 1. Two passes.
 */
public record ClipGradient(float limit, boolean adaptive) implements Op {

    public ClipGradient {
        if (!(limit > 0)) {
            throw new IllegalArgumentException("the limit of a gradient must be positive, got " + limit);
        }
    }

    /** How many units the weight has. */
    public int units(Shape w) {
        int dimensions = 0;
        for (int i = 0; i < w.rank(); i++) {
            dimensions += w.get(i) > 1 ? 1 : 0;
        }
        return adaptive && dimensions > 1 ? w.get(0) : 1;
    }

    @Override
    public String name() {
        return "clip_gradient";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "w", "g");
        Require.f32(name(), "g", in.get(1), Require.f32(name(), "w", in.get(0)));
        return List.of(in.get(1));
    }

    @Override
    public String toString() {
        return name() + "[" + limit + (adaptive ? " of the weight]" : "]");
    }
}
