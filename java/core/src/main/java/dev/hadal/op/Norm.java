package dev.hadal.op;

import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.tensor.Shape;
import java.util.List;

/** √(Σ‖xᵢ‖²) over all its f32 operands: the global norm of a gradient. Sums are kept in double precision. */
public record Norm() implements Op {

    @Override
    public String name() {
        return "norm";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.that(!in.isEmpty(), "norm takes at least one operand");
        for (int i = 0; i < in.size(); i++) {
            Require.f32(name(), "operand " + i, in.get(i));
        }
        return List.of(Type.f32(Shape.SCALAR));
    }

    @Override
    public String toString() {
        return name();
    }
}
