package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * An op that makes one value of each bin of a channel's plane, with x: [N,C,H,W] and y: [N,C,H',W']. A maximum has a
 * second result, i32 [N,C,H',W']: where in its plane it was found, as h·W + w. Of equal values the first in row-major
 * order is found. NaN is larger than any value, and the last one is found, as in PyTorch.
 */
public sealed interface Pooling extends Op permits Pool, AdaptivePool {

    /** What becomes of a bin's values. */
    enum Function {
        /** The largest; padding is −∞. */
        MAX,
        /** Their sum over the kernel's size: padding counts, as zeros. */
        AVERAGE,
        /** Their sum over their number: padding does not count. */
        AVERAGE_WITHOUT_PADDING
    }

    Function function();

    /** The rows of x that each row of y reads. */
    Bins rows(Shape x);

    /** The columns of x that each column of y reads. */
    Bins columns(Shape x);

    @Override
    default List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x");
        Shape x = Require.f32(name(), "x", in.get(0), "N,C,H,W");
        int height = rows(x).first().length;
        int width = columns(x).first().length;
        Type y = Type.f32(x.get(0), x.get(1), height, width);
        return function() == Function.MAX ? List.of(y, Type.i32(x.get(0), x.get(1), height, width)) : List.of(y);
    }

    @Override
    default List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        Shape x = y.input(0).shape();
        Value g = Require.gradientOfFirst(y, dy);
        return List.of(
                function() == Function.MAX
                        ? new MaxBackward(this, x).of(g, y.output(1))
                        : new AverageBackward(this, x).of(g));
    }

    /** The function's name in a printed graph. */
    default String text() {
        return function().name().toLowerCase(Locale.ROOT) + "_pool";
    }

    /** dx of a maximum: each dy where its maximum was found. */
    record MaxBackward(Pooling forward, Shape x) implements Op {
        @Override
        public String name() {
            return "max_pool_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "dy", "index");
            Type dx = Type.f32(x);
            List<Type> results = forward.infer(List.of(dx));
            Require.f32(name(), "dy", in.get(0), results.get(0).shape());
            Require.that(
                    in.get(1).equals(results.get(1)),
                    "%s: index must be %s, but is %s",
                    name(),
                    results.get(1),
                    in.get(1));
            return List.of(dx);
        }

        @Override
        public String toString() {
            return forward + "_backward";
        }
    }

    /** dx of an average: each dy, over its divisor, wherever it was averaged. */
    record AverageBackward(Pooling forward, Shape x) implements Op {
        @Override
        public String name() {
            return "average_pool_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "dy");
            Type dx = Type.f32(x);
            Require.f32(
                    name(), "dy", in.get(0), forward.infer(List.of(dx)).get(0).shape());
            return List.of(dx);
        }

        @Override
        public String toString() {
            return forward + "_backward";
        }
    }
}
