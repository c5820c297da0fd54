package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The mean cross-entropy of a batch, softmax included: with x: [N,C] and labels: i32 [N] in 0 … C − 1, p = softmax(x),
 * q = (1 − s)·onehot + s/C and loss = −1/N·Σ q·log p. Its results are the loss: [] and p: [N,C], which the backward
 * op consumes. Labels are checked where data enters, before any kernel runs.
 *
 * @param smoothing s, the label smoothing of Szegedy et al. 2016
 */
public record CrossEntropy(float smoothing) implements Op {

    public CrossEntropy {
        if (!(smoothing >= 0 && smoothing < 1)) {
            throw new IllegalArgumentException("label smoothing must lie in [0, 1), got " + smoothing);
        }
    }

    @Override
    public String name() {
        return "cross_entropy";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x", "labels");
        Shape x = Require.f32(name(), "x", in.get(0), "N,C");
        checkLabels(name(), in.get(1), x.get(0));
        return List.of(Type.f32(Shape.SCALAR), in.get(0));
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        Value dx = new Backward(smoothing).of(y.output(1), y.input(1), Require.gradientOfFirst(y, dy));
        return Arrays.asList(dx, null);
    }

    @Override
    public String toString() {
        return name() + (smoothing == 0 ? "" : "[smoothing " + smoothing + "]");
    }

    private static void checkLabels(String op, Type labels, int n) {
        Require.that(
                labels.dtype() == DType.I32 && labels.shape().equals(Shape.of(n)),
                "%s: labels must be i32[%d], but are %s",
                op,
                n,
                labels);
    }

    /** dx = (p − q)·dloss/N, from p, labels and dloss. */
    public record Backward(float smoothing) implements Op {
        @Override
        public String name() {
            return "cross_entropy_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "p", "labels", "dloss");
            Shape p = Require.f32(name(), "p", in.get(0), "N,C");
            checkLabels(name(), in.get(1), p.get(0));
            Require.f32(name(), "dloss", in.get(2), Shape.SCALAR);
            return List.of(in.get(0));
        }

        @Override
        public String toString() {
            return name();
        }
    }
}
