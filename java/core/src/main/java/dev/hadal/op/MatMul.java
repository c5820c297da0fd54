package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** y = a·b, with a: [M,K] and b: [K,N], each stored transposed if so marked. */
public record MatMul(boolean transposeA, boolean transposeB) implements Op {

    @Override
    public String name() {
        return "matmul";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "a", "b");
        Shape a = Require.f32(name(), "a", in.get(0), transposeA ? "K,M" : "M,K");
        Shape b = Require.f32(name(), "b", in.get(1), transposeB ? "N,K" : "K,N");
        Require.that(
                k(a) == b.get(transposeB ? 1 : 0),
                "matmul: the inner dimensions of a %s%s and b %s%s differ",
                a,
                transposeA ? "ᵀ" : "",
                b,
                transposeB ? "ᵀ" : "");
        return List.of(Type.f32(m(a), n(b)));
    }

    /** The rows of the result, given the stored shape of a. */
    public int m(Shape a) {
        return a.get(transposeA ? 1 : 0);
    }

    /** The length of the sums, given the stored shape of a. */
    public int k(Shape a) {
        return a.get(transposeA ? 0 : 1);
    }

    /** The columns of the result, given the stored shape of b. */
    public int n(Shape b) {
        return b.get(transposeB ? 0 : 1);
    }

    /** With A and B as multiplied: dA = dy·Bᵀ and dB = Aᵀ·dy, each transposed once more where it is stored so. */
    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        Value a = y.input(0);
        Value b = y.input(1);
        Value g = Objects.requireNonNull(dy.get(0));
        Value da = transposeA ? new MatMul(transposeB, true).of(b, g) : new MatMul(false, !transposeB).of(g, b);
        Value db = transposeB ? new MatMul(true, transposeA).of(g, a) : new MatMul(!transposeA, false).of(a, g);
        return List.of(da, db);
    }

    @Override
    public String toString() {
        return "matmul" + (transposeA ? "[aᵀ]" : "") + (transposeB ? "[bᵀ]" : "");
    }
}
