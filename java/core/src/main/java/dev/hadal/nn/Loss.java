package dev.hadal.nn;

import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.TypeException;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Binary;
import dev.hadal.op.CosineLoss;
import dev.hadal.op.CrossEntropy;
import dev.hadal.op.KlDivergence;
import dev.hadal.op.MatMul;
import dev.hadal.op.PointwiseLoss;
import dev.hadal.op.Reshape;
import dev.hadal.op.Softmax;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.function.BiConsumer;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** What training makes small: a scalar of a network's output and the truth. */
public interface Loss {

    /** The type of the truth for a batch of outputs. */
    Type target(Type output);

    /**
     * Checks the truth of a batch before any kernel sees it.
     *
     * @param target of the type that {@link #target} gives, but for the batch's size
     * @throws IllegalArgumentException if a value is none that the loss is defined for
     */
    default void check(Type output, Tensor target) {}

    /** Appends the loss, a mean over the batch: []. */
    Value apply(Value output, Value target);

    /**
     * The same with each sample's terms multiplied by its weight.
     *
     * @param sampleWeights f32 [N], or null if all samples count alike
     * @throws IllegalArgumentException if there are weights, but this loss takes none
     */
    default Value apply(Value output, Value target, @Nullable Value sampleWeights) {
        if (sampleWeights != null) {
            throw new IllegalArgumentException("this loss takes no sample weights; a loss of your own does if it"
                    + " overrides apply(output, target, sampleWeights)");
        }
        return apply(output, target);
    }

    /** Softmax and cross-entropy of logits [N,…,C] and class indices i32 [N,…]; an index of −100 does not count. */
    static Loss crossEntropy() {
        return crossEntropy(0);
    }

    /** The same with smoothed labels. */
    static Loss crossEntropy(double smoothing) {
        return crossEntropy(smoothing, new float[0]);
    }

    /** The same with a weight for each class; the mean is over the weights of the labels, as in PyTorch. */
    static Loss crossEntropy(double smoothing, float... classWeights) {
        List<Float> weights = new ArrayList<>();
        for (float w : classWeights) {
            weights.add(w);
        }
        return of(
                output -> {
                    Shape shape = output.shape();
                    List<Integer> rows = shape.dims().subList(0, Math.max(1, shape.rank() - 1));
                    return new Type(DType.I32, new Shape(rows));
                },
                Loss::checkLabels,
                weighted -> new CrossEntropy((float) smoothing, weights, weighted, CrossEntropy.IGNORE));
    }

    private static void checkLabels(Type output, Tensor target) {
        int classes = output.shape().get(output.shape().rank() - 1);
        int[] labels = target.ints();
        int places = Math.max(1, target.shape().sizeFrom(1));
        for (int i = 0; i < labels.length; i++) {
            if (labels[i] != CrossEntropy.IGNORE && (labels[i] < 0 || labels[i] >= classes)) {
                throw new IllegalArgumentException(
                        "label " + labels[i] + " of sample " + i / places + " is outside 0 … " + (classes - 1));
            }
        }
    }

    /**
     * Softmax and cross-entropy of logits [N,…,C] and a distribution over the classes in each row, f32 [N,…,C], such as
     * mixup makes of class indices: the mean over the rows of −Σ t·log softmax(x).
     */
    static Loss softCrossEntropy() {
        return new Loss() {
            @Override
            public Type target(Type output) {
                return output;
            }

            @Override
            public void check(Type output, Tensor target) {
                float[] t = target.floats();
                for (int i = 0; i < t.length; i++) {
                    if (!(t[i] >= 0 && t[i] <= Float.MAX_VALUE)) {
                        throw new IllegalArgumentException("the share of a class must be finite and >= 0, but that of "
                                + "sample " + i / Math.max(1, target.shape().sizeFrom(1)) + " is " + t[i]);
                    }
                }
            }

            @Override
            public Value apply(Value output, Value target) {
                return apply(output, target, null);
            }

            @Override
            public Value apply(Value output, Value target, @Nullable Value sampleWeights) {
                return soft(output, target, sampleWeights);
            }
        };
    }

    /** −1/rows·Σ v·t·log softmax(x). The sum is one product of a row and a column, for which every backend is fast. */
    private static Value soft(Value x, Value target, @Nullable Value v) {
        Shape shape = x.shape();
        if (shape.rank() < 2 || shape.size() == 0) {
            throw new TypeException("soft cross-entropy takes logits [N,…,C] of at least one row, but got " + x.type());
        }
        Value t = target;
        if (v != null) {
            List<Integer> dims = new ArrayList<>(Collections.nCopies(shape.rank(), 1));
            dims.set(0, shape.get(0));
            t = new Binary(Binary.Function.MUL).of(t, new Reshape(dims).of(v));
        }
        Reshape row = new Reshape(List.of(1, shape.size()));
        Value sum = new MatMul(false, true).of(row.of(new Softmax(-1, true).of(x)), row.of(t));
        float rows = (float) shape.size() / shape.get(shape.rank() - 1);
        return new WeightedSum(List.of(-1 / rows)).of(new Reshape(List.of()).of(sum));
    }

    /** The mean of (output − target)². */
    static Loss mse() {
        return pointwise(PointwiseLoss.Function.MSE, 1);
    }

    /** The mean of |output − target|. */
    static Loss l1() {
        return pointwise(PointwiseLoss.Function.L1, 1);
    }

    /** The mean of Huber's function: half the square up to a distance of delta, and a straight line beyond. */
    static Loss huber(double delta) {
        return pointwise(PointwiseLoss.Function.HUBER, delta);
    }

    /** Sigmoid and binary cross-entropy of logits and probabilities of the same shape. */
    static Loss binaryCrossEntropy() {
        return pointwise(PointwiseLoss.Function.BCE_WITH_LOGITS, 1);
    }

    /** The Kullback–Leibler divergence of log-probabilities from the target's probabilities, a mean over samples. */
    static Loss klDivergence() {
        return of(output -> output, (output, target) -> {}, KlDivergence::new);
    }

    /** The mean of 1 − cos of the angle between the rows of output and target, [N,…,D]. */
    static Loss cosine() {
        return of(output -> output, (output, target) -> {}, CosineLoss::new);
    }

    private static Loss pointwise(PointwiseLoss.Function function, double delta) {
        return of(
                output -> output,
                (output, target) -> {},
                weighted -> new PointwiseLoss(function, (float) delta, weighted));
    }

    private static Loss of(UnaryOperator<Type> targets, BiConsumer<Type, Tensor> check, Function<Boolean, Op> ops) {
        Objects.requireNonNull(ops.apply(false)); // bad settings are the caller's fault, not the network's
        return new Loss() {
            @Override
            public Type target(Type output) {
                return targets.apply(output);
            }

            @Override
            public void check(Type output, Tensor target) {
                check.accept(output, target);
            }

            @Override
            public Value apply(Value output, Value target) {
                return ops.apply(false).of(output, target);
            }

            @Override
            public Value apply(Value output, Value target, @Nullable Value sampleWeights) {
                return sampleWeights == null
                        ? apply(output, target)
                        : ops.apply(true).of(output, target, sampleWeights);
            }
        };
    }
}
