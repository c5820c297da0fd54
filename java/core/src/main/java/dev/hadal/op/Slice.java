package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * y = x[…, start:end:step, …] along one axis, as in Python: negative bounds count from the end, and bounds beyond it mean
 * the end itself, so that a slice fits any batch size. As in ONNX, a negative step walks backwards, and an end of
 * {@link Integer#MIN_VALUE} then includes the first value. A negative axis counts from the last.
 */
public record Slice(int axis, int start, int end, int step) implements Move.Only {

    public Slice {
        if (step == 0) {
            throw new IllegalArgumentException("a slice takes a step other than 0");
        }
    }

    @Override
    public String name() {
        return "slice";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x");
        Shape x = in.get(0).shape();
        int at = Require.axis(name(), axis, "x", x);
        return List.of(new Type(in.get(0).dtype(), x.with(at, length(x.get(at)))));
    }

    private int first(int dim) {
        long from = start < 0 ? (long) start + dim : start;
        return (int) Math.max(0, Math.min(from, step > 0 ? dim : dim - 1));
    }

    private int length(int dim) {
        long until = end < 0 ? (long) end + dim : end;
        long last = step > 0 ? Math.min(until, dim) : Math.max(-1, Math.min(until, dim - 1));
        long distance = step > 0 ? last - first(dim) : first(dim) - last;
        long stride = Math.abs((long) step);
        return dim == 0 ? 0 : (int) Math.max(0, (distance + stride - 1) / stride);
    }

    /** The box of x that a slice is. */
    private Move.Grid grid(Shape x) {
        int at = Math.floorMod(axis, x.rank());
        return Move.Grid.along(at, x.rank(), first(x.get(at)), step);
    }

    @Override
    public List<Move> moves(List<Type> in, List<Type> out) {
        Shape x = in.get(0).shape();
        Shape y = out.get(0).shape();
        return List.of(new Move(0, 0, y.dims(), grid(x), Move.Grid.whole(y)));
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        return List.of(new Backward(this, y.input(0).shape()).of(Objects.requireNonNull(dy.get(0))));
    }

    @Override
    public String toString() {
        return "slice[" + axis + ": " + start + ":" + end + (step == 1 ? "" : ":" + step) + "]";
    }

    /** dx: dy in its places, and zeros in the others. */
    public record Backward(Slice forward, Shape x) implements Move.Only {
        @Override
        public String name() {
            return "slice_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "dy");
            Shape y = forward.infer(List.of(Type.f32(x))).get(0).shape();
            Require.f32(name(), "dy", in.get(0), y);
            return List.of(Type.f32(x));
        }

        @Override
        public List<Move> moves(List<Type> in, List<Type> out) {
            Shape dy = in.get(0).shape();
            return List.of(new Move(0, 0, dy.dims(), Move.Grid.whole(dy), forward.grid(x)));
        }

        @Override
        public String toString() {
            return forward + " backward";
        }
    }
}
