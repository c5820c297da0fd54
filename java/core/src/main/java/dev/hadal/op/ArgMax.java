package dev.hadal.op;

import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.List;

/**
 * Where the maximum lies along an axis, as i32: the first of several, and NaN before all numbers, as in PyTorch.
 *
 * @param axis counted from the last if negative
 * @param keepDims whether the axis stays, with one element
 */
public record ArgMax(int axis, boolean keepDims) implements Op {

    @Override
    public String name() {
        return "argmax";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x");
        Shape x = Require.f32(name(), "x", in.get(0));
        int place = place(x);
        Require.that(place >= 0 && place < x.rank(), "argmax: x %s has no axis %d", x, axis);
        List<Integer> dims = new ArrayList<>(x.dims());
        dims.remove(place);
        Require.that(
                x.get(place) > 0 || new Shape(dims).size() == 0, "argmax: there is no maximum of nothing, x is %s", x);
        if (keepDims) {
            dims.add(place, 1);
        }
        return List.of(new Type(DType.I32, new Shape(dims)));
    }

    /** The axis of x, counted from the first. */
    public int place(Shape x) {
        return axis < 0 ? axis + x.rank() : axis;
    }

    @Override
    public String toString() {
        return name() + "[" + axis + "]" + (keepDims ? " kept" : "");
    }
}
