package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * One layer of a recurrent network in one direction, with PyTorch's formulas, weights and order of gates.
 *
 * <p>From x: [N,T,I], weight_ih: [G·H,I], weight_hh: [G·H,H], bias_ih and bias_hh: [G·H] come y: [N,T,H], the state
 * after the last step h: [N,H] (and c: [N,H] of an LSTM), and what the backward op needs of the gates, kept: [N,T,K·H].
 * With {@code initial}, the state before the first step is an operand, h0: [N,H] (and c0: [N,H]); else it is zero. With
 * {@code masked}, so is lengths: i32 [N]: steps from a sequence's length on leave its state as it is, and their y is
 * zero. In {@code reverse} time runs backwards, from each sequence's own end, and y stays in the order of x. Operands
 * come in this order.
 */
public record Recurrent(Cell cell, boolean reverse, boolean initial, boolean masked) implements Op {

    /**
     * What one step does with its input x and the state h. Each gate has its block of H rows in the weights; aₖ is
     * block k of weight_ih·x + bias_ih, and bₖ is block k of weight_hh·h + bias_hh.
     */
    public enum Cell {
        /** h ← tanh(a + b) */
        RNN_TANH(1, 0),
        /** h ← max(a + b, 0) */
        RNN_RELU(1, 0),
        /**
         * i = σ(a₀ + b₀), f = σ(a₁ + b₁), g = tanh(a₂ + b₂), o = σ(a₃ + b₃), c ← f·c + i·g, h ← o·tanh c (Hochreiter
         * and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000). Kept are i, f, g, o and c.
         */
        LSTM(4, 5),
        /**
         * r = σ(a₀ + b₀), z = σ(a₁ + b₁), n = tanh(a₂ + r·b₂), h ← (1 − z)·n + z·h (Cho et al. 2014, with the reset
         * after the product, as in cuDNN). Kept are r, z, n and b₂.
         */
        GRU(3, 4);

        private final int gates;
        private final int kept;

        Cell(int gates, int kept) {
            this.gates = gates;
            this.kept = kept;
        }

        /** G, the blocks of the weights. */
        public int gates() {
            return gates;
        }

        /** K, the values per step and unit that the backward op needs beside y. */
        public int kept() {
            return kept;
        }

        /** The names of the states. */
        List<String> states() {
            return this == LSTM ? List.of("h", "c") : List.of("h");
        }
    }

    /** The sizes of one problem: N sequences of T steps, I inputs and H units. */
    public record Extent(int n, int t, int i, int h) {
        /** From the shapes of x and weight_hh. */
        public static Extent of(Shape x, Shape hh) {
            return new Extent(x.get(0), x.get(1), x.get(2), hh.get(1));
        }
    }

    @Override
    public String name() {
        return "recurrent";
    }

    /** The names of the operands, in their order. */
    public List<String> operands() {
        List<String> names = new ArrayList<>(List.of("x", "weight_ih", "weight_hh", "bias_ih", "bias_hh"));
        addStart(names);
        return names;
    }

    private void addStart(List<String> names) {
        if (initial) {
            cell.states().forEach(s -> names.add(s + "0"));
        }
        if (masked) {
            names.add("lengths");
        }
    }

    /** The names of the results, in their order. */
    public List<String> results() {
        List<String> names = new ArrayList<>(List.of("y"));
        names.addAll(cell.states());
        if (cell.kept() > 0) {
            names.add("kept");
        }
        return names;
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, operands().toArray(String[]::new));
        Extent e = extent(name(), in);
        List<String> names = operands();
        for (int k = 1; k < names.size(); k++) {
            requireOperand(name(), names.get(k), in.get(k), e);
        }
        return results().stream().map(r -> Type.f32(shape(r, e))).toList();
    }

    /** Checks the ranks that all other shapes follow from. */
    private static Extent extent(String op, List<Type> in) {
        Shape x = Require.f32(op, "x", in.get(0), "N,T,I");
        Shape hh = Require.f32(op, "weight_hh", in.get(2), "G·H,H");
        Require.that(x.get(1) > 0 && x.get(2) > 0, "%s: x [N,T,I] needs at least one step and input, but is %s", op, x);
        Require.that(hh.get(1) > 0, "%s: weight_hh [G·H,H] needs at least one unit, but is %s", op, hh);
        return Extent.of(x, hh);
    }

    private void requireOperand(String op, String operand, Type type, Extent e) {
        if (operand.equals("lengths")) {
            Require.that(type.equals(Type.i32(e.n())), "%s: lengths must be i32[%d], but are %s", op, e.n(), type);
        } else {
            Require.f32(op, operand, type, shape(operand, e));
        }
    }

    /** The shape of an operand or a result, or of its gradient. */
    private Shape shape(String value, Extent e) {
        int rows = Math.multiplyExact(cell.gates(), e.h());
        return switch (value) {
            case "x" -> Shape.of(e.n(), e.t(), e.i());
            case "weight_ih" -> Shape.of(rows, e.i());
            case "weight_hh" -> Shape.of(rows, e.h());
            case "bias_ih", "bias_hh" -> Shape.of(rows);
            case "y", "dy" -> Shape.of(e.n(), e.t(), e.h());
            case "kept" -> Shape.of(e.n(), e.t(), Math.multiplyExact(cell.kept(), e.h()));
            default -> Shape.of(e.n(), e.h());
        };
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        List<String> results = results();
        List<String> given = new ArrayList<>();
        List<Value> in = new ArrayList<>(y.inputs());
        in.subList(3, 5).clear(); // the biases
        in.add(y.output(0));
        if (cell.kept() > 0) {
            in.add(y.output(results.size() - 1));
        }
        for (int i = 0; i < results.size(); i++) {
            Value g = dy.get(i);
            if (g != null && results.get(i).equals("kept")) {
                throw new IllegalStateException("what " + y + " keeps for its gradient has none itself");
            }
            if (g != null) {
                given.add("d" + results.get(i));
                in.add(g);
            }
        }
        List<@Nullable Value> dx = new ArrayList<>(new Backward(this, given).call(in.toArray(Value[]::new)));
        if (masked) {
            dx.add(null);
        }
        return dx;
    }

    @Override
    public String toString() {
        return cell.name().toLowerCase(Locale.ROOT) + (reverse ? "[reverse]" : "") + (masked ? "[masked]" : "");
    }

    /**
     * Backpropagation through time. From the forward op's operands without the biases, its y and what it kept, and
     * those of dy, dh and dc that are given come dx, dweight_ih, dweight_hh, dbias_ih, dbias_hh, and with
     * {@code initial} dh0 (and dc0). A gradient that is not given is zero.
     *
     * @param given which of dy, dh and dc there are, in this order
     */
    public record Backward(Recurrent forward, List<String> given) implements Op {
        private static final List<String> GRADIENTS = List.of("dy", "dh", "dc");

        public Backward {
            given = List.copyOf(given);
            int last = -1;
            for (String g : given) {
                int next = GRADIENTS.indexOf(g);
                if (next <= last || next > forward.cell.states().size()) {
                    throw new IllegalArgumentException("the gradients of a recurrent op are some of " + GRADIENTS
                            + ", in this order, not " + given);
                }
                last = next;
            }
        }

        @Override
        public String name() {
            return "recurrent_backward";
        }

        /** The names of the operands, in their order. */
        public List<String> operands() {
            List<String> names = new ArrayList<>(List.of("x", "weight_ih", "weight_hh"));
            forward.addStart(names);
            names.add("y");
            if (forward.cell.kept() > 0) {
                names.add("kept");
            }
            names.addAll(given);
            return names;
        }

        /** The names of those operands of the forward op whose gradients are the results, in their order. */
        public List<String> results() {
            List<String> names = forward.operands();
            names.remove("lengths");
            return names;
        }

        @Override
        public List<Type> infer(List<Type> in) {
            List<String> names = operands();
            Require.operands(name(), in, names.toArray(String[]::new));
            Extent e = extent(name(), in);
            for (int k = 1; k < names.size(); k++) {
                forward.requireOperand(name(), names.get(k), in.get(k), e);
            }
            return results().stream().map(r -> Type.f32(forward.shape(r, e))).toList();
        }

        @Override
        public String toString() {
            return forward + "_backward";
        }
    }
}
