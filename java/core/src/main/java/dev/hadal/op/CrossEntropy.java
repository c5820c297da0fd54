package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The mean cross-entropy of a batch, softmax included, with x: [N,…,C] and labels: i32 [N,…] in 0 … C − 1. A row is one
 * label y with its C logits; with p = softmax(x), q = (1 − s)·onehot(y) + s/C, the class weights w and the row's sample's
 * weight v (1 where there are none):
 *
 * <pre>loss = Σ v·l / Σ w[y]   with   l = −Σ q·w·log p</pre>
 *
 * both sums over the rows whose label is not {@code ignore}: without class weights, the mean over these rows. That is
 * PyTorch's mean; sample weights, which PyTorch has not, leave the divisor alone. If every label is ignored, the loss is
 * NaN. The results are the loss: [] and p: [N,…,C], which the backward op consumes. Labels are checked where data enters,
 * before any kernel runs.
 *
 * @param smoothing s, the label smoothing of Szegedy et al. 2016
 * @param classWeights w, one per class; or none
 * @param weighted whether the samples' weights v: [N] follow as a third operand
 * @param ignore the label of rows that do not count
 */
public record CrossEntropy(float smoothing, List<Float> classWeights, boolean weighted, int ignore) implements Op {
    /** The label that PyTorch ignores. */
    public static final int IGNORE = -100;

    public CrossEntropy {
        classWeights = List.copyOf(classWeights);
        if (!(smoothing >= 0 && smoothing < 1)) {
            throw new IllegalArgumentException("label smoothing must lie in [0, 1), got " + smoothing);
        }
        for (float w : classWeights) {
            if (!(w >= 0 && w <= Float.MAX_VALUE)) {
                throw new IllegalArgumentException("class weights must be finite and >= 0, got " + w);
            }
        }
    }

    /** Without weights. */
    public CrossEntropy(float smoothing) {
        this(smoothing, List.of(), false, IGNORE);
    }

    @Override
    public String name() {
        return "cross_entropy";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        check(name(), in, List.of("x", "labels"), List.of());
        return List.of(Type.f32(Shape.SCALAR), in.get(0));
    }

    /** The operands are x or p, the labels, the weights if there are any, and what comes last. */
    private void check(String op, List<Type> in, List<String> first, List<String> last) {
        List<String> names = new ArrayList<>(first);
        if (weighted) {
            names.add("weights");
        }
        names.addAll(last);
        Require.operands(op, in, names.toArray(String[]::new));
        Shape x = Require.f32(op, first.get(0), in.get(0));
        Require.that(x.rank() >= 2, "%s: %s must be [N,…,C], but is %s", op, first.get(0), x);
        Shape rows = new Shape(x.dims().subList(0, x.rank() - 1));
        Type labels = in.get(1);
        Require.that(
                labels.dtype() == DType.I32 && labels.shape().equals(rows),
                "%s: labels must be i32%s to %s %s, but are %s",
                op,
                rows,
                first.get(0),
                x,
                labels);
        int classes = x.get(x.rank() - 1);
        Require.that(
                classWeights.isEmpty() || classWeights.size() == classes,
                "%s: there are %d class weights, but %d classes in %s %s",
                op,
                classWeights.size(),
                classes,
                first.get(0),
                x);
        if (weighted) {
            Require.f32(op, "weights", in.get(2), Shape.of(x.get(0)));
        }
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        List<Value> operands = new ArrayList<>(y.inputs());
        operands.set(0, y.output(1));
        operands.add(Require.gradientOfFirst(y, dy));
        Value dx = new Backward(this).of(operands.toArray(Value[]::new));
        return weighted ? Arrays.asList(dx, null, null) : Arrays.asList(dx, null);
    }

    @Override
    public String toString() {
        return name() + (smoothing == 0 ? "" : "[smoothing " + smoothing + "]");
    }

    /** dx = v·(p·Σ q·w − q·w)·dloss / Σ w[y], from p, labels, the weights if there are any, and dloss. */
    public record Backward(CrossEntropy forward) implements Op {
        @Override
        public String name() {
            return "cross_entropy_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            forward.check(name(), in, List.of("p", "labels"), List.of("dloss"));
            Require.f32(name(), "dloss", in.get(in.size() - 1), Shape.SCALAR);
            return List.of(in.get(0));
        }

        @Override
        public String toString() {
            return name();
        }
    }
}
