package dev.hadal.op;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.Reference;
import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** The reference with a bug: the kernels of one class of ops are not quite right. */
record Mutant(String bug, Class<? extends Op> victim, Formulas formulas, Function<Kernel, @Nullable Kernel> kernels) {

    /** Changes an op's formula. */
    interface Formulas {
        Formula of(Op op, List<Type> in, List<Type> out, Formula right);
    }

    /** A bug in what is computed. */
    static Mutant formula(String bug, Class<? extends Op> victim, Formulas formulas) {
        return new Mutant(bug, victim, formulas, k -> k);
    }

    /** A bug in how a kernel keeps to its contract; or that there is none. */
    static Mutant kernel(String bug, Class<? extends Op> victim, Function<Kernel, @Nullable Kernel> kernels) {
        return new Mutant(bug, victim, (op, in, out, right) -> right, kernels);
    }

    Backend backend() {
        return new Stand("mutant (" + bug + ")", this::kernel);
    }

    private @Nullable Kernel kernel(Op op, List<Type> in, List<Type> out) {
        Formula right = Reference.formula(op, in, out).orElseThrow();
        return op.getClass() == victim
                ? kernels.apply(new FormulaKernel("mutant", in, out, formulas.of(op, in, out, right)))
                : new FormulaKernel("reference", in, out, right);
    }

    @Override
    public String toString() {
        return Tally.nameOf(victim) + ": " + bug;
    }
}
