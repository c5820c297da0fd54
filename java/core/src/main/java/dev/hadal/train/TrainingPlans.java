package dev.hadal.train;

import dev.hadal.backend.Backends;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.model.BatchSize;
import dev.hadal.model.Model;
import dev.hadal.model.Training;
import dev.hadal.nn.Loss;
import dev.hadal.op.Hyper;
import dev.hadal.op.Norm;
import dev.hadal.optim.Optimizer;
import dev.hadal.run.Plan;
import dev.hadal.run.Session;
import dev.hadal.run.Store;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * The plans of a training run, and the store that they share. The plan for the main batch size decides how weights lie;
 * gradients and moments lie alike, and all other plans take them so.
 */
final class TrainingPlans implements AutoCloseable {
    static final String LABELS = "labels";
    static final String LOSS = "loss";
    static final String LOSS_GRADIENT = "loss_gradient";
    static final String NORM = "norm";
    private static final String GRADIENT = "gradient/";

    private final Model model;
    private final Loss loss;
    private final Optimizer optimizer;
    private final Backends backends;
    private final Store store = new Store();
    private final List<Group> groups = new ArrayList<>();
    private final List<Plan> plans = new ArrayList<>();
    private final Map<Integer, Session> gradients = new HashMap<>();
    private final Map<Integer, Session> forward = new HashMap<>();
    private final Plan main;
    private final Session update;

    /**
     * Weights that train alike: of one backend, and all with or all without decay.
     *
     * @param hyper the leaf of their run-time scalars
     */
    record Group(String name, String hyper, boolean decays, Map<String, Store.Placement> weights) {

        /** The name of one of the group's blocks: its weights, its gradients, a moment. */
        String block(String kind) {
            return kind + "/" + name;
        }
    }

    TrainingPlans(Model model, Loss loss, Optimizer optimizer, Backends backends, int batch) {
        this.model = model;
        this.loss = loss;
        this.optimizer = optimizer;
        this.backends = backends;
        try {
            main = compile(new Plan.Options(null, like(), false), gradientGraph(batch));
            fillStore(main);
            gradients.put(batch, main.session(store));
            update = compile(new Plan.Options(store, Map.of(), true), updateGraph())
                    .session(store);
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    /** Forward, loss and backward on a batch of n; leaves the gradients in the store. */
    Session gradients(int n) {
        Session session = gradients.get(n);
        if (session == null) {
            session = compile(new Plan.Options(store, like(), false), gradientGraph(n))
                    .session(store);
            gradients.put(n, session);
        }
        return session;
    }

    /** The network as it predicts, and the loss, on a batch of n. */
    Session forward(int n) {
        Session session = forward.get(n);
        if (session == null) {
            Graph graph = model.apply(new BatchSize(n)).graph();
            loss(graph);
            session = compile(new Plan.Options(store), graph).session(store);
            forward.put(n, session);
        }
        return session;
    }

    /** The optimizer's step, from the gradients in the store. */
    Session update() {
        return update;
    }

    List<Group> groups() {
        return groups;
    }

    Plan main() {
        return main;
    }

    /** The weights and the state as they are now. */
    Model snapshot() {
        Map<String, Tensor> values = new LinkedHashMap<>();
        model.values().keySet().forEach(name -> values.put(name, store.read(name)));
        return model.withValues(values);
    }

    /** Takes over a snapshot's weights and state. */
    void restore(Model snapshot) {
        snapshot.values().forEach(store::write);
    }

    /** Room for what the network gives for a batch of n. */
    Tensor output(int n) {
        return Tensor.zeros(DType.F32, model.graph().output(Model.OUTPUT).shape().with(0, n));
    }

    private Plan compile(Plan.Options options, Graph graph) {
        Plan plan = Plan.compile(graph, backends, options);
        plans.add(plan);
        return plan;
    }

    // ---- the graphs ----

    private Graph gradientGraph(int n) {
        Graph graph = model.apply(new BatchSize(n)).apply(new Training()).graph();
        Value l = loss(graph);
        Value dl = graph.leaf(Role.SCALAR, LOSS_GRADIENT, l.type());
        List<Value> weights = graph.leaves(Role.WEIGHT);
        Map<Value, Value> gradient = graph.differentiate(l, dl, weights);
        for (Value w : weights) {
            String name = Graph.leafOf(w).name();
            Value dw = gradient.get(w);
            if (dw == null) {
                throw new IllegalArgumentException("the loss does not depend on weight '" + name + "'");
            }
            graph.output(GRADIENT + name, dw);
        }
        return graph.rewrite(Graph.Rule.SAME);
    }

    /** Appends the loss, and its labels as an input. */
    private Value loss(Graph graph) {
        Value y = graph.output(Model.OUTPUT);
        Value labels = graph.leaf(Role.INPUT, LABELS, loss.target(y.type()));
        Value l = graph.within(LOSS, () -> loss.apply(y, labels));
        graph.output(LOSS, l);
        return l;
    }

    /** Each gradient lies as its weight does. */
    private Map<String, String> like() {
        Map<String, String> like = new LinkedHashMap<>();
        for (Value w : model.graph().leaves(Role.WEIGHT)) {
            like.put(GRADIENT + Graph.leafOf(w).name(), Graph.leafOf(w).name());
        }
        return like;
    }

    /** One update op per group, over its flat blocks, with the norm of all gradients together. */
    private Graph updateGraph() {
        Graph graph = new Graph();
        Value[] dw = groups.stream()
                .map(g -> graph.leaf(Role.INPUT, g.block("gradients"), flat(g)))
                .toArray(Value[]::new);
        Value norm = new Norm().of(dw);
        graph.output(NORM, norm);
        for (int i = 0; i < groups.size(); i++) {
            Group group = groups.get(i);
            List<Value> kept = new ArrayList<>(List.of(graph.leaf(Role.WEIGHT, group.block("weights"), flat(group))));
            for (String moment : optimizer.moments()) {
                kept.add(graph.leaf(Role.STATE, group.block(moment), flat(group)));
            }
            List<Value> operands = new ArrayList<>(kept);
            operands.add(1, dw[i]);
            operands.add(norm);
            operands.add(graph.leaf(Role.SCALAR, group.hyper(), Hyper.TYPE));
            List<Value> updated = optimizer.update().call(operands.toArray(Value[]::new));
            for (int k = 0; k < kept.size(); k++) {
                graph.commit(kept.get(k), updated.get(k));
            }
        }
        return graph;
    }

    private Type flat(Group group) {
        return store.type(group.block("weights"));
    }

    // ---- the store ----

    private void fillStore(Plan plan) {
        Map<String, Map<String, Store.Placement>> states = new LinkedHashMap<>();
        Map<String, Group> alike = new LinkedHashMap<>();
        plan.stored().forEach((name, placement) -> {
            Value leaf = model.graph().leaf(name);
            String backend = placement.backend().name();
            if (Graph.leafOf(leaf).role() == Role.STATE) {
                states.computeIfAbsent("state/" + backend, b -> new LinkedHashMap<>())
                        .put(name, placement);
            } else {
                boolean decays = leaf.shape().rank() >= 2;
                alike.computeIfAbsent(
                                backend + (decays ? "/decayed" : "/undecayed"),
                                g -> new Group(g, "hyper/" + g, decays, new LinkedHashMap<>()))
                        .weights()
                        .put(name, placement);
            }
        });
        groups.addAll(alike.values());
        for (Group group : groups) {
            store.add(group.block("weights"), group.weights());
            store.add(group.block("gradients"), prefixed(GRADIENT, group.weights()));
            for (String moment : optimizer.moments()) {
                store.add(group.block(moment), prefixed(moment + "/", group.weights()));
            }
        }
        states.forEach(store::add);
        plan.stored()
                .keySet()
                .forEach(name ->
                        store.write(name, Objects.requireNonNull(model.values().get(name), name)));
    }

    private static Map<String, Store.Placement> prefixed(String prefix, Map<String, Store.Placement> weights) {
        Map<String, Store.Placement> prefixed = new LinkedHashMap<>();
        weights.forEach((name, placement) -> prefixed.put(prefix + name, placement));
        return prefixed;
    }

    /** Waits for nothing: the trainer's own thread is the only one that runs these plans. */
    @Override
    public void close() {
        plans.forEach(Plan::close);
        store.close();
    }
}
