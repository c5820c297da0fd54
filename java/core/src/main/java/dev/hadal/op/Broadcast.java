package dev.hadal.op;

import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.List;

/**
 * NumPy's broadcasting: shapes are aligned at their last axes; an axis that is missing, or of one element, stands for
 * any number of equal ones.
 */
final class Broadcast {

    /** The common dimensions of two operands, without so many of the last. */
    static List<Integer> dims(String op, String nameA, Shape a, String nameB, Shape b, int without) {
        int rankA = a.rank() - without;
        int rankB = b.rank() - without;
        int rank = Math.max(rankA, rankB);
        List<Integer> dims = new ArrayList<>();
        for (int i = 0; i < rank; i++) {
            int da = i < rank - rankA ? 1 : a.get(i - (rank - rankA));
            int db = i < rank - rankB ? 1 : b.get(i - (rank - rankB));
            Require.that(
                    da == db || da == 1 || db == 1,
                    "%s: %s%s %s and %s %s do not broadcast, %d against %d",
                    op,
                    without == 0 ? "" : "the batches of ",
                    nameA,
                    a,
                    nameB,
                    b,
                    da,
                    db);
            dims.add(da == 1 ? db : da);
        }
        return dims;
    }

    /** For each element of the broadcast shape in row-major order, the element that it comes from. */
    static int[] sources(List<Integer> from, List<Integer> to) {
        int[] sources = {0};
        int missing = to.size() - from.size();
        for (int axis = 0; axis < to.size(); axis++) {
            int length = axis < missing ? 1 : from.get(axis - missing);
            int[] longer = new int[sources.length * to.get(axis)];
            for (int i = 0; i < longer.length; i++) {
                int place = i % to.get(axis);
                longer[i] = sources[i / to.get(axis)] * length + (length == 1 ? 0 : place);
            }
            sources = longer;
        }
        return sources;
    }

    /** The gradient of what was broadcast: summed over its equal parts, down to the shape that it came from. */
    static Value sum(Value dy, Shape x) {
        return dy.shape().equals(x) ? dy : new Expand.Backward(x).of(dy);
    }

    private Broadcast() {}
}
