package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** x with its axes in another order: axis i of the result is axis permutation[i] of x. */
public record Transpose(List<Integer> permutation) implements Op {

    public Transpose {
        permutation = List.copyOf(permutation);
        List<Integer> axes = IntStream.range(0, permutation.size()).boxed().toList();
        if (!permutation.stream().sorted().toList().equals(axes)) {
            throw new IllegalArgumentException("transpose takes each axis from 0 to the last once, got " + permutation);
        }
    }

    @Override
    public String name() {
        return "transpose";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x");
        Shape x = in.get(0).shape();
        Require.that(x.rank() == permutation.size(), "transpose: x %s has not the axes of %s", x, permutation);
        return List.of(new Type(
                in.get(0).dtype(), new Shape(permutation.stream().map(x::get).toList())));
    }

    /** The transpose that brings the axes back. */
    public Transpose inverse() {
        return new Transpose(IntStream.range(0, permutation.size())
                .map(permutation::indexOf)
                .boxed()
                .toList());
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        return List.of(inverse().of(Objects.requireNonNull(dy.get(0))));
    }

    @Override
    public String toString() {
        return name() + permutation;
    }
}
