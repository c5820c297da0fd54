package dev.hadal.model;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.op.Convolution;
import dev.hadal.op.ConvolutionTranspose;
import dev.hadal.op.MatMul;
import dev.hadal.op.Recurrent;
import dev.hadal.op.Recurrent.Extent;
import dev.hadal.tensor.Shape;

/** How many products of two numbers the ops sum up that a network spends its time in. */
public final class MultiplyAdds {
    private MultiplyAdds() {}

    /**
     * Those of one node, padding counted as if it were values; 0 of an op that is not listed.
     *
     * <pre>
     *   convolution             each of y's values a sum over C/groups·KH·KW
     *     its gradients         the same
     *   transposed convolution  each of x's values spread over O/groups·KH·KW
     *   matmul                  each of y's values a sum over K
     *   recurrent               G·H·(I + H) for each step of each sequence
     * </pre>
     */
    public static long of(Node node) {
        Op op = node.op();
        if (op instanceof Convolution) {
            return product(node.output(0).shape().size(), node.input(1).shape().sizeFrom(1));
        }
        if (op instanceof Convolution.BackwardData) {
            return product(node.input(0).shape().size(), node.input(1).shape().sizeFrom(1));
        }
        if (op instanceof Convolution.BackwardWeights) {
            return product(node.input(1).shape().size(), node.output(0).shape().sizeFrom(1));
        }
        if (op instanceof ConvolutionTranspose) {
            return product(node.input(0).shape().size(), node.input(1).shape().sizeFrom(1));
        }
        if (op instanceof MatMul matmul) {
            return product(node.output(0).shape().size(), matmul.k(node.input(0).shape()));
        }
        if (op instanceof Recurrent recurrent) {
            Shape hh = node.input(2).shape();
            Extent e = Extent.of(node.input(0).shape(), hh);
            return product(
                    (long) e.n() * e.t(), product((long) recurrent.cell().gates() * e.h(), (long) e.i() + e.h()));
        }
        return 0;
    }

    private static long product(long a, long b) {
        return Math.multiplyExact(a, b);
    }
}
