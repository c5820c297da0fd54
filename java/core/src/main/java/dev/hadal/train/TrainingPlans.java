package dev.hadal.train;

import dev.hadal.backend.Backends;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.model.MixedPrecision;
import dev.hadal.model.Model;
import dev.hadal.op.Binary;
import dev.hadal.op.Cast;
import dev.hadal.op.ClipGradient;
import dev.hadal.op.Hyper;
import dev.hadal.op.MovingAverage;
import dev.hadal.op.Norm;
import dev.hadal.op.Shadowed;
import dev.hadal.op.UpdateOp;
import dev.hadal.op.UpdateRule;
import dev.hadal.optim.Clip;
import dev.hadal.optim.Optimizer;
import dev.hadal.run.Plan;
import dev.hadal.run.Session;
import dev.hadal.run.Store;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * The plans of a training run, and the store that they share. The plan for the main batch size decides how weights lie;
 * gradients and moments lie alike, and all other plans take them so.
 */
final class TrainingPlans implements AutoCloseable {
    static final String NORM = "norm";
    private static final String GRADIENT = StepGraphs.GRADIENT;
    private static final String ACCUMULATED = "accumulated";
    private static final String AVERAGE = "ema";
    private static final String SHADOWS = "bf16";
    private static final String MASK = "mask";
    /** Plans for so many batch sizes are kept, of each kind. */
    private static final int SIZES = 8;

    private final Model model;
    private final StepGraphs graphs;
    private final Updating updating;
    private final Backends backends;
    private final ActivationMemory activations;
    private final Store store = new Store();
    private final List<Group> groups = new ArrayList<>();
    /** From the blocks of weights that have shadows to the blocks of these. */
    private final Map<String, String> shadows = new LinkedHashMap<>();
    /** The names of the groups that have a block of masks. */
    private final Set<String> masked = new HashSet<>();

    private final Map<Object, Ready> steps = recent();
    private final Map<Object, Ready> others = recent();
    private final Ready main;
    private Ready update;
    private @Nullable Ready accumulate;
    private @Nullable Ready refresh;

    /**
     * How weights change.
     *
     * @param average the decay of the weights' running average; NaN for none
     * @param evaluated whether it is the average that is evaluated
     */
    record Updating(Optimizer optimizer, Clip clip, double average, boolean evaluated) {
        boolean averages() {
            return !Double.isNaN(average);
        }
    }

    /** A plan and its only session. */
    private record Ready(Plan plan, Session session) {}

    /**
     * Weights that train alike: of one backend, and with the same settings.
     *
     * @param hyper the leaf of their run-time scalars
     */
    record Group(String name, String hyper, Optimizer.Settings settings, Map<String, Store.Placement> weights) {

        /** The name of one of the group's blocks: its weights, its gradients, a moment. */
        String block(String kind) {
            return kind + "/" + name;
        }
    }

    /** @param samples the usual size of a batch, or of a part of one */
    TrainingPlans(StepGraphs graphs, Updating updating, Backends backends, ActivationMemory activations, int samples) {
        this.model = graphs.model();
        this.graphs = graphs;
        this.updating = updating;
        this.backends = backends;
        this.activations = activations;
        try {
            Plan plan = gradientPlan(samples, null);
            try {
                fillStore(plan);
                main = new Ready(plan, plan.session(store));
            } catch (RuntimeException | Error e) {
                plan.close();
                throw e;
            }
            steps.put(samples, main);
            update = compileUpdate();
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    /** Forward, loss and backward on a batch of n; leaves the gradients in the store. */
    Session gradients(int n) {
        return steps.computeIfAbsent(n, k -> ready(gradientPlan(n, store))).session();
    }

    /** The network as it predicts, and the loss, on a batch of n. */
    Session evaluation(int n) {
        return others.computeIfAbsent(n, k -> compile(new Plan.Options(store), evaluationGraph(n)))
                .session();
    }

    /** A training step that shows what the names ask for, and leaves everything as it is. */
    Session inspection(int n, List<String> names) {
        return others.computeIfAbsent(
                        List.of(n, names),
                        k -> ready(activations.compileAnyway(
                                graphs.inspection(n, names), backends, new Plan.Options(store))))
                .session();
    }

    /** Adds the gradients of one part of a batch to those of the parts before it; all are then in their place. */
    void accumulate(boolean first) {
        if (accumulate == null) {
            groups.forEach(g -> store.add(g.block(ACCUMULATED), prefixed(ACCUMULATED + "/", g.weights())));
            accumulate = compile(new Plan.Options(store, Map.of(), true), accumulationGraph());
        }
        if (first) {
            groups.forEach(g -> store.clear(g.block(ACCUMULATED)));
        }
        accumulate.session().run();
        accumulate.session().commit();
    }

    private Graph accumulationGraph() {
        Graph graph = new Graph();
        for (Group g : groups) {
            Value sum = graph.leaf(Role.STATE, g.block(ACCUMULATED), flat(g));
            Value part = graph.leaf(Role.STATE, g.block("gradients"), flat(g));
            Value both = WeightedSum.sum(List.of(sum, part));
            graph.commit(sum, both);
            graph.commit(part, both);
        }
        return graph;
    }

    /** The optimizer's step, from the gradients in the store. */
    Session update() {
        return update.session();
    }

    List<Group> groups() {
        return groups;
    }

    Plan main() {
        return main.plan();
    }

    /** The weights and the state as they are now. */
    Model snapshot() {
        Map<String, Tensor> values = new LinkedHashMap<>();
        model.values().keySet().forEach(name -> values.put(name, store.read(name)));
        return model.withValues(values);
    }

    /** The same with the running average of the weights. */
    Model averages() {
        if (!updating.averages()) {
            throw new IllegalStateException("no average of the weights is kept; ask the trainer's builder for ema(…)");
        }
        Map<String, Tensor> values = new LinkedHashMap<>(snapshot().values());
        trained().forEach(name -> values.put(name, store.read(AVERAGE + "/" + name)));
        return model.withValues(values);
    }

    /** All that a prediction depends on: weights, state and, where there are some, the weights' averages. */
    Map<String, Tensor> predicting() {
        Map<String, Tensor> values = new LinkedHashMap<>(snapshot().values());
        if (updating.averages()) {
            trained().forEach(name -> values.put(AVERAGE + "/" + name, store.read(AVERAGE + "/" + name)));
        }
        return values;
    }

    /** Everything that outlives a step, by name: weights, state, moments. */
    Map<String, Tensor> everything() {
        Map<String, Tensor> values = new LinkedHashMap<>();
        for (String name : store.names()) {
            if (!name.startsWith(GRADIENT) && !name.startsWith(ACCUMULATED + "/") && !name.startsWith(SHADOWS + "/")) {
                values.put(name, store.read(name));
            }
        }
        return values;
    }

    /** The model's state alone, such as running statistics. */
    Map<String, Tensor> state() {
        Map<String, Tensor> state = new LinkedHashMap<>();
        for (Value v : model.graph().leaves(Role.STATE)) {
            String name = Graph.leafOf(v).name();
            state.put(name, store.read(name));
        }
        return state;
    }

    /** Sets these values, by name; what is masked stays zero. */
    void restore(Map<String, Tensor> values) {
        values.forEach(store::write);
        masks().forEach(this::clearMasked);
        refreshShadows();
    }

    // ---- masks ----

    /** Each mask that hides something, by the name of its weight. */
    Map<String, Tensor> masks() {
        Map<String, Tensor> masks = new LinkedHashMap<>();
        for (Group group : groups) {
            if (masked.contains(group.name())) {
                group.weights().keySet().forEach(name -> masks.put(name, store.read(mask(name))));
            }
        }
        masks.values().removeIf(mask -> !hides(mask));
        return masks;
    }

    private static boolean hides(Tensor mask) {
        for (float m : mask.floats()) {
            if (m == 0) {
                return true;
            }
        }
        return false;
    }

    /** The masks in a run's values, by the names of their weights. */
    static Map<String, Tensor> masksAmong(Map<String, Tensor> everything) {
        Map<String, Tensor> masks = new LinkedHashMap<>();
        everything.forEach((name, value) -> {
            if (isMask(name)) {
                masks.put(name.substring(mask("").length()), value);
            }
        });
        return masks;
    }

    static boolean isMask(String name) {
        return name.startsWith(mask(""));
    }

    private static String mask(String weight) {
        return MASK + "/" + weight;
    }

    /**
     * Checks masks by the name of their weight.
     *
     * @throws IllegalArgumentException if there is no such weight, it is not trained, or the mask is none for it
     */
    void checkMasks(Map<String, Tensor> masks) {
        List<String> trained = trained();
        masks.forEach((name, mask) -> {
            if (!trained.contains(name)) {
                throw new IllegalArgumentException(
                        "there is no weight '" + name + "' that is trained and could be masked, only " + trained);
            }
            Type type = store.type(name);
            Type given = new Type(mask.dtype(), mask.shape());
            if (!given.equals(type)) {
                throw new IllegalArgumentException("the mask of '" + name + "' must be " + type + ", but is " + given);
            }
            for (float m : mask.floats()) {
                if (m != 0 && m != 1) {
                    throw new IllegalArgumentException("the mask of '" + name + "' holds " + m + "; 0 or 1 it must be");
                }
            }
        });
    }

    /**
     * Gives these weights other masks. The first mask of a group recompiles its update. What is hidden is set to zero, with
     * its moments and its average, and its gradient will be zero: an update rule whose elements are independent then leaves
     * it there, whatever the decay; what other rules give is masked once more.
     */
    void mask(Map<String, Tensor> masks) {
        boolean first = false;
        for (Group group : groups) {
            if (!masked.contains(group.name())
                    && group.weights().keySet().stream().anyMatch(masks::containsKey)) {
                store.add(group.block(MASK), prefixed(MASK + "/", group.weights()));
                group.weights().keySet().forEach(name -> store.write(mask(name), ones(store.type(name))));
                masked.add(group.name());
                first = true;
            }
        }
        masks.forEach((name, mask) -> {
            store.write(mask(name), mask);
            clearMasked(name, mask);
        });
        if (first) {
            Ready before = update;
            update = compileUpdate();
            before.plan().close();
        }
        refreshShadows();
    }

    /** Takes the masks from all weights, which stay as they are. */
    void unmask() {
        masks().keySet().forEach(name -> store.write(mask(name), ones(store.type(name))));
    }

    private static Tensor ones(Type type) {
        Tensor ones = Tensor.zeros(type.dtype(), type.shape());
        Arrays.fill(ones.floats(), 1);
        return ones;
    }

    private void clearMasked(String weight, Tensor mask) {
        Group group = groups.stream()
                .filter(g -> g.weights().containsKey(weight))
                .findFirst()
                .orElseThrow();
        List<String> names = new ArrayList<>(List.of(weight));
        group.settings().rule().moments().forEach(moment -> names.add(moment + "/" + weight));
        if (updating.averages()) {
            names.add(AVERAGE + "/" + weight);
        }
        for (String name : names) {
            Tensor value = store.read(name);
            float[] v = value.floats();
            for (int i = 0; i < v.length; i++) {
                v[i] = mask.floats()[i] == 0 && v[i] != 0 ? 0 : v[i];
            }
            store.write(name, value);
        }
    }

    // ---- compiling ----

    private Ready compileUpdate() {
        return compile(new Plan.Options(store, Map.of(), true), updateGraph());
    }

    private Ready compile(Plan.Options options, Graph graph) {
        return ready(Plan.compile(graph, backends, options));
    }

    private Ready ready(Plan plan) {
        try {
            return new Ready(plan, plan.session(store));
        } catch (RuntimeException | Error e) {
            plan.close();
            throw e;
        }
    }

    /** The plans used last; what is pushed out is closed. */
    private static Map<Object, Ready> recent() {
        return new LinkedHashMap<>(16, 0.75f, true) {
            @Override
            protected boolean removeEldestEntry(Map.Entry<Object, Ready> eldest) {
                if (size() > SIZES) {
                    eldest.getValue().plan().close();
                    return true;
                }
                return false;
            }
        };
    }

    // ---- the graphs ----

    private Plan gradientPlan(int n, @Nullable Store given) {
        return activations.compile(graphs.gradients(n), n, backends, options(given));
    }

    private Graph evaluationGraph(int n) {
        Graph graph = graphs.evaluation(n);
        if (!updating.evaluated()) {
            return graph;
        }
        return graph.rewrite((node, inputs, target) -> node.op() instanceof Leaf l
                        && l.role() == Role.WEIGHT
                        && graphs.trained().test(l.name())
                ? List.of(target.leaf(Role.WEIGHT, AVERAGE + "/" + l.name(), l.type()))
                : target.append(node.op(), inputs));
    }

    /** Each gradient lies as its weight does, and so does the weight's shadow. */
    private Plan.Options options(@Nullable Store given) {
        Map<String, String> like = new LinkedHashMap<>();
        Map<String, String> alike = new LinkedHashMap<>();
        for (Value w : model.graph().leaves(Role.WEIGHT)) {
            String name = Graph.leafOf(w).name();
            if (graphs.trained().test(name)) {
                like.put(GRADIENT + name, name);
            }
            alike.put(name, MixedPrecision.shadow(name));
            alike.put(MixedPrecision.shadow(name), name);
        }
        return new Plan.Options(given, like, alike, false);
    }

    /** One update per group, over its flat blocks or tensor by tensor, with the norm of all gradients together. */
    private Graph updateGraph() {
        Graph graph = new Graph();
        Value[] dw = groups.stream().map(g -> gradient(graph, g)).toArray(Value[]::new);
        Value norm = new Norm().of(dw);
        graph.output(NORM, norm);
        for (int i = 0; i < groups.size(); i++) {
            Group group = groups.get(i);
            Value hyper = graph.leaf(Role.SCALAR, group.hyper(), Hyper.TYPE);
            if (group.settings().rule().wholeTensors() || updating.clip().perTensor() != null) {
                for (String name : group.weights().keySet()) {
                    Value g = graph.leaf(Role.INPUT, GRADIENT + name, store.type(name));
                    UnaryOperator<String> kept = kind -> kind + "/" + name;
                    Value visible = masked(group, g, kept);
                    graph.within(name, () -> update(graph, group, name, visible, kept, norm, hyper));
                }
            } else {
                update(graph, group, group.block("weights"), dw[i], group::block, norm, hyper);
            }
        }
        return graph;
    }

    /** A group's gradient; it is masked in its place. */
    private Value gradient(Graph graph, Group group) {
        Role role = masked.contains(group.name()) ? Role.STATE : Role.INPUT;
        Value g = graph.leaf(role, group.block("gradients"), flat(group));
        Value visible = masked(group, g, group::block);
        if (!visible.equals(g)) {
            graph.commit(g, visible);
        }
        return visible;
    }

    private Value masked(Group group, Value v, UnaryOperator<String> kept) {
        return masked.contains(group.name())
                ? new Binary(Binary.Function.MUL).of(v, v.graph().leaf(Role.INPUT, kept.apply(MASK), v.type()))
                : v;
    }

    private Value update(
            Graph graph, Group group, String weights, Value g, UnaryOperator<String> kept, Value norm, Value hyper) {
        UpdateRule rule = group.settings().rule();
        Value w = graph.leaf(Role.WEIGHT, weights, g.type());
        List<Value> moments = rule.moments().stream()
                .map(moment -> graph.leaf(Role.STATE, kept.apply(moment), g.type()))
                .toList();
        ClipGradient clip = updating.clip().perTensor();
        Value clipped = clip == null ? g : clip.of(w, g);
        Value shadow = shadows.containsKey(group.block("weights"))
                ? graph.leaf(Role.STATE, kept.apply(SHADOWS), new Type(DType.BF16, g.shape()))
                : null;
        List<Value> updated = new ArrayList<>();
        if (shadow != null && Shadowed.covers(rule)) {
            updated.addAll(new Shadowed((UpdateOp) rule).update(w, clipped, moments, norm, hyper, shadow));
        } else {
            updated.addAll(rule.update(w, clipped, moments, norm, hyper));
            if (!Shadowed.covers(rule)) { // its elements may depend on each other
                updated.set(0, masked(group, updated.get(0), kept));
            }
            if (shadow != null) {
                updated.add(new Cast(DType.BF16).of(updated.get(0)));
            }
        }
        if (shadow != null) {
            graph.commit(shadow, updated.get(1 + moments.size()));
        }
        graph.commit(w, updated.get(0));
        for (int k = 0; k < moments.size(); k++) {
            graph.commit(moments.get(k), updated.get(1 + k));
        }
        if (updating.averages()) {
            Value average = graph.leaf(Role.STATE, kept.apply(AVERAGE), g.type());
            graph.commit(average, new MovingAverage((float) updating.average()).of(average, updated.get(0), norm));
        }
        return norm;
    }

    private Type flat(Group group) {
        return store.type(group.block("weights"));
    }

    // ---- the store ----

    private void fillStore(Plan plan) {
        Map<String, Map<String, Store.Placement>> states = new LinkedHashMap<>();
        Map<List<Object>, Group> alike = new LinkedHashMap<>();
        Map<String, Store.Placement> stored = plan.stored();
        Map<String, Store.Placement> places = new LinkedHashMap<>();
        stored.forEach((name, place) -> places.put(
                MixedPrecision.weight(name),
                place.layout().type().dtype() == DType.BF16 ? place.as(DType.F32) : place));
        places.forEach((name, placement) -> {
            Value leaf = model.graph().leaf(name);
            String backend = placement.backend().name();
            boolean state = Graph.leafOf(leaf).role() == Role.STATE;
            if (state || !graphs.trained().test(name)) {
                String block = (state ? "state/" : "frozen/") + backend;
                states.computeIfAbsent(block, b -> new LinkedHashMap<>()).put(name, placement);
            } else {
                Optimizer.Settings settings = updating.optimizer().settings(name, leaf.shape());
                String group = "group " + alike.size();
                alike.computeIfAbsent(
                                List.of(backend, settings),
                                g -> new Group(group, "hyper/" + group, settings, new LinkedHashMap<>()))
                        .weights()
                        .put(name, placement);
            }
        });
        groups.addAll(alike.values());
        if (groups.isEmpty()) {
            throw new IllegalArgumentException("there is nothing to train: every weight is frozen");
        }
        for (Group group : groups) {
            store.add(group.block("weights"), group.weights());
            addShadows(group.block("weights"), group.block(SHADOWS), group.weights(), stored);
            store.add(group.block("gradients"), prefixed(GRADIENT, group.weights()));
            for (String moment : group.settings().rule().moments()) {
                store.add(group.block(moment), prefixed(moment + "/", group.weights()));
            }
            if (updating.averages()) {
                store.add(group.block(AVERAGE), prefixed(AVERAGE + "/", group.weights()));
            }
        }
        states.forEach((block, values) -> {
            store.add(block, values);
            addShadows(block, SHADOWS + "/" + block, values, stored);
        });
        places.keySet()
                .forEach(name ->
                        store.write(name, Objects.requireNonNull(model.values().get(name), name)));
        refreshShadows();
        if (updating.averages()) {
            trained().forEach(name -> store.write(AVERAGE + "/" + name, store.read(name)));
        }
    }

    /** A block of the shadows of all weights of a block, if the plan reads one of them. */
    private void addShadows(
            String block, String shadow, Map<String, Store.Placement> weights, Map<String, Store.Placement> stored) {
        if (weights.keySet().stream().anyMatch(name -> stored.containsKey(MixedPrecision.shadow(name)))) {
            Map<String, Store.Placement> narrow = new LinkedHashMap<>();
            weights.forEach((name, place) -> narrow.put(MixedPrecision.shadow(name), place.as(DType.BF16)));
            store.add(shadow, narrow);
            shadows.put(block, shadow);
        }
    }

    /** After weights were set from the host. */
    private void refreshShadows() {
        if (shadows.isEmpty()) {
            return;
        }
        if (refresh == null) {
            Graph graph = new Graph();
            shadows.forEach((block, shadow) -> graph.commit(
                    graph.leaf(Role.STATE, shadow, store.type(shadow)),
                    new Cast(DType.BF16).of(graph.leaf(Role.WEIGHT, block, store.type(block)))));
            refresh = compile(new Plan.Options(store, Map.of(), true), graph);
        }
        refresh.session().run();
        refresh.session().commit();
    }

    private List<String> trained() {
        return groups.stream().flatMap(g -> g.weights().keySet().stream()).toList();
    }

    private static Map<String, Store.Placement> prefixed(String prefix, Map<String, Store.Placement> weights) {
        Map<String, Store.Placement> prefixed = new LinkedHashMap<>();
        weights.forEach((name, placement) -> prefixed.put(prefix + name, placement));
        return prefixed;
    }

    @Override
    public void close() {
        List.of(steps, others)
                .forEach(ready -> ready.values().forEach(r -> r.plan().close()));
        for (Ready r : new Ready[] {main, update, accumulate, refresh}) {
            if (r != null) {
                r.plan().close();
            }
        }
        store.close();
    }
}
