package dev.hadal.train;

import dev.hadal.backend.Backends;
import dev.hadal.data.Batch;
import dev.hadal.data.Dataset;
import dev.hadal.data.Field;
import dev.hadal.graph.Type;
import dev.hadal.model.Model;
import dev.hadal.model.Narrowed;
import dev.hadal.model.Training;
import dev.hadal.nn.Layer;
import dev.hadal.nn.Loss;
import dev.hadal.nn.Network;
import dev.hadal.op.Hyper;
import dev.hadal.optim.Clip;
import dev.hadal.optim.Optimizer;
import dev.hadal.optim.Plateau;
import dev.hadal.optim.Selection;
import dev.hadal.run.Inputs;
import dev.hadal.run.Plan;
import dev.hadal.run.Session;
import dev.hadal.run.Session.NonFinite;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.LongFunction;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Trains a model. It owns the weights, their gradients and the optimizer's moments; weights that train alike lie in one
 * block, as do their gradients and each moment. For use by one thread.
 */
public final class Trainer implements AutoCloseable {
    static final String STEP = "step";

    private final Builder builder;
    private final TrainingPlans plans;
    private final StepGraphs graphs;
    private final Optimizer optimizer;
    private final Clip clip;
    private final @Nullable Plateau plateau;
    private final int batch;
    private final int microBatch;
    private final ReentrantLock use = new ReentrantLock();
    private boolean closed;
    private final boolean checked;
    private final long seed;
    private final List<Fed> fed;
    private final Map<String, Type> outputTypes;
    private final Map<String, Tensor> outputs = new HashMap<>();
    private final float[] scalar = new float[1];
    private final int[] random = new int[4];
    private final float[] hyper = new float[Hyper.TYPE.shape().size()];
    private Plateau.@Nullable State plateauState;
    private long step;
    private long runs;
    private long plannedSteps;
    private float lastLoss;
    private float lastNorm;
    private double lastRate;
    private float evaluatedLoss;

    /**
     * A field of the data that a step takes.
     *
     * @param sample the type of one sample
     * @param check what to check of a batch's values, which have that type
     */
    private record Fed(String name, Type sample, Consumer<Tensor> check) {}

    private Trainer(Builder builder) {
        Model model = builder.model.apply(builder.seed);
        this.builder = builder.copy(builder.model);
        optimizer = builder.optimizer;
        clip = builder.clip;
        plateau = builder.plateau;
        plateauState = plateau == null ? null : plateau.start();
        batch = builder.batch;
        microBatch = builder.microBatch;
        checked = builder.checked;
        seed = builder.seed;
        graphs = new StepGraphs(model, objectives(builder, model), builder.weighted, builder.trained, builder.bf16);
        outputTypes = model.outputs();
        fed = fed();
        Backends backends = builder.backends == null ? Backends.automatic() : builder.backends;
        TrainingPlans.Updating updating =
                new TrainingPlans.Updating(optimizer, clip, builder.average, builder.averageEvaluated);
        plans = new TrainingPlans(
                graphs, updating, backends, new ActivationMemory(builder.activationBytes), Math.min(batch, microBatch));
    }

    private static List<Objective> objectives(Builder builder, Model model) {
        List<Objective> objectives = builder.objectives.isEmpty()
                ? List.of(new Objective(Model.OUTPUT, Dataset.TARGET, Loss.crossEntropy(), 1))
                : List.copyOf(builder.objectives);
        for (Objective o : objectives) {
            model.graph().output(o.output()); // or say which outputs there are
        }
        return objectives;
    }

    private List<Fed> fed() {
        List<Fed> all = new ArrayList<>();
        graphs.model().inputs().forEach((name, type) -> all.add(new Fed(name, type, value -> {})));
        for (Objective o : graphs.objectives()) {
            Type output = graphs.model().graph().output(o.output()).type();
            Type target = Model.sample(o.loss().target(output));
            all.add(new Fed(o.target(), target, value -> o.loss().check(output, value)));
        }
        if (graphs.weighted()) {
            all.add(new Fed(StepGraphs.SAMPLE_WEIGHTS, Type.f32(Shape.SCALAR), value -> {}));
        }
        return List.copyOf(all);
    }

    /** Trains an untrained network on f32 samples of that shape. */
    public static Builder of(Layer network, Shape input) {
        return new Builder(seed -> network.model(input, seed));
    }

    /** Trains an untrained network on samples of that type. */
    public static Builder of(Layer network, Type input) {
        return new Builder(seed -> network.model(input, seed));
    }

    /** Trains an untrained network on samples whose inputs have these types. */
    public static Builder of(Network network, Map<String, Type> inputs) {
        return new Builder(seed -> network.model(inputs, seed));
    }

    /** Goes on training a model. */
    public static Builder of(Model model) {
        return new Builder(seed -> model);
    }

    // ---- training ----

    /**
     * Passes over the data as often as asked. The learning-rate schedule counts on exactly these steps.
     *
     * @return what each epoch came to
     * @throws NonFiniteException if the loss or a gradient becomes NaN or infinite
     */
    public List<Epoch> fit(Dataset data, Fit how) {
        return Fitting.run(this, data, how);
    }

    /** The share of samples whose largest output, as the network predicts, is the right one. */
    public double accuracy(Dataset data) {
        return measure(data, Metrics.accuracy().start()).value();
    }

    /** The loss and these metrics on the data, by name, with the network as it predicts. */
    public Map<String, Double> evaluate(Dataset data, Metric... metrics) {
        Measured measured = new Measured(List.of(metrics));
        measured.addAll(this, data, () -> false);
        return measured.values("");
    }

    /** Shows all of the data to an accumulator, with the network as it predicts, and gives it back. */
    public <A extends Metric.Accumulator> A measure(Dataset data, A accumulator) {
        new Measured(List.of(Metric.of("", true, () -> accumulator))).addAll(this, data, () -> false);
        return accumulator;
    }

    /** Runs the network on a batch as it predicts; the outputs are valid until the next call. */
    void evaluate(Batch samples) {
        enter();
        try {
            check(samples);
            Session session = plans.evaluation(samples.size());
            feed(session, samples, 0);
            session.run();
            session.read(StepGraphs.LOSS, scalar);
            evaluatedLoss = scalar[0];
            outputTypes.keySet().forEach(name -> session.read(name, room(name, samples.size()), 0));
        } finally {
            use.unlock();
        }
    }

    /** The loss of the last batch that was evaluated. */
    float evaluatedLoss() {
        return evaluatedLoss;
    }

    /** What the network gave for the last batch, [N,…]: in a step, before its update. Valid until the next call. */
    public Tensor output(String name) {
        Tensor output = outputs.get(name);
        if (output == null) {
            throw new IllegalArgumentException("no output '" + name + "' has been computed, only " + outputs.keySet());
        }
        return output;
    }

    private Tensor room(String output, int n) {
        Tensor room = outputs.get(output);
        if (room == null || room.shape().get(0) != n) {
            Type type = Objects.requireNonNull(outputTypes.get(output));
            room = Tensor.zeros(type.dtype(), type.shape().prepend(n));
            outputs.put(output, room);
        }
        return room;
    }

    /** The data's field that this output is compared with; null if no loss looks at it. */
    @Nullable
    String target(String output) {
        Objective objective = graphs.objective(output);
        return objective == null ? null : objective.target();
    }

    /** One that trains alike from the model as it is now, but with another optimizer, and at step 0. */
    Trainer copy(UnaryOperator<Optimizer> change) {
        Model now = model();
        Trainer copy =
                builder.copy(seed -> now).optimizer(change.apply(optimizer)).build();
        copy.mask(masks());
        return copy;
    }

    /** All that a prediction depends on, to be restored: weights, their averages and state, but no moments. */
    Map<String, Tensor> predicting() {
        enter();
        try {
            return plans.predicting();
        } finally {
            use.unlock();
        }
    }

    /** Takes over weights and states by name; the optimizer's moments stay. */
    void restore(Map<String, Tensor> values) {
        enter();
        try {
            plans.restore(values);
        } finally {
            use.unlock();
        }
    }

    /** Whether so many samples with these fields are what a step takes. */
    void check(int samples, List<Field> fields) {
        if (samples < 1) {
            throw new IllegalArgumentException("the data hold no sample");
        }
        for (Fed f : fed) {
            Field field = fields.stream()
                    .filter(given -> given.name().equals(f.name))
                    .findFirst()
                    .orElseThrow(() -> new IllegalArgumentException("this network takes a field '" + f.name
                            + "', but the data are " + samples + " samples of " + fields));
            if (field.dtype() != f.sample.dtype() || !field.shape().equals(f.sample.shape())) {
                throw new IllegalArgumentException("this network takes " + f.name + " " + f.sample.dtype()
                        + f.sample.shape() + ", but the data are " + samples + " samples of " + field);
            }
        }
    }

    /**
     * One step: forward, backward and update.
     *
     * @param x the only input, [N, one sample's shape]
     * @param target what the only output is compared with, such as i32 [N] of class indices
     * @throws IllegalArgumentException if the types do not fit, or the loss is not defined for a target
     * @throws NonFiniteException if the loss or a gradient is NaN or infinite; weights, moments and state are as before
     */
    public void step(Tensor x, Tensor target) {
        step(Batch.of(x, target));
    }

    /**
     * One step: forward, backward and update. A batch larger than {@link Builder#microBatch} is taken in parts, whose
     * gradients are added up.
     *
     * @param samples a field for each input and each loss, by name
     * @throws IllegalArgumentException if a field is missing or of another type, or a loss is not defined for a target
     * @throws NonFiniteException if the loss or a gradient is NaN or infinite; weights, moments and state are as before
     */
    public void step(Batch samples) {
        enter();
        try {
            check(samples);
            lastRate = optimizer.rate().rate(step, plannedSteps) * rateFactor();
            int parts = (samples.size() - 1) / microBatch + 1;
            if (parts == 1) {
                Session session = gradients(samples, 0, samples.size());
                update(session);
                session.commit();
            } else {
                inParts(samples, parts);
            }
            runs += parts;
            step++;
        } finally {
            use.unlock();
        }
    }

    /** Running statistics advance with every part, so what they were is kept until all went well. */
    private void inParts(Batch samples, int parts) {
        Map<String, Tensor> before = plans.state();
        try {
            double loss = 0;
            Session session = plans.update();
            for (int p = 0; p < parts; p++) {
                int from = p * microBatch;
                int count = Math.min(microBatch, samples.size() - from);
                session = gradients(samples, from, count);
                loss += (double) lastLoss * count / samples.size();
                plans.accumulate(p == 0);
                session.commit();
            }
            lastLoss = (float) loss;
            update(session);
        } catch (RuntimeException e) {
            plans.restore(before);
            throw e;
        }
    }

    /** Forward and backward on some of the samples, with their share of the whole batch's loss. */
    private Session gradients(Batch samples, int from, int count) {
        Session session = plans.gradients(count);
        feed(session, samples, from);
        scalar[0] = (float) count / samples.size();
        session.write(StepGraphs.LOSS_GRADIENT, scalar);
        if (checked) {
            Optional<NonFinite> bad = session.runChecked();
            if (bad.isPresent()) {
                throw new NonFiniteException("a value is " + bad.get().value(), bad, step, lastRate);
            }
        } else {
            session.run();
        }
        session.read(StepGraphs.LOSS, scalar);
        lastLoss = scalar[0];
        if (!Float.isFinite(lastLoss)) {
            throw new NonFiniteException("the loss is " + lastLoss, session.runChecked(), step, lastRate);
        }
        for (String name : outputTypes.keySet()) {
            session.read(name, room(name, samples.size()), from);
        }
        return session;
    }

    private void update(Session gradients) {
        Session update = plans.update();
        for (TrainingPlans.Group group : plans.groups()) {
            double rate = group.settings().rate().rate(step, plannedSteps) * rateFactor();
            group.settings().fill(hyper, step + 1, rate, clip);
            update.write(group.hyper(), hyper);
        }
        update.run();
        update.read(TrainingPlans.NORM, scalar);
        lastNorm = scalar[0];
        if (!Float.isFinite(lastNorm)) {
            throw new NonFiniteException("the gradient's norm is " + lastNorm, gradients.runChecked(), step, lastRate);
        }
        update.commit();
    }

    /**
     * Values of a training step that is not taken: nothing changes.
     *
     * @param names paths of layers, such as {@code 3.body.0}, for what they give; names of inputs and weights; each, behind
     *     {@code gradient/}, for the gradient of the loss with respect to it
     * @return the values by these names
     * @throws IllegalArgumentException if there is no such layer, or the loss does not depend on it
     */
    public Map<String, Tensor> inspect(Batch samples, String... names) {
        enter();
        try {
            check(samples);
            Session session = plans.inspection(samples.size(), List.of(names));
            feed(session, samples, 0);
            scalar[0] = 1;
            session.write(StepGraphs.LOSS_GRADIENT, scalar);
            session.run();
            Map<String, Tensor> values = new LinkedHashMap<>();
            for (String name : names) {
                values.put(name, session.read(StepGraphs.SHOWN + name));
            }
            return values;
        } finally {
            use.unlock();
        }
    }

    private void feed(Session session, Batch samples, int from) {
        for (Fed f : fed) {
            session.write(f.name, samples.get(f.name), from);
        }
        if (session.has(Training.RANDOM)) {
            random[0] = (int) seed;
            random[1] = (int) (seed >>> 32);
            random[2] = (int) runs + from / microBatch;
            session.write(Training.RANDOM, random);
        }
    }

    private void check(Batch samples) {
        for (Fed f : fed) {
            Tensor value = samples.has(f.name) ? samples.get(f.name) : null;
            Inputs.check(f.name, f.sample, value, samples.size());
            f.check.accept(Objects.requireNonNull(value));
        }
    }

    // ---- masks ----

    /**
     * Masks these weights from now on: where a weight's mask is 0, the weight is exactly 0 after every step, whatever the
     * optimizer and its decay; the rest trains as if that part of the network did not exist. Other weights keep the masks
     * that they have. Checkpoints hold masks, too.
     *
     * @param masks by the name of the weight: f32 of its shape, each value 0 or 1
     * @throws IllegalArgumentException if there is no such weight, it is frozen, or the mask is none for it
     */
    public void mask(Map<String, Tensor> masks) {
        enter();
        try {
            plans.checkMasks(masks);
            plans.mask(masks);
        } finally {
            use.unlock();
        }
    }

    /** The masks of all weights that have zeros in theirs, by the name of the weight. */
    public Map<String, Tensor> masks() {
        enterInTurn();
        try {
            return plans.masks();
        } finally {
            use.unlock();
        }
    }

    /** Whether the optimizer trains the weight of that name; a frozen one it does not. */
    public boolean trains(String weight) {
        return graphs.trained().test(weight);
    }

    /**
     * One that goes on from here with fewer channels: with what is left of weights, state, moments, averages and masks, at
     * the same step of the same schedule. This one stays as it is.
     *
     * @param smaller made of a model of this trainer; the values of its own model do not count
     * @throws IllegalArgumentException if it was made of another network
     */
    public Trainer narrowed(Narrowed smaller) {
        enterInTurn();
        try {
            Map<String, Tensor> values = new LinkedHashMap<>();
            plans.everything().forEach((name, value) -> {
                boolean own = smaller.kept().containsKey(name);
                values.put(name, smaller.slice(own ? name : name.substring(name.indexOf('/') + 1), value));
            });
            Trainer next = builder.copy(any -> smaller.model()).build();
            try {
                next.plans.mask(TrainingPlans.masksAmong(values));
                next.plans.restore(values);
            } catch (RuntimeException e) {
                next.close();
                throw e;
            }
            next.plateauState = plateauState;
            next.step = step;
            next.runs = runs;
            next.plannedSteps = plannedSteps;
            return next;
        } finally {
            use.unlock();
        }
    }

    // ---- checkpoints ----

    /** Where the run stands. */
    public Checkpoint checkpoint() {
        enterInTurn();
        try {
            Map<String, String> facts = new LinkedHashMap<>();
            facts.put(STEP, String.valueOf(step));
            facts.put("runs", String.valueOf(runs));
            facts.put("planned_steps", String.valueOf(plannedSteps));
            facts.put("seed", String.valueOf(seed));
            facts.put("batch", String.valueOf(batch));
            facts.put("micro_batch", String.valueOf(microBatch));
            if (plateauState != null) {
                facts.put("plateau/best", String.valueOf(plateauState.best()));
                facts.put("plateau/bad", String.valueOf(plateauState.bad()));
                facts.put("plateau/cooling", String.valueOf(plateauState.cooling()));
                facts.put("plateau/reductions", String.valueOf(plateauState.reductions()));
            }
            return new Checkpoint(plans.snapshot(), plans.everything(), facts);
        } finally {
            use.unlock();
        }
    }

    /**
     * Goes on where another run stood, of the same network, optimizer, batch and seed.
     *
     * @throws IllegalArgumentException if it was another; the message says in what. This trainer is then as before
     */
    public void resume(Checkpoint from) {
        enter();
        try {
            requireSame("seed", String.valueOf(seed), from);
            requireSame("batch", String.valueOf(batch), from);
            requireSame("micro_batch", String.valueOf(microBatch), from);
            Map<String, Tensor> mine = plans.everything();
            Map<String, Tensor> theirs = new LinkedHashMap<>();
            Map<String, Tensor> masks = TrainingPlans.masksAmong(from.tensors());
            plans.checkMasks(masks);
            mine.forEach((name, own) -> {
                if (TrainingPlans.isMask(name)) {
                    return;
                }
                Tensor other = from.tensors().get(name);
                if (other == null
                        || other.dtype() != own.dtype()
                        || !other.shape().equals(own.shape())) {
                    throw new IllegalArgumentException("this run has '" + name + "': " + own
                            + ", but the checkpoint has " + (other == null ? "none" : other)
                            + "; it belongs to another network or optimizer");
                }
                theirs.put(name, other);
            });
            Plateau.State plateauThen = plateau == null
                    ? null
                    : new Plateau.State(
                            Double.parseDouble(from.fact("plateau/best")),
                            Integer.parseInt(from.fact("plateau/bad")),
                            Integer.parseInt(from.fact("plateau/cooling")),
                            Integer.parseInt(from.fact("plateau/reductions")));
            long stepThen = from.step();
            long runsThen = Long.parseLong(from.fact("runs"));
            long plannedThen = Long.parseLong(from.fact("planned_steps"));
            plans.unmask(); // from here on nothing fails
            plans.mask(masks);
            plans.restore(theirs);
            plateauState = plateauThen;
            step = stepThen;
            runs = runsThen;
            plannedSteps = plannedThen;
        } finally {
            use.unlock();
        }
    }

    private static void requireSame(String what, String own, Checkpoint from) {
        if (!own.equals(from.fact(what))) {
            throw new IllegalArgumentException("this run has " + what + " " + own + ", but the checkpoint's had "
                    + from.fact(what) + "; its steps would be others");
        }
    }

    /** How many steps have been taken. */
    public long steps() {
        return step;
    }

    /** How many steps the learning-rate schedule counts on, for those who call {@link #step} themselves. */
    public void planSteps(long steps) {
        plannedSteps = steps;
    }

    /** The loss of the last step, before its update. */
    public float loss() {
        return lastLoss;
    }

    /** The global norm of the last step's gradient, before clipping. */
    public float gradientNorm() {
        return lastNorm;
    }

    /** The learning rate of the last step. */
    public double rate() {
        return lastRate;
    }

    public int batch() {
        return batch;
    }

    public long seed() {
        return seed;
    }

    /** A snapshot: later steps do not change it. Another thread's step is waited for. */
    public Model model() {
        enterInTurn();
        try {
            return plans.snapshot();
        } finally {
            use.unlock();
        }
    }

    /**
     * A snapshot with the running average of the weights; running statistics are those of the weights themselves.
     *
     * @throws IllegalStateException unless the builder was asked for {@link Builder#ema}
     */
    public Model emaModel() {
        enterInTurn();
        try {
            return plans.averages();
        } finally {
            use.unlock();
        }
    }

    /** What {@link Builder#reduceOnPlateau} has seen; null without it. */
    public Plateau.@Nullable State plateau() {
        return plateauState;
    }

    /** The metrics of one more epoch, for {@link Builder#reduceOnPlateau}: validation's count before training's. */
    void endEpoch(Map<String, Double> values) {
        if (plateau != null) {
            Double metric = values.getOrDefault(Epoch.VALIDATION + plateau.metric(), values.get(plateau.metric()));
            if (metric == null) {
                throw new IllegalArgumentException("reduceOnPlateau looks at '" + plateau.metric()
                        + "', but an epoch measures only " + values.keySet());
            }
            endEpoch(metric);
        }
    }

    /**
     * Tells {@link Builder#reduceOnPlateau} the metric of one more epoch. {@link #fit} does so; this is for hand-written
     * loops.
     */
    public void endEpoch(double metric) {
        if (plateau != null && plateauState != null) {
            plateauState = plateau.after(plateauState, metric);
        }
    }

    private double rateFactor() {
        return plateau != null && plateauState != null ? plateau.factor(plateauState) : 1;
    }

    /** Bytes that a step takes for what it computes: inputs, activations, their gradients and the kernels' scratch. */
    public long activationBytes() {
        return plan().sessionBytes();
    }

    /** The training step's plan, for those who want to see kernels, layouts and memory. */
    public Plan plan() {
        return plans.main();
    }

    /** One thread at a time: a trainer is one run, and two would tear it apart. */
    private void enter() {
        if (!use.tryLock()) {
            throw new IllegalStateException("the trainer is in use by another thread");
        }
        requireOpen();
    }

    /** After the step that another thread may be taking. */
    private void enterInTurn() {
        use.lock();
        requireOpen();
    }

    private void requireOpen() {
        if (closed) {
            use.unlock();
            throw new IllegalStateException("the trainer is closed");
        }
    }

    /**
     * Waits for the step that another thread may be taking, then frees everything; from now on its use is an
     * {@link IllegalStateException}. Closing twice does no harm.
     */
    @Override
    public void close() {
        use.lock();
        try {
            closed = true;
            plans.close();
        } finally {
            use.unlock();
        }
    }

    /** How to train. */
    public static final class Builder {
        private final LongFunction<Model> model;
        private final List<Objective> objectives = new ArrayList<>();
        private Optimizer optimizer = Optimizer.adamw();
        private Clip clip = Clip.NONE;
        private @Nullable Plateau plateau;
        private Selection trained = Selection.ALL;
        private double average = Double.NaN;
        private boolean averageEvaluated;
        private @Nullable Backends backends;
        private int batch = 64;
        private int microBatch = Integer.MAX_VALUE;
        private long activationBytes = Long.MAX_VALUE;
        private boolean weighted;
        private boolean checked;
        private boolean bf16;
        private long seed;

        private Builder(LongFunction<Model> model) {
            this.model = model;
        }

        /** The same settings for another model. */
        private Builder copy(LongFunction<Model> other) {
            Builder copy = new Builder(other);
            copy.objectives.addAll(objectives);
            copy.optimizer = optimizer;
            copy.clip = clip;
            copy.plateau = plateau;
            copy.trained = trained;
            copy.average = average;
            copy.averageEvaluated = averageEvaluated;
            copy.backends = backends;
            copy.batch = batch;
            copy.microBatch = microBatch;
            copy.activationBytes = activationBytes;
            copy.weighted = weighted;
            copy.checked = checked;
            copy.bf16 = bf16;
            copy.seed = seed;
            return copy;
        }

        /**
         * What to make small, of the output {@value Model#OUTPUT} and the data's field {@value Dataset#TARGET};
         * cross-entropy unless said.
         */
        public Builder loss(Loss function) {
            objectives.add(new Objective(Model.OUTPUT, Dataset.TARGET, function, 1));
            return this;
        }

        /**
         * One of several losses, whose weighted sum is made small.
         *
         * @param output the network's output; the data's field of the same name is the truth
         */
        public Builder loss(String output, Loss function, double weight) {
            objectives.add(new Objective(output, output, function, weight));
            return this;
        }

        /** Multiplies each sample's loss with the data's field {@value Dataset#WEIGHT}: f32 []. */
        public Builder sampleWeights() {
            weighted = true;
            return this;
        }

        /**
         * Takes a batch in parts of so many samples and adds up their gradients: a large batch in little memory. Batch
         * norm then sees the parts.
         */
        public Builder microBatch(int size) {
            if (size < 1) {
                throw new IllegalArgumentException("a part of a batch holds at least one sample, not " + size);
            }
            microBatch = size;
            return this;
        }

        /**
         * Lets a step take so many bytes for what it computes, weights and gradients not counted: some of what the
         * forward pass computes is then forgotten, and computed again for the backward pass. Results are the same, bit
         * for bit; a step takes at most one forward pass longer. {@link Trainer#activationBytes} tells what it takes.
         */
        public Builder activationMemory(long bytes) {
            if (bytes < 1) {
                throw new IllegalArgumentException("a step takes at least one byte, not " + bytes);
            }
            activationBytes = bytes;
            return this;
        }

        /**
         * Looks at every value of every step, forward and backward, for NaN and infinities: many times slower. Without
         * this, a step whose loss or gradient is not finite is looked at in this way.
         */
        public Builder checkEveryNode() {
            checked = true;
            return this;
        }

        /**
         * Takes steps in {@linkplain dev.hadal.model.MixedPrecision mixed precision}: matrix products and convolutions read
         * bf16, which processors with matrix units multiply several times as fast. Weights, gradients, moments and
         * checkpoints stay f32, and so do evaluation and the model that comes out.
         */
        public Builder bf16() {
            bf16 = true;
            return this;
        }

        /** How to update; AdamW unless said. */
        public Builder optimizer(Optimizer rule) {
            optimizer = rule;
            return this;
        }

        /** How to keep gradients from exploding; not at all unless said. */
        public Builder clip(Clip limit) {
            clip = limit;
            return this;
        }

        /**
         * Lowers the rate when an epoch's metric no longer improves: validation's if there is validation, else training's.
         */
        public Builder reduceOnPlateau(Plateau rule) {
            plateau = rule;
            return this;
        }

        /**
         * Keeps the weights whose path matches a {@link dev.hadal.optim.Glob} as they are: they get no gradient and no
         * moments, and a batch norm of frozen weights goes on predicting. The last call that matches a weight decides.
         */
        public Builder freeze(String pattern) {
            trained = trained.with(pattern, false);
            return this;
        }

        /** Takes some weights out of an earlier {@link #freeze}. */
        public Builder unfreeze(String pattern) {
            trained = trained.with(pattern, true);
            return this;
        }

        /** Keeps a running average of the weights, e ← decay·e + (1−decay)·w after each step, for {@link Trainer#emaModel}. */
        public Builder ema(double decay) {
            average = decay;
            return this;
        }

        /** Evaluates the running average of the weights instead of the weights. */
        public Builder evaluateEma() {
            averageEvaluated = true;
            return this;
        }

        /** Samples per step; 64 unless said. */
        public Builder batch(int size) {
            batch = size;
            return this;
        }

        /** Decides initial weights, shuffling and augmentation; 0 unless said. */
        public Builder seed(long number) {
            seed = number;
            return this;
        }

        /** Where to compute; the best backend here unless said. */
        public Builder backends(Backends choice) {
            backends = choice;
            return this;
        }

        /**
         * Compiles the training step.
         *
         * @throws dev.hadal.graph.TypeException if the layers do not fit each other or the loss; the message names the
         *     layer's path
         * @throws IllegalArgumentException if {@link #activationMemory} is too little; the message says how much is enough
         */
        public Trainer build() {
            return new Trainer(this);
        }
    }
}
