package dev.hadal.model;

import dev.hadal.graph.Fused;
import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.op.Convolution;
import dev.hadal.op.ConvolutionTranspose;
import dev.hadal.op.MatMul;
import dev.hadal.op.Recurrent;
import dev.hadal.op.Recurrent.Extent;
import dev.hadal.op.SparseMatMul;
import dev.hadal.tensor.Shape;
import java.util.List;

/** How many products of two numbers the ops sum up that a network spends its time in. */
public final class MultiplyAdds {
    private MultiplyAdds() {}

    /**
     * Those of one node, padding counted as if it were values; 0 of an op that is not listed. A chain's are its ops'.
     *
     * <pre>
     *   convolution             each of y's values a sum over C/groups·KH·KW
     *     its gradients         the same
     *   transposed convolution  each of x's values spread over O/groups·KH·KW
     *   matmul                  each of y's values a sum over K
     *   sparse matmul           a row of x times each weight that is kept
     *   recurrent               G·H·(I + H) for each step of each sequence
     * </pre>
     */
    public static long of(Node node) {
        return of(node.op(), node.inputs().stream().map(Value::type).toList());
    }

    private static long of(Op op, List<Type> in) {
        if (op instanceof Fused chain) {
            long[] sum = {0};
            chain.through(in, (part, types) -> {
                sum[0] += of(part, types);
                return part.infer(types);
            });
            return sum[0];
        }
        if (op instanceof Convolution) {
            return product(op.infer(in).get(0).shape().size(), in.get(1).shape().sizeFrom(1));
        }
        if (op instanceof Convolution.BackwardData) {
            return product(in.get(0).shape().size(), in.get(1).shape().sizeFrom(1));
        }
        if (op instanceof Convolution.BackwardWeights) {
            return product(in.get(1).shape().size(), op.infer(in).get(0).shape().sizeFrom(1));
        }
        if (op instanceof ConvolutionTranspose) {
            return product(in.get(0).shape().size(), in.get(1).shape().sizeFrom(1));
        }
        if (op instanceof MatMul matmul) {
            return product(
                    op.infer(in).get(0).shape().size(), matmul.k(in.get(0).shape()));
        }
        if (op instanceof SparseMatMul sparse) {
            SparseMatMul.Geometry g =
                    sparse.geometry(in.get(0).shape(), in.get(1).shape());
            return product(g.rows(), product(g.blocks(), g.height()));
        }
        if (op instanceof Recurrent recurrent) {
            Shape hh = in.get(2).shape();
            Extent e = Extent.of(in.get(0).shape(), hh);
            return product(
                    (long) e.n() * e.t(), product((long) recurrent.cell().gates() * e.h(), (long) e.i() + e.h()));
        }
        return 0;
    }

    private static long product(long a, long b) {
        return Math.multiplyExact(a, b);
    }
}
