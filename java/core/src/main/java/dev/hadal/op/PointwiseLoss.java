package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * The mean over all elements of f(x, t), with x and the target t of one shape [N,…]; with weights v: [N], each sample's
 * terms are multiplied by its weight, and the divisor stays the number of elements. Target and weights are taken as
 * constants: they get no gradient.
 *
 * @param delta δ of {@link Function#HUBER}; the others do not read it
 * @param weighted whether the samples' weights follow as a third operand
 */
public record PointwiseLoss(Function function, float delta, boolean weighted) implements Op {

    /** The functions and their derivatives by x, with d = x − t. */
    public enum Function {
        /** f = d²; f′ = 2·d */
        MSE,
        /** f = |d|; f′ = sign d */
        L1,
        /** f = d²/2 where |d| ≤ δ, else δ·(|d| − δ/2); f′ = d, no further from 0 than δ (Huber 1964) */
        HUBER,
        /** f = max(x, 0) − x·t + log(1 + e^−|x|), the binary cross-entropy of 1/(1 + e⁻ˣ); f′ = 1/(1 + e⁻ˣ) − t */
        BCE_WITH_LOGITS
    }

    public PointwiseLoss {
        if (!(delta > 0 && delta <= Float.MAX_VALUE)) {
            throw new IllegalArgumentException("the loss needs a finite delta > 0, got " + delta);
        }
    }

    @Override
    public String name() {
        return "pointwise_loss";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        check(name(), in, weighted, false);
        return List.of(Type.f32(Shape.SCALAR));
    }

    /** Checks x, target, the weights if there are any, and dloss if it comes last; returns the shape of x. */
    static Shape check(String op, List<Type> in, boolean weighted, boolean backward) {
        List<String> names = new ArrayList<>(List.of("x", "target"));
        if (weighted) {
            names.add("weights");
        }
        if (backward) {
            names.add("dloss");
        }
        Require.operands(op, in, names.toArray(String[]::new));
        Shape x = Require.f32(op, "x", in.get(0));
        Require.that(x.rank() >= 1, "%s: x must be [N,…], but is %s", op, x);
        Require.f32(op, "target", in.get(1), x);
        if (weighted) {
            Require.f32(op, "weights", in.get(2), Shape.of(x.get(0)));
        }
        if (backward) {
            Require.f32(op, "dloss", in.get(in.size() - 1), Shape.SCALAR);
        }
        return x;
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        return gradient(new Backward(this), y, dy);
    }

    /** The gradient of x, by an op that takes the operands and dloss. */
    static List<@Nullable Value> gradient(Op backward, Node y, List<@Nullable Value> dy) {
        List<Value> operands = new ArrayList<>(y.inputs());
        operands.add(Require.gradientOfFirst(y, dy));
        @Nullable Value[] gradients = new Value[y.inputs().size()];
        gradients[0] = backward.of(operands.toArray(Value[]::new));
        return Arrays.asList(gradients);
    }

    @Override
    public String toString() {
        return function.name().toLowerCase(Locale.ROOT);
    }

    /** dx = f′·v·dloss/M with M elements, from x, the target, the weights if there are any, and dloss. */
    public record Backward(PointwiseLoss forward) implements Op {
        @Override
        public String name() {
            return "pointwise_loss_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            check(name(), in, forward.weighted, true);
            return List.of(in.get(0));
        }

        @Override
        public String toString() {
            return forward + "_backward";
        }
    }
}
