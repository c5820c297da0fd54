package dev.hadal.backend.jvm;

import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.tensor.Shape;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What answers which kind of op; each family of ops adds its own rows.
 *
 * @param <C> what a row is told beside the op: its types, and for a fast kernel the machine
 * @param <R> what is answered: a formula, or a kernel
 */
final class OpTable<C, R> {

    /** The types of an op's operands and results. */
    record Types(List<Type> in, List<Type> out) {
        /** The shape of an operand. */
        Shape x(int operand) {
            return in.get(operand).shape();
        }

        /** The shape of a result. */
        Shape y(int result) {
            return out.get(result).shape();
        }
    }

    /** The same with the machine that a kernel is for. */
    record Job(List<Type> in, List<Type> out, Machine machine) {
        /** The shape of an operand. */
        Shape x(int operand) {
            return in.get(operand).shape();
        }
    }

    /** The answer for ops of one kind; null declines. */
    interface Row<O extends Op, C, R> {
        @Nullable
        R of(O op, C told);
    }

    private final Map<Class<?>, Row<?, C, R>> rows = new HashMap<>();

    <O extends Op> void put(Class<O> kind, Row<O, C, R> row) {
        if (rows.putIfAbsent(kind, row) != null) {
            throw new IllegalStateException("two rows for " + kind);
        }
    }

    @Nullable
    R find(Op op, C told) {
        return rows.containsKey(op.getClass()) ? answer(op, told) : null;
    }

    @SuppressWarnings("unchecked") // put admits no row under the class of another kind
    private <O extends Op> @Nullable R answer(O op, C told) {
        return ((Row<O, C, R>) Objects.requireNonNull(rows.get(op.getClass()))).of(op, told);
    }
}
