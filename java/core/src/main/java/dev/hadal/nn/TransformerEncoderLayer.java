package dev.hadal.nn;

import static dev.hadal.nn.Layers.gelu;
import static dev.hadal.nn.Layers.layerNorm;
import static dev.hadal.nn.Layers.linear;

import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A block of a transformer encoder, from [N,T,features] to the same, with PyTorch's names of weights. Each half is a
 * residual: x + f(norm(x)) if pre-norm (Xiong et al. 2020), else norm(x + f(x)) (Vaswani et al. 2017).
 *
 * @param hidden the features between the two linear layers
 * @param dropout the share that is dropped of what each half adds, and between the linear layers
 * @param causal whether each step sees itself and those before it alone
 */
public record TransformerEncoderLayer(int heads, int hidden, float dropout, boolean causal, boolean preNorm)
        implements Layer {

    /** With each step seeing itself and those before it alone: for a language model. */
    public TransformerEncoderLayer masked() {
        return new TransformerEncoderLayer(heads, hidden, dropout, true, preNorm);
    }

    public TransformerEncoderLayer dropout(double share) {
        return new TransformerEncoderLayer(heads, hidden, (float) share, causal, preNorm);
    }

    /** With the norms behind the sums, as the first transformers had it. */
    public TransformerEncoderLayer postNorm() {
        return new TransformerEncoderLayer(heads, hidden, dropout, causal, false);
    }

    @Override
    public Value apply(Scope scope, Value x) {
        return blocks(scope, x, null);
    }

    /**
     * Over sequences that differ in length.
     *
     * @param lengths i32 [N]: steps from there on are not seen
     */
    public Value apply(Scope scope, Value x, Value lengths) {
        return blocks(scope, x, lengths);
    }

    private Value blocks(Scope scope, Value x, @Nullable Value lengths) {
        Attention attention = new Attention(heads, causal);
        Layer attend = lengths == null ? attention : (inner, v) -> attention.apply(inner, v, lengths);
        Value y = half(scope, "norm1", x, v -> scope.call("dropout1", dropped(), scope.call("self_attn", attend, v)));
        return half(scope, "norm2", y, v -> scope.call("dropout2", dropped(), feedForward(scope, v)));
    }

    private interface Body {
        Value of(Value x);
    }

    private Value half(Scope scope, String norm, Value x, Body body) {
        return preNorm
                ? WeightedSum.sum(List.of(x, body.of(scope.call(norm, layerNorm(), x))))
                : scope.call(norm, layerNorm(), WeightedSum.sum(List.of(x, body.of(x))));
    }

    private Value feedForward(Scope scope, Value x) {
        Value between = scope.call("activation", gelu(), scope.call("linear1", linear(hidden), x));
        return scope.call("linear2", linear(x.shape().get(2)), scope.call("dropout", dropped(), between));
    }

    private Layer dropped() {
        return dropout == 0 ? (scope, x) -> x : Layers.dropout(dropout);
    }
}
