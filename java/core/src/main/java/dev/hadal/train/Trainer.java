package dev.hadal.train;

import dev.hadal.backend.Backends;
import dev.hadal.data.Dataset;
import dev.hadal.model.Model;
import dev.hadal.nn.Layer;
import dev.hadal.nn.Loss;
import dev.hadal.op.Hyper;
import dev.hadal.optim.Clip;
import dev.hadal.optim.Optimizer;
import dev.hadal.run.Plan;
import dev.hadal.run.Session;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/**
 * Trains a model. It owns the weights, their gradients and the optimizer's moments; weights that train alike lie in one
 * block, as do their gradients and each moment. For use by one thread.
 */
public final class Trainer implements AutoCloseable {
    private final TrainingPlans plans;
    private final Optimizer optimizer;
    private final Clip clip;
    private final int batch;
    private final long seed;
    private final Shape input;
    private final int classes;
    private final float[] scalar = new float[1];
    private final float[] hyper = new float[Hyper.TYPE.shape().size()];
    private long step;
    private long plannedSteps;
    private final Map<Integer, Tensor> outputs = new HashMap<>();
    private int lastSize;
    private float evaluatedLoss;
    private float lastLoss;
    private float lastNorm;
    private double lastRate;

    private Trainer(Builder builder) {
        Model model = builder.model.apply(builder.seed);
        optimizer = builder.optimizer;
        clip = builder.clip;
        batch = builder.batch;
        seed = builder.seed;
        input = model.inputs().get(Model.INPUT).shape();
        Shape output = model.graph().output(Model.OUTPUT).shape();
        classes = output.get(output.rank() - 1);
        Backends backends = builder.backends == null ? Backends.automatic() : builder.backends;
        plans = new TrainingPlans(model, builder.loss, optimizer, backends, batch);
    }

    /** Trains an untrained network on samples of that shape. */
    public static Builder of(Layer network, Shape input) {
        return new Builder(seed -> network.model(input, seed));
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

    /** What the network gives for a batch as it predicts; valid until the next call. Its loss is kept too. */
    Tensor evaluate(Tensor x, Tensor labels) {
        checkBatch(x, labels);
        Session session = plans.forward(x.shape().get(0));
        session.write(Model.INPUT, x.floats());
        session.write(TrainingPlans.LABELS, labels.ints());
        session.run();
        session.read(TrainingPlans.LOSS, scalar);
        evaluatedLoss = scalar[0];
        return output(session, x.shape().get(0));
    }

    /** The loss of the last batch that was evaluated. */
    float evaluatedLoss() {
        return evaluatedLoss;
    }

    /** What the network gave in the last step, before its update; valid until the next call. */
    Tensor output() {
        return output(plans.gradients(lastSize), lastSize);
    }

    private Tensor output(Session session, int n) {
        Tensor output = outputs.computeIfAbsent(n, plans::output);
        session.read(Model.OUTPUT, output.floats());
        return output;
    }

    /** Takes over the weights and the state of a model of this network; the optimizer's moments stay. */
    void restore(Model model) {
        plans.restore(model);
    }

    void check(Dataset data) {
        if (data.size() < 1 || !data.shape().equals(input)) {
            throw new IllegalArgumentException("this network takes samples of " + input + ", but the data are "
                    + data.size() + " samples of " + data.shape());
        }
        if (data.classes() > classes) {
            throw new IllegalArgumentException(
                    "the data have " + data.classes() + " classes, but the network's output has " + classes);
        }
    }

    /**
     * One step: forward, backward and update.
     *
     * @param x f32 [N, one sample's shape]
     * @param labels i32 [N], class indices
     * @throws IllegalArgumentException if the shapes do not fit, or a label is out of range
     * @throws NonFiniteException if the loss or a gradient is NaN or infinite; weights, moments and state are as before
     */
    public void step(Tensor x, Tensor labels) {
        checkBatch(x, labels);
        lastSize = x.shape().get(0);
        Session session = plans.gradients(lastSize);
        session.write(Model.INPUT, x.floats());
        session.write(TrainingPlans.LABELS, labels.ints());
        scalar[0] = 1;
        session.write(TrainingPlans.LOSS_GRADIENT, scalar);
        lastRate = optimizer.rate().rate(step, plannedSteps);
        session.run();
        session.read(TrainingPlans.LOSS, scalar);
        lastLoss = scalar[0];
        if (!Float.isFinite(lastLoss)) {
            throw new NonFiniteException("the loss is " + lastLoss, step, lastRate);
        }
        Session update = plans.update();
        for (TrainingPlans.Group group : plans.groups()) {
            optimizer.fill(hyper, step + 1, lastRate, group.decays(), clip);
            update.write(group.hyper(), hyper);
        }
        update.run();
        update.read(TrainingPlans.NORM, scalar);
        lastNorm = scalar[0];
        if (!Float.isFinite(lastNorm)) {
            throw new NonFiniteException("the gradient's norm is " + lastNorm, step, lastRate);
        }
        update.commit();
        session.commit();
        step++;
    }

    private void checkBatch(Tensor x, Tensor labels) {
        if (x.dtype() != DType.F32 || !x.shape().isBatchOf(input)) {
            throw new IllegalArgumentException("a step takes x F32" + input + " after a batch of at least 1, not " + x);
        }
        int n = x.shape().get(0);
        if (labels.dtype() != DType.I32
                || labels.shape().rank() != 1
                || labels.shape().get(0) != n) {
            throw new IllegalArgumentException("a step on x " + x + " takes labels I32[" + n + "], not " + labels);
        }
        int[] values = labels.ints();
        for (int i = 0; i < n; i++) {
            if (values[i] < 0 || values[i] >= classes) {
                throw new IllegalArgumentException(
                        "label " + values[i] + " of sample " + i + " is outside 0 … " + (classes - 1));
            }
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

    public int classes() {
        return classes;
    }

    public int batch() {
        return batch;
    }

    public long seed() {
        return seed;
    }

    /** The shape of one sample. */
    public Shape input() {
        return input;
    }

    /** A snapshot: later steps do not change it. */
    public Model model() {
        return plans.snapshot();
    }

    /** The training step's plan, for those who want to see kernels, layouts and memory. */
    public Plan plan() {
        return plans.main();
    }

    /** Frees everything; closing twice does no harm. */
    @Override
    public void close() {
        plans.close();
    }

    /** How to train. */
    public static final class Builder {
        private final LongFunction<Model> model;
        private Loss loss = Loss.crossEntropy();
        private Optimizer optimizer = Optimizer.adamw();
        private Clip clip = Clip.NONE;
        private @Nullable Backends backends;
        private int batch = 64;
        private long seed;

        private Builder(LongFunction<Model> model) {
            this.model = model;
        }

        /** What to make small; cross-entropy unless said. */
        public Builder loss(Loss function) {
            loss = function;
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
         */
        public Trainer build() {
            return new Trainer(this);
        }
    }
}
