package dev.hadal.backend.jvm;

import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.graph.Fused;
import dev.hadal.graph.Type;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Chains of ops, one formula after the other. */
final class ChainReference {

    private record Typed(Type type, double[] values) {}

    static void define(OpTable<OpTable.Types, Formula> table) {
        table.put(Fused.class, ChainReference::chain);
    }

    /** Null if one of the ops has no formula. */
    private static @Nullable Formula chain(Fused chain, OpTable.Types t) {
        List<Formula> formulas = new ArrayList<>();
        chain.through(t.in(), (op, types) -> {
            List<Type> out = op.infer(types);
            Reference.formula(op, types, out).ifPresent(formulas::add);
            return out;
        });
        return formulas.size() < chain.parts().size() ? null : (in, out) -> run(chain, formulas, t.in(), in, out);
    }

    private static void run(Fused chain, List<Formula> formulas, List<Type> types, double[][] in, double[][] out) {
        List<Typed> operands = new ArrayList<>();
        for (int i = 0; i < in.length; i++) {
            operands.add(new Typed(types.get(i), in[i]));
        }
        int[] next = {0};
        List<Typed> results = chain.through(operands, (op, taken) -> {
            List<Typed> given = new ArrayList<>();
            for (Type type : op.infer(taken.stream().map(Typed::type).toList())) {
                given.add(new Typed(type, new double[type.shape().size()]));
            }
            formulas.get(next[0]++)
                    .run(
                            taken.stream().map(Typed::values).toArray(double[][]::new),
                            given.stream().map(Typed::values).toArray(double[][]::new));
            return given;
        });
        for (int o = 0; o < out.length; o++) {
            System.arraycopy(results.get(o).values(), 0, out[o], 0, out[o].length);
        }
    }

    private ChainReference() {}
}
