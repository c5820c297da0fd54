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
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Readies the products q·kᵀ of scaled dot-product attention (Vaswani et al. 2017) for their softmax: y = scale·x where a
 * query may see a key, and {@value #NEVER} where not, which the softmax makes exactly 0. With x: [N,H,Tq,Tk] and, if
 * padded, the number of keys of each sample, lengths: i32 [N]. A sample of no keys has equal weights for all.
 *
 * @param causal whether query i sees the keys up to i + Tk − Tq alone, so that the last query sees all
 * @param padded whether keys from a sample's length on are padding
 */
public record AttentionMask(float scale, boolean causal, boolean padded) implements Op {
    /** What a hidden product becomes: finite, since an infinity would look like a fault. */
    public static final float NEVER = -1e30f;

    @Override
    public String name() {
        return "attention_mask";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        return infer(name(), "x", in);
    }

    private List<Type> infer(String op, String operand, List<Type> in) {
        Require.operands(op, in, padded ? new String[] {operand, "lengths"} : new String[] {operand});
        Shape x = Require.f32(op, operand, in.get(0), "N,H,Tq,Tk");
        if (padded) {
            Type lengths = in.get(1);
            Require.that(
                    lengths.dtype() == DType.I32 && lengths.shape().equals(Shape.of(x.get(0))),
                    "%s: lengths must be i32[%d], but are %s",
                    op,
                    x.get(0),
                    lengths);
        }
        return List.of(in.get(0));
    }

    /**
     * How many keys a query sees: the first so many.
     *
     * @param length the sample's length; ignored if nothing is padded
     */
    public int seen(int query, int queries, int keys, int length) {
        int seen = padded ? Math.max(0, Math.min(length, keys)) : keys;
        return causal ? Math.max(0, Math.min(seen, query + 1 + keys - queries)) : seen;
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        List<Value> operands = new ArrayList<>(y.inputs());
        operands.set(0, Objects.requireNonNull(dy.get(0)));
        Value dx = new Backward(this).of(operands.toArray(Value[]::new));
        return padded ? Arrays.asList(dx, null) : List.of(dx);
    }

    @Override
    public String toString() {
        return name() + "[scale " + scale + (causal ? ", causal" : "") + (padded ? ", padded" : "") + "]";
    }

    /** dx = scale·dy where the query saw the key, and 0 where not, from dy and the lengths. */
    public record Backward(AttentionMask forward) implements Op {
        @Override
        public String name() {
            return "attention_mask_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            return forward.infer(name(), "dy", in);
        }

        @Override
        public String toString() {
            return name();
        }
    }
}
