package dev.hadal.graph;

import java.util.ArrayList;
import java.util.List;
import java.util.StringJoiner;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/**
 * Ops in a chain, each of which takes the first result of the one before, as one op: values then need not travel to memory
 * and back in between. A plan looks for chains in the graph and offers them to its backends; a graph that only predicts
 * may hold them as nodes. A chain has no gradient: a graph is differentiated first.
 *
 * <p>Its operands are those of the first op, then the further operands of each op that follows. Its results are those of
 * the last op; or, if it keeps them, those of every op in order.
 */
public record Fused(List<Part> parts, boolean keep) implements Op {

    /**
     * One op of the chain.
     *
     * @param operands how many it takes
     * @param at which of them is the result of the op before; −1 for the first op
     */
    public record Part(Op op, int operands, int at) {}

    public Fused {
        parts = List.copyOf(parts);
        if (parts.isEmpty()) {
            throw new IllegalArgumentException("a chain holds at least one op");
        }
        for (int i = 0; i < parts.size(); i++) {
            Part p = parts.get(i);
            boolean placed = i == 0 ? p.at == -1 && p.operands >= 0 : p.at >= 0 && p.at < p.operands;
            if (!placed || p.op instanceof Fused || p.op instanceof Leaf) {
                throw new IllegalArgumentException("part " + i + " of a chain cannot be " + p);
            }
        }
    }

    /** A chain of one op. */
    public static Fused of(Op first, int operands) {
        return new Fused(List.of(new Part(first, operands, -1)), false);
    }

    /** The same chain with one more op. */
    public Fused then(Op op, int operands, int at) {
        List<Part> longer = new ArrayList<>(parts);
        longer.add(new Part(op, operands, at));
        return new Fused(longer, keep);
    }

    /** The same chain with the results of every op. */
    public Fused keeping() {
        return new Fused(parts, true);
    }

    /** The first op. */
    public Op root() {
        return parts.get(0).op;
    }

    /** What follows the first op. */
    public List<Part> epilogue() {
        return parts.subList(1, parts.size());
    }

    /**
     * Goes through the chain, whatever it is that ops are applied to.
     *
     * @param step from an op and its operands to its results
     */
    public <T> List<T> through(List<T> operands, BiFunction<Op, List<T>, List<T>> step) {
        List<T> all = new ArrayList<>();
        List<T> last = List.of();
        int next = 0;
        for (Part p : parts) {
            List<T> in = new ArrayList<>();
            for (int i = 0; i < p.operands; i++) {
                in.add(i == p.at ? last.get(0) : operands.get(next++));
            }
            last = step.apply(p.op, in);
            all.addAll(last);
        }
        return keep ? all : last;
    }

    @Override
    public String name() {
        StringJoiner names = new StringJoiner("+");
        for (Part p : parts) {
            names.add(p.op.name());
        }
        return names.toString();
    }

    @Override
    public List<Type> infer(List<Type> in) {
        int needed = 1;
        for (Part p : parts) {
            needed += p.operands - 1;
        }
        if (in.size() != needed) {
            throw new TypeException(name() + " takes " + needed + " operands, but got " + in.size());
        }
        try {
            return through(in, Inference.STEP);
        } catch (TypeException e) {
            throw new TypeException(name() + ": " + e.getMessage(), e);
        }
    }

    /** From operands' types to results' types; a class, since a function object would slow the start of every JVM. */
    private static final class Inference implements BiFunction<Op, List<Type>, List<Type>> {
        static final Inference STEP = new Inference();

        @Override
        public List<Type> apply(Op op, List<Type> in) {
            return op.infer(in);
        }
    }

    @Override
    public List<@Nullable Value> gradient(Node node, List<@Nullable Value> dy) {
        throw new IllegalStateException(
                node + ": a chain of ops has no gradient; differentiate the graph, and fuse it afterwards");
    }

    @Override
    public String toString() {
        StringJoiner ops = new StringJoiner(" + ");
        for (Part p : parts) {
            ops.add(p.op.toString());
        }
        return ops.toString();
    }
}
