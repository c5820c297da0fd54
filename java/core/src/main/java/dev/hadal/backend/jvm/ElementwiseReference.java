package dev.hadal.backend.jvm;

import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Bias;
import dev.hadal.op.Reshape;
import dev.hadal.tensor.Shape;
import java.util.Arrays;

/** Plain loops over elements. */
final class ElementwiseReference {

    static void define(OpTable<OpTable.Types, Formula> table) {
        table.put(WeightedSum.class, (op, t) -> weightedSum(op));
        table.put(Reshape.class, (op, t) -> copy());
        table.put(Bias.class, (op, t) -> bias(t.x(0)));
        table.put(Bias.Backward.class, (op, t) -> biasBackward(t.x(0)));
    }

    static Formula weightedSum(WeightedSum op) {
        return (in, out) -> {
            Arrays.fill(out[0], 0);
            for (int t = 0; t < in.length; t++) {
                for (int i = 0; i < out[0].length; i++) {
                    out[0][i] += op.scales().get(t) * in[t][i];
                }
            }
        };
    }

    static Formula copy() {
        return (in, out) -> System.arraycopy(in[0], 0, out[0], 0, out[0].length);
    }

    static Formula bias(Shape x) {
        int plane = x.sizeFrom(2);
        return (in, out) -> {
            for (int i = 0; i < out[0].length; i++) {
                out[0][i] = in[0][i] + in[1][i / plane % x.get(1)];
            }
        };
    }

    static Formula biasBackward(Shape dy) {
        int plane = dy.sizeFrom(2);
        return (in, out) -> {
            Arrays.fill(out[0], 0);
            for (int i = 0; i < in[0].length; i++) {
                out[0][i / plane % dy.get(1)] += in[0][i];
            }
        };
    }

    private ElementwiseReference() {}
}
