package dev.hadal.backend.jvm;

import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.graph.Type;
import dev.hadal.op.Dequantize;
import dev.hadal.op.Quantization;
import dev.hadal.op.Quantize;
import dev.hadal.op.Quantized;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Quantized values; the integers travel as doubles. */
final class QuantizedReference {

    static void define(OpTable<OpTable.Types, Formula> table) {
        table.put(
                Quantize.class,
                (op, t) -> (in, out) -> quantize(op.to(), t.out().get(0), in[0], out[0]));
        table.put(Dequantize.class, (op, t) -> (in, out) -> dequantize(op.from(), t.in().get(0), in[0], out[0]));
        table.put(Quantized.class, QuantizedReference::quantized);
    }

    static void quantize(Quantization to, Type type, double[] x, double[] q) {
        Arrays.setAll(q, i -> to.integer(x[i], to.index(type.shape(), i)));
    }

    static void dequantize(Quantization from, Type type, double[] q, double[] x) {
        Arrays.setAll(x, i -> (double) from.scale(from.index(type.shape(), i)) * (q[i] - from.zeroPoint()));
    }

    private static @Nullable Formula quantized(Quantized op, OpTable.Types t) {
        List<Type> wide = op.widened(t.in());
        return Reference.formula(op.op(), wide, op.op().infer(wide))
                .<Formula>map(formula -> (in, out) -> {
                    double[][] x = in.clone();
                    double[][] y = out.clone();
                    for (int i = 0; i < x.length; i++) {
                        if (op.operands().get(i).quantizes()) {
                            x[i] = new double[in[i].length];
                            dequantize(op.operands().get(i), wide.get(i), in[i], x[i]);
                        }
                    }
                    formula.run(x, y);
                    for (int o = 0; o < y.length; o++) {
                        if (op.results().get(o).quantizes()) {
                            quantize(op.results().get(o), t.out().get(o), y[o].clone(), out[o]);
                        }
                    }
                })
                .orElse(null);
    }

    private QuantizedReference() {}
}
