package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * y = f of all values along some axes.
 *
 * @param axes counted from the last if negative; all if there are none
 * @param keepDims whether the axes stay, with one element each
 */
public record Reduce(Function function, List<Integer> axes, boolean keepDims) implements Op {

    /** The functions; NaN among the values is the result of each. */
    public enum Function {
        SUM,
        /** NaN of nothing. */
        MEAN,
        /** As PyTorch's amax: dy is divided evenly among all that equal the maximum. */
        MAX,
        /** As PyTorch's amin: dy is divided evenly among all that equal the minimum. */
        MIN
    }

    public Reduce {
        axes = List.copyOf(axes);
        if (axes.stream().distinct().count() < axes.size()) {
            throw new IllegalArgumentException("reduce takes each axis once, got " + axes);
        }
    }

    @Override
    public String name() {
        return "reduce";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x");
        Shape x = Require.f32(name(), "x", in.get(0));
        Shape kept = kept(x);
        Require.that(
                function == Function.SUM || function == Function.MEAN || x.size() > 0 || kept.size() == 0,
                "reduce: there is no %s of nothing, but x is %s",
                this,
                x);
        return List.of(Type.f32(keepDims ? kept : dropped(x)));
    }

    /** The result's shape with the axes kept. */
    public Shape kept(Shape x) {
        boolean[] reduced = reduced(x);
        List<Integer> dims = new ArrayList<>();
        for (int axis = 0; axis < x.rank(); axis++) {
            dims.add(reduced[axis] ? 1 : x.get(axis));
        }
        return new Shape(dims);
    }

    private Shape dropped(Shape x) {
        boolean[] reduced = reduced(x);
        List<Integer> dims = new ArrayList<>();
        for (int axis = 0; axis < x.rank(); axis++) {
            if (!reduced[axis]) {
                dims.add(x.get(axis));
            }
        }
        return new Shape(dims);
    }

    /** Which axes are reduced. */
    private boolean[] reduced(Shape x) {
        boolean[] reduced = new boolean[x.rank()];
        for (int axis : axes) {
            int place = axis < 0 ? axis + x.rank() : axis;
            Require.that(place >= 0 && place < x.rank(), "reduce: x %s has no axis %d", x, axis);
            Require.that(!reduced[place], "reduce: axes %s name one of x %s twice", axes, x);
            reduced[place] = true;
        }
        if (axes.isEmpty()) {
            java.util.Arrays.fill(reduced, true);
        }
        return reduced;
    }

    @Override
    public List<@Nullable Value> gradient(Node node, List<@Nullable Value> gradients) {
        Value x = node.input(0);
        if (x.shape().size() == 0) {
            return List.of(Constant.f32(x.graph(), x.shape(), 0));
        }
        Shape kept = kept(x.shape());
        Value dy = new Reshape(kept.dims()).of(Objects.requireNonNull(gradients.get(0)));
        Expand whole = new Expand(x.shape().dims());
        return List.of(
                switch (function) {
                    case SUM -> whole.of(dy);
                    case MEAN ->
                        whole.of(Unary.scaled((float) kept.size() / x.shape().size(), dy));
                    case MAX, MIN -> amongEqual(x, new Reshape(kept.dims()).of(node.output(0)), dy);
                });
    }

    private Value amongEqual(Value x, Value y, Value dy) {
        Value zero = Constant.f32(x.graph(), Shape.SCALAR, 0);
        Value one = Constant.f32(x.graph(), Shape.SCALAR, 1);
        Value equal = new Compare(Compare.Function.EQUAL).of(x, y);
        Value count = new Reduce(Function.SUM, axes, true).of(new Where().of(equal, one, zero));
        return new Where().of(equal, Binary.div(dy, count), zero);
    }

    @Override
    public String toString() {
        return "reduce_" + function.name().toLowerCase(Locale.ROOT) + axes + (keepDims ? " kept" : "");
    }
}
