package dev.hadal.nn;

import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.op.Concat;
import dev.hadal.op.Recurrent;
import dev.hadal.op.Recurrent.Cell;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A recurrent network, from [N,T,features] to [N,T,hidden], with PyTorch's names, shapes and first values of weights:
 * uniform between ±1/√hidden. The state before the first step is zero.
 *
 * @param layers how many lie on each other, each over the outputs of the one below
 * @param bothWays whether each layer runs in both directions of time
 * @param lastOnly whether only the last output is wanted: [N,hidden]
 */
public record Recurrence(Cell cell, int hidden, int layers, boolean bothWays, boolean lastOnly) implements Layer {

    public Recurrence {
        if (hidden < 1 || layers < 1) {
            throw new IllegalArgumentException("a recurrent network needs at least one unit and one layer, got hidden="
                    + hidden + " and layers=" + layers);
        }
    }

    /** That many layers, each over the outputs of the one below. */
    public Recurrence layers(int count) {
        return new Recurrence(cell, hidden, count, bothWays, lastOnly);
    }

    /** In both directions of time at once, whose outputs lie side by side: [N,T,2·hidden]. */
    public Recurrence bidirectional() {
        return new Recurrence(cell, hidden, layers, true, lastOnly);
    }

    /** Only the last output of each sequence as time runs, [N,hidden]: where it runs backwards, that of the first step. */
    public Recurrence last() {
        return new Recurrence(cell, hidden, layers, bothWays, true);
    }

    /**
     * With max(·, 0) in place of tanh.
     *
     * @throws IllegalStateException unless this is a simple recurrent network
     */
    public Recurrence relu() {
        if (cell != Cell.RNN_TANH && cell != Cell.RNN_RELU) {
            throw new IllegalStateException("rnn alone has a ReLU form, " + cell + " has not");
        }
        return new Recurrence(Cell.RNN_RELU, hidden, layers, bothWays, lastOnly);
    }

    @Override
    public Value apply(Scope scope, Value x) {
        return stack(scope, x, null);
    }

    /**
     * Over sequences that differ in length.
     *
     * @param lengths i32 [N]: steps of x from there on do not count, and their outputs are zero; the last output is that
     *     of each sequence's own last step
     */
    public Value apply(Scope scope, Value x, Value lengths) {
        if (!lengths.type().equals(Type.i32(x.shape().get(0)))) {
            throw scope.error(
                    "the lengths of " + x.type() + " must be i32[" + x.shape().get(0) + "], but are " + lengths.type());
        }
        return stack(scope, x, lengths);
    }

    private Value stack(Scope scope, Value x, @Nullable Value lengths) {
        if (x.shape().rank() != 3) {
            throw scope.error("a recurrent network takes [N,T,features], but got " + x.type());
        }
        Value y = x;
        for (int l = 0; l < layers; l++) {
            int result = lastOnly && l == layers - 1 ? 1 : 0; // the final state is the last output
            Value forth = direction(scope, y, lengths, l, false).get(result);
            y = bothWays
                    ? new Concat(-1)
                            .of(forth, direction(scope, y, lengths, l, true).get(result))
                    : forth;
        }
        return y;
    }

    private List<Value> direction(Scope scope, Value x, @Nullable Value lengths, int layer, boolean reverse) {
        String suffix = "_l" + layer + (reverse ? "_reverse" : "");
        int rows = cell.gates() * hidden;
        double bound = 1 / Math.sqrt(hidden);
        Init init = (shape, i, random) -> (float) (bound * (2.0 * random.uniform(i) - 1));
        List<Value> operands = new ArrayList<>(List.of(
                x,
                scope.weight("weight_ih" + suffix, Shape.of(rows, x.shape().get(2)), init),
                scope.weight("weight_hh" + suffix, Shape.of(rows, hidden), init),
                scope.weight("bias_ih" + suffix, Shape.of(rows), init),
                scope.weight("bias_hh" + suffix, Shape.of(rows), init)));
        if (lengths != null) {
            operands.add(lengths);
        }
        return new Recurrent(cell, reverse, false, lengths != null).call(operands.toArray(Value[]::new));
    }
}
