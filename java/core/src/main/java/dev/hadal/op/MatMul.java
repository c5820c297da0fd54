package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * y = a·b, with a: […,M,K] and b: […,K,N], each matrix stored transposed if so marked. The dimensions before the last
 * two are a batch of matrices; those of a and b are broadcast as in NumPy and ONNX.
 */
public record MatMul(boolean transposeA, boolean transposeB) implements Op {

    @Override
    public String name() {
        return "matmul";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "a", "b");
        Shape a = Require.f32(name(), "a", in.get(0));
        Shape b = Require.f32(name(), "b", in.get(1));
        Require.that(a.rank() >= 2, "matmul: a must be […,%s], but is %s", transposeA ? "K,M" : "M,K", a);
        Require.that(b.rank() >= 2, "matmul: b must be […,%s], but is %s", transposeB ? "N,K" : "K,N", b);
        Require.that(
                k(a) == side(b, transposeB ? 1 : 2),
                "matmul: the inner dimensions of a %s%s and b %s%s differ",
                a,
                transposeA ? "ᵀ" : "",
                b,
                transposeB ? "ᵀ" : "");
        List<Integer> y = new ArrayList<>(batch(a, b));
        y.add(m(a));
        y.add(n(b));
        return List.of(Type.f32(new Shape(y)));
    }

    /** The rows of the result, given the stored shape of a. */
    public int m(Shape a) {
        return side(a, transposeA ? 1 : 2);
    }

    /** The length of the sums, given the stored shape of a. */
    public int k(Shape a) {
        return side(a, transposeA ? 2 : 1);
    }

    /** The columns of the result, given the stored shape of b. */
    public int n(Shape b) {
        return side(b, transposeB ? 2 : 1);
    }

    private static int side(Shape matrix, int fromEnd) {
        return matrix.get(matrix.rank() - fromEnd);
    }

    /** The batch of the result, given the stored shapes: all its dimensions but the last two. */
    public List<Integer> batch(Shape a, Shape b) {
        return Broadcast.dims(name(), "a", a, "b", b, 2);
    }

    /** Which of an operand's matrices each item of the batch takes. */
    public static int[] items(Shape operand, List<Integer> batch) {
        int rank = operand.rank() - 2;
        return Broadcast.sources(operand.dims().subList(0, rank), batch);
    }

    /** Whether every matrix of a meets the same b, so that all their rows are one matrix: [B·M,K]·[K,N]. */
    public boolean isOneProduct(Shape a, Shape b) {
        return !transposeA && count(b) == 1 && Shape.product(batch(a, b)) == count(a);
    }

    /** How many matrices an operand holds. */
    private static int count(Shape operand) {
        return Shape.product(operand.dims().subList(0, operand.rank() - 2));
    }

    /**
     * With A and B as multiplied: dA = dy·Bᵀ and dB = Aᵀ·dy, each transposed once more where it is stored so, and summed
     * over the items that share a matrix.
     */
    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        Value a = y.input(0);
        Value b = y.input(1);
        Value g = Objects.requireNonNull(dy.get(0));
        Value da = transposeA ? new MatMul(transposeB, true).of(b, g) : new MatMul(false, !transposeB).of(g, b);
        return List.of(Broadcast.sum(da, a.shape()), gradientOfB(a, b, g));
    }

    private Value gradientOfB(Value a, Value b, Value g) {
        boolean rows = isOneProduct(a.shape(), b.shape())
                && a.shape().size() > 0
                && g.shape().size() > 0;
        Value x = rows ? rows(a) : a;
        Value z = rows ? rows(g) : g;
        Value db = transposeB ? new MatMul(true, transposeA).of(z, x) : new MatMul(!transposeA, false).of(x, z);
        return rows ? reshaped(db, b.shape()) : Broadcast.sum(db, b.shape());
    }

    /** One matrix with the rows of all. */
    private static Value rows(Value x) {
        int columns = side(x.shape(), 1);
        return reshaped(x, Shape.of(x.shape().size() / columns, columns));
    }

    private static Value reshaped(Value x, Shape shape) {
        return x.shape().equals(shape) ? x : new Reshape(shape.dims()).of(x);
    }

    @Override
    public String toString() {
        return "matmul" + (transposeA ? "[aᵀ]" : "") + (transposeB ? "[bᵀ]" : "");
    }
}
