package dev.hadal.nn;

import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.op.AttentionMask;
import dev.hadal.op.Bias;
import dev.hadal.op.MatMul;
import dev.hadal.op.Reshape;
import dev.hadal.op.Softmax;
import dev.hadal.op.Split;
import dev.hadal.op.Transpose;
import dev.hadal.tensor.Shape;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Multi-head attention of a sequence to itself (Vaswani et al. 2017), from [N,T,features] to the same:
 * softmax(q·kᵀ/√d + mask)·v for each head of d = features/heads, with PyTorch's names and shapes of weights: in_proj of
 * q, k and v together, and out_proj.
 *
 * @param causal whether each step sees itself and those before it alone
 */
public record Attention(int heads, boolean causal) implements Layer {
    private static final List<Integer> HEADS_OUTSIDE = List.of(0, 2, 1, 3);

    public Attention {
        if (heads < 1) {
            throw new IllegalArgumentException("attention needs at least one head, got " + heads);
        }
    }

    @Override
    public Value apply(Scope scope, Value x) {
        return attend(scope, x, null);
    }

    /**
     * Over sequences that differ in length.
     *
     * @param lengths i32 [N]: steps from there on are not seen
     */
    public Value apply(Scope scope, Value x, Value lengths) {
        if (!lengths.type().equals(Type.i32(x.shape().get(0)))) {
            throw scope.error(
                    "the lengths of " + x.type() + " must be i32[" + x.shape().get(0) + "], but are " + lengths.type());
        }
        return attend(scope, x, lengths);
    }

    private Value attend(Scope scope, Value x, @Nullable Value lengths) {
        Shape shape = x.shape();
        if (shape.rank() != 3 || shape.get(2) % heads != 0) {
            throw scope.error("attention with " + heads
                    + " heads takes [N,T,features], the features a multiple of the heads, but got " + x.type());
        }
        int features = shape.get(2);
        int steps = shape.get(1);
        Value rows = new Reshape(List.of(-1, features)).of(x);
        Value w = scope.weight("in_proj_weight", Shape.of(3 * features, features), Init.xavierUniform());
        Value projected = new Bias()
                .of(
                        new MatMul(false, true).of(rows, w),
                        scope.weight("in_proj_bias", Shape.of(3 * features), Init.zeros()));
        List<Value> qkv = new Split(1, Collections.nCopies(3, features)).call(projected);
        Value q = heads(qkv.get(0), steps);
        Value k = heads(qkv.get(1), steps);
        Value v = heads(qkv.get(2), steps);
        AttentionMask mask =
                new AttentionMask((float) (1 / Math.sqrt(features / (double) heads)), causal, lengths != null);
        Value products = new MatMul(false, true).of(q, k);
        Value weights = new Softmax(-1, false).of(lengths == null ? mask.of(products) : mask.of(products, lengths));
        Value y = new Transpose(HEADS_OUTSIDE).of(new MatMul(false, false).of(weights, v));
        return scope.call("out_proj", new Linear(features, true), new Reshape(List.of(-1, steps, features)).of(y));
    }

    /** From [N·T,features] to [N,heads,T,d]. */
    private Value heads(Value rows, int steps) {
        int d = rows.shape().get(1) / heads;
        return new Transpose(HEADS_OUTSIDE).of(new Reshape(List.of(-1, steps, heads, d)).of(rows));
    }
}
