package dev.hadal.op;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Operand;
import dev.hadal.backend.jvm.JvmBackend;
import dev.hadal.backend.jvm.Reference;
import dev.hadal.graph.Fused;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.op.Subject.Case;
import dev.hadal.tensor.Bf16;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.junit.jupiter.api.Assumptions;

/** Runs ops on a backend as its SPI has it, one node at a time, and lays traps for kernels that cheat. */
final class Bench {
    /** How operands are offered to a kernel: where they lie already, or free for it to choose. */
    private enum Offer {
        PLAIN,
        FREE,
        /** As in a network: the activations lie where they lie, the weights are free. */
        FREE_BUT_FIRST;

        List<Operand> of(List<Type> types) {
            List<Operand> operands = new ArrayList<>();
            for (int i = 0; i < types.size(); i++) {
                boolean free = this == FREE || (this == FREE_BUT_FIRST && i > 0);
                operands.add(free ? new Operand(types.get(i), null) : Operand.plain(types.get(i)));
            }
            return operands;
        }
    }

    private static final Backend JAVA = new JvmBackend();

    private final Subject subject;
    private final Backend backend;
    private final Tally tally = new Tally();

    Bench(Subject subject) {
        this.subject = subject;
        this.backend = subject.backend();
    }

    Subject subject() {
        return subject;
    }

    Tally tally() {
        return tally;
    }

    static List<Type> types(List<Tensor> tensors) {
        return tensors.stream().map(t -> new Type(t.dtype(), t.shape())).toList();
    }

    // ---- one op ----

    /**
     * Prepares the op for these operands in every way that gives another kernel, runs each twice and in
     * place, and hands the results to the judge.
     */
    void check(Op op, List<Tensor> operands, Consumer<List<Tensor>> judge) {
        Case c = Case.of(op, types(operands));
        Set<Object> seen = new HashSet<>();
        boolean declined = false;
        noteJava(c);
        for (int threads : subject.threads()) {
            for (Offer offer : Offer.values()) {
                Optional<Kernel> prepared = prepare(c, offer.of(c.inputs()), threads);
                declined |= prepared.filter(subject::owns).isEmpty();
                if (prepared.isEmpty()) {
                    declined(c);
                    Assumptions.abort(
                            subject + " declines: " + subject.excuse(c).orElseThrow());
                }
                try (Kernel kernel = prepared.orElseThrow()) {
                    if (seen.add(List.of(kernel.inputs(), kernel.outputs(), kernel.implementation(), threads))) {
                        List<Tensor> results = run(kernel, operands);
                        annotated(kernel, threads, () -> judge.accept(results));
                    }
                }
            }
        }
        tally.ran(op);
        if (declined) {
            declined(c);
        } else {
            tally.own(op);
        }
    }

    private void declined(Case c) {
        tally.declined(c.op());
        if (!c.empty()) {
            tally.gap(c.op(), subject.excuse(c).orElseThrow());
        }
    }

    private void noteJava(Case c) {
        if (c.empty() || Mixed.inner(c.op()) instanceof Fused) {
            return;
        }
        List<Operand> plain = c.inputs().stream().map(Operand::plain).toList();
        try (Kernel kernel = JAVA.prepare(c.op(), plain, c.outputs(), 1).orElseThrow()) {
            tally.java(c.op(), !kernel.implementation().equals("reference"));
        }
    }

    /** Fails unless this very backend prepared the kernel, or has an excuse. */
    private Optional<Kernel> prepare(Case c, List<Operand> operands, int threads) {
        Optional<Kernel> prepared = backend.prepare(c.op(), operands, c.outputs(), threads);
        if (prepared.isEmpty() || !subject.owns(prepared.orElseThrow())) {
            if (subject.excuse(c).isEmpty()) {
                throw new AssertionError(subject + " must run " + c + " itself, but "
                        + prepared.map(k -> "leaves it to " + k.implementation())
                                .orElse("declines it"));
            }
        }
        prepared.ifPresent(kernel -> {
            tally.ran(c.op(), kernel.implementation());
            requireTypes(c, kernel, "operands", kernel.inputs(), c.inputs());
            requireTypes(c, kernel, "results", kernel.outputs(), c.outputs());
        });
        return prepared;
    }

    private static void requireTypes(Case c, Kernel kernel, String what, List<Layout> layouts, List<Type> types) {
        if (!layouts.stream().map(Layout::type).toList().equals(types)) {
            throw new AssertionError(
                    kernel.implementation() + ": for " + c + ", the layouts of the " + what + " are " + layouts);
        }
    }

    /** The results, the same bit by bit however often the kernel runs and whatever its memory held before. */
    private List<Tensor> run(Kernel kernel, List<Tensor> operands) {
        try (Desk desk = new Desk(backend)) {
            List<Held> in = desk.place(operands, kernel.inputs());
            List<Held> out = desk.room(kernel.outputs());
            List<Tensor> before = in.stream().map(Held::inMemory).toList();
            List<Tensor> first;
            try (Kernel.Bound bound = desk.bind(kernel, in, out)) {
                bound.run();
                first = read(out);
                desk.poison(out, 777.777f);
                bound.run();
            }
            List<Tensor> second = read(out);
            for (int o = 0; o < out.size(); o++) {
                out.get(o).checkPadding("result " + o + " of " + kernel.implementation(), second.get(o));
            }
            if (!second.equals(first)) {
                throw new AssertionError(kernel.implementation() + ": a second run, over memory that held 777.777"
                        + " instead of NaN, gives other bits: " + difference(first, second));
            }
            for (int i = 0; i < in.size(); i++) {
                if (!in.get(i).inMemory().equals(before.get(i))) {
                    throw new AssertionError(kernel.implementation() + " changed its operand " + i);
                }
            }
            desk.checkGuards(kernel);
            inPlace(kernel, operands, first);
            return first;
        }
    }

    /** Runs the kernel in place: every result that allows it at once, then each of them alone. */
    private void inPlace(Kernel kernel, List<Tensor> operands, List<Tensor> expected) {
        Set<Tensor> distinct = java.util.Collections.newSetFromMap(new IdentityHashMap<>());
        distinct.addAll(operands);
        List<Integer> able = new ArrayList<>();
        for (int o = 0; o < expected.size(); o++) {
            if (kernel.inPlace(o) >= 0) {
                able.add(o);
            }
        }
        if (able.isEmpty() || distinct.size() < operands.size()) {
            return; // a value that is read twice is not taken over
        }
        List<List<Integer>> ways = new ArrayList<>(List.of(able));
        if (able.size() > 1) {
            able.forEach(o -> ways.add(List.of(o)));
        }
        for (List<Integer> way : ways) {
            try (Desk desk = new Desk(backend)) {
                List<Held> in = desk.place(operands, kernel.inputs());
                List<Held> out = new ArrayList<>(desk.room(kernel.outputs()));
                for (int o : way) {
                    Held operand = in.get(kernel.inPlace(o));
                    out.set(o, operand.as(kernel.outputs().get(o)));
                }
                try (Kernel.Bound bound = desk.bind(kernel, in, out)) {
                    bound.run();
                }
                List<Tensor> results = read(out);
                if (!results.equals(expected)) {
                    throw new AssertionError(kernel.implementation() + ": in place, results " + way
                            + " have other bits: " + difference(expected, results));
                }
                desk.checkGuards(kernel);
            }
        }
    }

    private static List<Tensor> read(List<Held> values) {
        return values.stream().map(Held::read).toList();
    }

    private static String difference(List<Tensor> expected, List<Tensor> actual) {
        for (int o = 0; o < expected.size(); o++) {
            for (int i = 0; i < expected.get(o).shape().size(); i++) {
                String e = at(expected.get(o), i);
                String a = at(actual.get(o), i);
                if (!e.equals(a)) {
                    return "result " + o + " at " + i + " is " + a + " instead of " + e;
                }
            }
        }
        return "none that shows";
    }

    private static String at(Tensor t, int i) {
        return switch (t.dtype()) {
            case F32 -> Float.toString(t.floats()[i]);
            case BF16 -> Float.toString(Bf16.widen(t.bf16Bits()[i]));
            case I32 -> Integer.toString(t.ints()[i]);
            case S8, U8 -> Integer.toString(t.dtype().integer(t.bytes()[i]));
        };
    }

    /** Runs the judge, and adds to its verdict what was judged. */
    private void annotated(Kernel kernel, int threads, Runnable judge) {
        try {
            judge.run();
        } catch (AssertionError e) {
            throw new AssertionError(
                    kernel.implementation() + " from " + kernel.inputs() + " to " + kernel.outputs() + " with "
                            + threads + " threads: " + e.getMessage(),
                    e);
        }
    }

    // ---- a graph ----

    /**
     * Runs a graph node by node; values stay in the layouts in which kernels left them. A node that the
     * backend may decline is run by the reference.
     *
     * @param freeLeaves whether kernels may choose how leaves lie
     * @return every value of the graph
     */
    Map<Value, Tensor> evaluate(Graph graph, Map<String, Tensor> leaves, boolean freeLeaves) {
        int threads = subject.threads().get(subject.threads().size() - 1);
        Map<Value, Held> values = new HashMap<>();
        try {
            for (Node node : graph.nodes()) {
                if (node.op() instanceof Leaf leaf) {
                    Tensor tensor = java.util.Objects.requireNonNull(leaves.get(leaf.name()), leaf.name());
                    values.put(node.output(0), Held.plain(backend, tensor));
                } else {
                    List<Held> results = step(node, values, threads, freeLeaves);
                    node.outputs().forEach(v -> values.put(v, results.get(v.index())));
                }
            }
            Map<Value, Tensor> all = new HashMap<>();
            values.forEach((v, held) -> all.put(v, held.read()));
            return all;
        } finally {
            values.values().forEach(Held::close);
        }
    }

    private List<Held> step(Node node, Map<Value, Held> values, int threads, boolean freeLeaves) {
        List<Held> in = node.inputs().stream().map(values::get).toList();
        List<Operand> operands = new ArrayList<>();
        for (int i = 0; i < in.size(); i++) {
            Value v = node.input(i);
            boolean free = freeLeaves && v.node().op() instanceof Leaf;
            operands.add(new Operand(v.type(), free ? null : in.get(i).layout()));
        }
        Case c = Case.of(node.op(), node.inputs().stream().map(Value::type).toList());
        Optional<Kernel> prepared = prepare(c, operands, threads);
        if (prepared.isEmpty()) {
            return reference(c, read(in)).stream()
                    .map(t -> Held.plain(backend, t))
                    .toList();
        }
        try (Kernel kernel = prepared.orElseThrow();
                Desk desk = new Desk(backend)) {
            List<Held> moved = new ArrayList<>();
            for (int i = 0; i < in.size(); i++) {
                Layout wanted = kernel.inputs().get(i);
                moved.add(
                        in.get(i).layout().equals(wanted)
                                ? in.get(i)
                                : desk.keep(in.get(i).to(wanted)));
            }
            List<Held> out =
                    kernel.outputs().stream().map(l -> new Held(backend, l)).toList();
            try (Kernel.Bound bound = desk.bind(kernel, moved, out)) {
                bound.run();
            }
            desk.checkGuards(kernel);
            out.forEach(y -> y.checkGuards(node.toString()));
            return out;
        }
    }

    private static List<Tensor> reference(Case c, List<Tensor> operands) {
        double[][] y = Truth.formula(c.op(), operands);
        List<Tensor> results = new ArrayList<>();
        for (int o = 0; o < y.length; o++) {
            results.add(Truth.tensor(c.outputs().get(o), y[o]));
        }
        return results;
    }

    /** Every value of the graph in double precision. */
    static Map<Value, double[]> formula(Graph graph, Map<String, Tensor> leaves) {
        Map<String, double[]> wide = new HashMap<>();
        leaves.forEach((name, t) -> wide.put(name, Truth.wide(t)));
        return Reference.evaluate(graph, wide);
    }
}
