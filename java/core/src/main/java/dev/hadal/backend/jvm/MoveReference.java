package dev.hadal.backend.jvm;

import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.op.Cast;
import dev.hadal.op.Concat;
import dev.hadal.op.Expand;
import dev.hadal.op.Gather;
import dev.hadal.op.Move;
import dev.hadal.op.Pad;
import dev.hadal.op.ScatterAdd;
import dev.hadal.op.Slice;
import dev.hadal.op.Split;
import dev.hadal.op.Transpose;
import dev.hadal.tensor.Bf16;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.Arrays;

/** What only moves values, as element by element definitions have it. */
final class MoveReference {

    static void define(OpTable<OpTable.Types, Formula> table) {
        table.put(Transpose.class, (op, t) -> transpose(op, t.x(0), t.y(0)));
        table.put(Slice.class, MoveReference::moves);
        table.put(Slice.Backward.class, MoveReference::moves);
        table.put(Concat.class, MoveReference::moves);
        table.put(Split.class, MoveReference::moves);
        table.put(Split.Backward.class, MoveReference::moves);
        table.put(Pad.class, MoveReference::moves);
        table.put(Pad.Backward.class, MoveReference::moves);
        table.put(Gather.class, (op, t) -> gather(op.rows(t.x(0), t.x(1))));
        table.put(Gather.Backward.class, (op, t) -> {
            Formula add = scatterAdd(op.rows(t.x(1)));
            return (in, out) -> add.run(new double[][] {new double[out[0].length], in[1], in[0]}, out);
        });
        table.put(ScatterAdd.class, (op, t) -> scatterAdd(op.rows(t.x(0), t.x(1))));
        table.put(Cast.class, (op, t) -> cast(op.dtype()));
        table.put(Expand.class, (op, t) -> expand(t.x(0), t.y(0)));
        table.put(Expand.Backward.class, (op, t) -> expandBackward(t.x(0), op.x()));
    }

    static Formula transpose(Transpose op, Shape x, Shape y) {
        return (in, out) -> {
            for (int i = 0; i < out[0].length; i++) {
                int[] place = place(y, i);
                int[] from = new int[place.length];
                for (int axis = 0; axis < place.length; axis++) {
                    from[op.permutation().get(axis)] = place[axis];
                }
                out[0][i] = in[0][index(x, from)];
            }
        };
    }

    /** Box after box, value after value. */
    static Formula moves(Move.Only op, OpTable.Types t) {
        return (in, out) -> {
            for (double[] y : out) {
                Arrays.fill(y, op.filling());
            }
            for (Move move : op.moves(t.in(), t.out())) {
                Shape x = t.x(move.operand());
                Shape y = t.y(move.result());
                Shape box = new Shape(move.lengths());
                for (int i = 0; i < box.size(); i++) {
                    int[] place = place(box, i);
                    out[move.result()][index(y, on(move.to(), place))] =
                            in[move.operand()][index(x, on(move.from(), place))];
                }
            }
        };
    }

    private static int[] on(Move.Grid grid, int[] place) {
        int[] on = new int[place.length];
        Arrays.setAll(
                on, axis -> grid.starts().get(axis) + place[axis] * grid.steps().get(axis));
        return on;
    }

    static Formula gather(Gather.Rows r) {
        return (in, out) -> visit(r, in[1], (x, y) -> out[0][y] = in[0][x]);
    }

    static Formula scatterAdd(Gather.Rows r) {
        return (in, out) -> {
            System.arraycopy(in[0], 0, out[0], 0, out[0].length);
            visit(r, in[1], (x, y) -> out[0][x] += in[2][y]);
        };
    }

    /** The places of a value among the rows, and among those that the indices name. */
    private interface Pair {
        void at(int x, int y);
    }

    private static void visit(Gather.Rows r, double[] indices, Pair pair) {
        for (int i = 0; i < indices.length; i++) {
            int index = (int) indices[i];
            if (index < 0 || index >= r.rows()) {
                throw r.outside(index, i);
            }
            for (int o = 0; o < r.outer(); o++) {
                for (int j = 0; j < r.width(); j++) {
                    pair.at((o * r.rows() + index) * r.width() + j, (o * r.count() + i) * r.width() + j);
                }
            }
        }
    }

    /** Every f32, bf16 and i32 is a double; rounding to f32 comes with the result. */
    static Formula cast(DType dtype) {
        return (in, out) -> Arrays.setAll(out[0], i -> switch (dtype) {
            case F32 -> in[0][i];
            case BF16 -> Bf16.widen(Bf16.narrow((float) in[0][i]));
            case I32 -> (int) in[0][i];
            case S8, U8 -> throw new IllegalArgumentException("no cast gives " + dtype);
        });
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

    /** The element of x that the i-th of y comes from, where x is broadcast to y. */
    static int source(Shape x, Shape y, int i) {
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
