package dev.hadal.backend.jvm;

import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.op.Expand;
import dev.hadal.tensor.Shape;
import java.util.Arrays;

/** What only moves values, as element by element definitions have it. */
final class MoveReference {

    static void define(OpTable<OpTable.Types, Formula> table) {
        table.put(Expand.class, (op, t) -> expand(t.x(0), t.y(0)));
        table.put(Expand.Backward.class, (op, t) -> expandBackward(t.x(0), op.x()));
    }

    /** The place of an element along each axis. */
    static int[] place(Shape shape, int index) {
        int[] place = new int[shape.rank()];
        int rest = index;
        for (int axis = shape.rank() - 1; axis >= 0; axis--) {
            place[axis] = rest % shape.get(axis);
            rest /= shape.get(axis);
        }
        return place;
    }

    /** The index of the element at a place. */
    static int index(Shape shape, int[] place) {
        int index = 0;
        for (int axis = 0; axis < shape.rank(); axis++) {
            index = index * shape.get(axis) + place[axis];
        }
        return index;
    }

    private static int source(Shape x, Shape y, int i) {
        int[] place = place(y, i);
        int[] from = Arrays.copyOfRange(place, y.rank() - x.rank(), y.rank());
        Arrays.setAll(from, axis -> x.get(axis) == 1 ? 0 : from[axis]);
        return index(x, from);
    }

    static Formula expand(Shape x, Shape y) {
        return (in, out) -> Arrays.setAll(out[0], i -> in[0][source(x, y, i)]);
    }

    static Formula expandBackward(Shape dy, Shape x) {
        return (in, out) -> {
            Arrays.fill(out[0], 0);
            for (int i = 0; i < in[0].length; i++) {
                out[0][source(x, dy, i)] += in[0][i];
            }
        };
    }

    private MoveReference() {}
}
