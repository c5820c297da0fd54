package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** x in pieces of the given sizes along an axis, each a result; a negative axis counts from the last. */
public record Split(int axis, List<Integer> sizes) implements Move.Only {

    public Split {
        sizes = List.copyOf(sizes);
        if (sizes.isEmpty() || sizes.stream().anyMatch(s -> s < 0)) {
            throw new IllegalArgumentException("split takes at least one size, all of them >= 0, got " + sizes);
        }
    }

    @Override
    public String name() {
        return "split";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x");
        Shape x = in.get(0).shape();
        int at = Require.axis(name(), axis, "x", x);
        long sum = sizes.stream().mapToLong(Integer::longValue).sum();
        Require.that(sum == x.get(at), "split: the sizes %s add up to %d, not to axis %d of x %s", sizes, sum, axis, x);
        return sizes.stream()
                .map(size -> new Type(in.get(0).dtype(), x.with(at, size)))
                .toList();
    }

    @Override
    public List<Move> moves(List<Type> in, List<Type> out) {
        int at = Math.floorMod(axis, in.get(0).shape().rank());
        List<Move> moves = new ArrayList<>();
        for (int i = 0; i < out.size(); i++) {
            Shape y = out.get(i).shape();
            moves.add(new Move(0, i, y.dims(), piece(at, y.rank(), i), Move.Grid.whole(y)));
        }
        return moves;
    }

    /** Where the i-th piece lies in x. */
    private Move.Grid piece(int at, int rank, int i) {
        int start = sizes.subList(0, i).stream().mapToInt(Integer::intValue).sum();
        return Move.Grid.along(at, rank, start, 1);
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        List<Integer> given = IntStream.range(0, dy.size())
                .filter(i -> dy.get(i) != null)
                .boxed()
                .toList();
        Value[] pieces =
                given.stream().map(i -> Objects.requireNonNull(dy.get(i))).toArray(Value[]::new);
        return List.of(
                given.size() == dy.size()
                        ? new Concat(axis).of(pieces)
                        : new Backward(this, given, y.input(0).shape()).of(pieces));
    }

    @Override
    public String toString() {
        return "split[" + axis + ": " + sizes + "]";
    }

    /**
     * dx where the loss depends on some of the pieces alone, with zeros for the others.
     *
     * @param given which pieces the operands are the gradients of
     */
    public record Backward(Split forward, List<Integer> given, Shape x) implements Move.Only {
        public Backward {
            given = List.copyOf(given);
        }

        @Override
        public String name() {
            return "split_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, given.stream().map(i -> "dy" + i).toArray(String[]::new));
            List<Type> pieces = forward.infer(List.of(Type.f32(x)));
            for (int i = 0; i < given.size(); i++) {
                Require.f32(
                        name(),
                        "dy" + given.get(i),
                        in.get(i),
                        pieces.get(given.get(i)).shape());
            }
            return List.of(Type.f32(x));
        }

        @Override
        public List<Move> moves(List<Type> in, List<Type> out) {
            int at = Math.floorMod(forward.axis, x.rank());
            List<Move> moves = new ArrayList<>();
            for (int i = 0; i < given.size(); i++) {
                Shape dy = in.get(i).shape();
                Move.Grid to = forward.piece(at, x.rank(), given.get(i));
                moves.add(new Move(i, 0, dy.dims(), Move.Grid.whole(dy), to));
            }
            return moves;
        }

        @Override
        public String toString() {
            return forward + " backward" + given;
        }
    }
}
