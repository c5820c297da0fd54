package dev.hadal.op;

import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * An update rule that is one op: from w, g and the moments, all of one shape, the gradient's global norm: [] and the
 * {@link Hyper} block come the new w and the new moments. If the norm is not finite, they are the old ones.
 *
 * <p>Rules differ in the step s that they make of d, the clipped and decayed gradient; all else is common to them:
 *
 * <pre>
 *   g ← clamp(g·min(1, limit/(norm + 10⁻⁶)), −value, value)
 *   d = g + λ₂·w
 *   s = …
 *   w ← w − η·(s + λ·w)
 * </pre>
 *
 * A rule whose elements are independent is one pass over w, g and the moments.
 */
public interface UpdateOp extends UpdateRule, Op {

    @Override
    default List<Type> infer(List<Type> in) {
        List<String> names = new ArrayList<>(List.of("w", "g"));
        names.addAll(moments());
        int alike = names.size();
        names.addAll(List.of("norm", "hyper"));
        Require.operands(name(), in, names.toArray(String[]::new));
        Shape w = Require.f32(name(), "w", in.get(0));
        for (int i = 1; i < alike; i++) {
            Require.f32(name(), names.get(i), in.get(i), w);
        }
        Require.f32(name(), "norm", in.get(alike), Shape.SCALAR);
        Require.f32(name(), "hyper", in.get(alike + 1), Hyper.TYPE.shape());
        return Collections.nCopies(1 + moments().size(), in.get(0));
    }

    @Override
    default List<Value> update(Value w, Value g, List<Value> moments, Value norm, Value hyper) {
        List<Value> operands = new ArrayList<>(List.of(w, g));
        operands.addAll(moments);
        operands.addAll(List.of(norm, hyper));
        return call(operands.toArray(Value[]::new));
    }
}
