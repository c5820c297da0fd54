package dev.hadal.train;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Node;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.model.BatchSize;
import dev.hadal.model.MixedPrecision;
import dev.hadal.model.Model;
import dev.hadal.model.PoolFirst;
import dev.hadal.model.Training;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The graphs of a training run, for a batch of any size.
 *
 * @param objectives the terms of the loss
 * @param weighted whether each sample has a weight
 * @param trained which weights to differentiate, by name
 * @param bf16 whether steps are taken in mixed precision, from the weights' shadows
 */
record StepGraphs(Model model, List<Objective> objectives, boolean weighted, Predicate<String> trained, boolean bf16) {
    /** The output that is made small; behind a slash and a name, one of its terms. */
    static final String LOSS = "loss";
    /** The scalar that the loss is multiplied with before it is differentiated. */
    static final String LOSS_GRADIENT = "loss_gradient";
    /** The input of sample weights. */
    static final String SAMPLE_WEIGHTS = "weight";
    /** Before the name of a weight: the output that is its gradient. */
    static final String GRADIENT = "gradient/";
    /** Before a name: the output that shows what the name asks for. */
    static final String SHOWN = "shown/";

    /** Forward, loss and backward. */
    Graph gradients(int n) {
        Graph graph = model.apply(new BatchSize(n))
                .apply(new Training(trained))
                .apply(new PoolFirst())
                .graph();
        Value loss = appendLosses(graph, n);
        List<Value> weights = graph.leaves(Role.WEIGHT).stream()
                .filter(w -> trained.test(Graph.leafOf(w).name()))
                .toList();
        Map<Value, Value> gradients = differentiate(graph, loss, weights);
        for (Value w : weights) {
            String name = Graph.leafOf(w).name();
            Value dw = gradients.get(w);
            if (dw == null) {
                throw new IllegalArgumentException("the loss does not depend on weight '" + name + "'");
            }
            graph.output(GRADIENT + name, dw);
        }
        return finished(graph);
    }

    /** Without what nothing needs. */
    private Graph finished(Graph graph) {
        Graph live = graph.rewrite(Graph.Rule.SAME);
        return bf16 ? new MixedPrecision(true).apply(live) : live;
    }

    /** The network as it predicts, and the loss. */
    Graph evaluation(int n) {
        Graph graph = model.apply(new BatchSize(n)).graph();
        appendLosses(graph, n);
        return graph;
    }

    /** A training step that shows what the names ask for: see {@link Trainer#inspect}. */
    Graph inspection(int n, Collection<String> names) {
        Graph graph = model.apply(new BatchSize(n)).apply(new Training(trained)).graph();
        Map<String, Value> found = new LinkedHashMap<>();
        for (String name : names) {
            String path = name.startsWith(GRADIENT) ? name.substring(GRADIENT.length()) : name;
            found.put(name, find(graph, path));
        }
        Value loss = appendLosses(graph, n);
        List<Value> wanted = names.stream()
                .filter(name -> name.startsWith(GRADIENT))
                .map(found::get)
                .toList();
        Map<Value, Value> gradients = differentiate(graph, loss, wanted);
        found.forEach((name, value) -> {
            Value shown = name.startsWith(GRADIENT) ? gradients.get(value) : value;
            if (shown == null) {
                throw new IllegalArgumentException("the loss does not depend on '" + name + "'");
            }
            graph.output(SHOWN + name, shown);
        });
        return finished(graph);
    }

    /** A weight or an input of that name, or what the layer of that path gives: the last that others read of it. */
    private static Value find(Graph graph, String path) {
        Value found = null;
        for (Value output : graph.outputs().values()) {
            found = inside(output.node(), path) ? output : found;
        }
        for (Node node : graph.nodes()) {
            if (node.op() instanceof Leaf leaf && leaf.name().equals(path)) {
                return node.output(0);
            }
            for (Value v : node.inputs()) {
                boolean later = found == null || v.node().id() > found.node().id();
                found = later && inside(v.node(), path) && !inside(node, path) ? v : found;
            }
        }
        if (found == null) {
            throw new IllegalArgumentException("there is no layer, weight or input '" + path + "', only "
                    + graph.nodes().stream()
                            .map(node -> node.op() instanceof Leaf l ? l.name() : node.path())
                            .distinct()
                            .toList());
        }
        return found;
    }

    private static boolean inside(Node node, String path) {
        return (node.path().equals(path) || node.path().startsWith(path + ".")) && !(node.op() instanceof Leaf);
    }

    private static Map<Value, Value> differentiate(Graph graph, Value loss, Collection<Value> wanted) {
        Value gradient = graph.leaf(Role.SCALAR, LOSS_GRADIENT, loss.type());
        return graph.differentiate(loss, gradient, wanted);
    }

    /** L = Σ weightᵢ·lossᵢ */
    private Value appendLosses(Graph graph, int n) {
        Value weights = weighted ? graph.leaf(Role.INPUT, SAMPLE_WEIGHTS, Type.f32(n)) : null;
        List<Value> terms = new ArrayList<>();
        List<Float> scales = new ArrayList<>();
        for (Objective o : objectives) {
            Value y = graph.output(o.output());
            Value target = graph.leaf(Role.INPUT, o.target(), o.loss().target(y.type()));
            terms.add(graph.within(LOSS, () -> o.loss().apply(y, target, weights)));
            scales.add((float) o.weight());
        }
        boolean single = terms.size() == 1 && scales.get(0) == 1;
        Value loss = single ? terms.get(0) : graph.within(LOSS, () -> sum(scales, terms));
        graph.output(LOSS, loss);
        if (terms.size() > 1) {
            for (int i = 0; i < terms.size(); i++) {
                graph.output(LOSS + "/" + objectives.get(i).output(), terms.get(i));
            }
        }
        return loss;
    }

    private static Value sum(List<Float> scales, List<Value> terms) {
        return new WeightedSum(scales).of(terms.toArray(Value[]::new));
    }

    /** The objective that looks at this output; null if none does. */
    @Nullable
    Objective objective(String output) {
        return objectives.stream()
                .filter(o -> o.output().equals(output))
                .findFirst()
                .orElse(null);
    }
}
