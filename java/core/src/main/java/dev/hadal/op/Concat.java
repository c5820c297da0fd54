package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The operands one after another along an axis; a negative axis counts from the last. */
public record Concat(int axis) implements Move.Only {

    @Override
    public String name() {
        return "concat";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.that(!in.isEmpty(), "concat takes at least one operand");
        Type first = in.get(0);
        int at = Require.axis(name(), axis, "operand 0", first.shape());
        int length = 0;
        for (int i = 0; i < in.size(); i++) {
            Type x = in.get(i);
            boolean alike = x.dtype() == first.dtype()
                    && x.shape().rank() == first.shape().rank();
            Require.that(
                    alike && x.shape().with(at, 0).equals(first.shape().with(at, 0)),
                    "concat: operand %d is %s, which differs from operand 0 %s beside axis %d",
                    i,
                    x,
                    first,
                    axis);
            length = Math.addExact(length, x.shape().get(at));
        }
        return List.of(new Type(first.dtype(), first.shape().with(at, length)));
    }

    @Override
    public List<Move> moves(List<Type> in, List<Type> out) {
        int rank = out.get(0).shape().rank();
        int at = Math.floorMod(axis, rank);
        List<Move> moves = new ArrayList<>();
        int start = 0;
        for (int i = 0; i < in.size(); i++) {
            Shape x = in.get(i).shape();
            moves.add(new Move(i, 0, x.dims(), Move.Grid.whole(x), Move.Grid.along(at, rank, start, 1)));
            start += x.get(at);
        }
        return moves;
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        int at = Math.floorMod(axis, y.types().get(0).shape().rank());
        List<Integer> sizes = y.inputs().stream().map(x -> x.shape().get(at)).toList();
        return new ArrayList<>(new Split(axis, sizes).call(Objects.requireNonNull(dy.get(0))));
    }

    @Override
    public String toString() {
        return "concat[" + axis + "]";
    }
}
