package dev.hadal.op;

import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * A box of values that goes from an operand to a result as it is.
 *
 * @param lengths of the box, along each axis
 * @param from where it lies in the operand
 * @param to where it lies in the result
 */
public record Move(int operand, int result, List<Integer> lengths, Grid from, Grid to) {

    /** Along each axis, where the box begins, and how far its values lie apart; backwards if that is negative. */
    public record Grid(List<Integer> starts, List<Integer> steps) {
        static Grid dense(List<Integer> starts) {
            return new Grid(starts, Collections.nCopies(starts.size(), 1));
        }

        /** All of every other axis. */
        static Grid along(int axis, int rank, int start, int step) {
            return new Grid(with(rank, 0, axis, start), with(rank, 1, axis, step));
        }

        private static List<Integer> with(int rank, int usual, int axis, int value) {
            List<Integer> values = new ArrayList<>(Collections.nCopies(rank, usual));
            values.set(axis, value);
            return values;
        }

        /** From the first value on. */
        static Grid whole(Shape shape) {
            return dense(Collections.nCopies(shape.rank(), 0));
        }
    }

    /** How many values move. */
    public int size() {
        return Shape.product(lengths);
    }

    /** An op that is nothing but moves: its geometry, which all its kernels share. */
    public interface Only extends Op {
        List<Move> moves(List<Type> in, List<Type> out);

        /** What a result holds where nothing moves to. */
        default float filling() {
            return 0;
        }
    }
}
