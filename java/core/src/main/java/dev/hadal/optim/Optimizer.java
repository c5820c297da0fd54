package dev.hadal.optim;

import dev.hadal.op.Adam;
import dev.hadal.op.Hyper;
import dev.hadal.op.Lamb;
import dev.hadal.op.Lion;
import dev.hadal.op.Muon;
import dev.hadal.op.NAdam;
import dev.hadal.op.RmsProp;
import dev.hadal.op.Sgd;
import dev.hadal.op.UpdateRule;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * An update rule with its settings, and the groups of weights that depart from them.
 *
 * @param weightDecay the decoupled decay λ: weights shrink by η·λ·w beside the rule's step. It spares weights of fewer
 *     than two dimensions, biases and the scales of norms, unless a group says otherwise
 * @param l2 the decay λ₂ that is added to the gradient, likewise
 * @param groups the exceptions, in order: for each setting the last group counts that matches a weight and names it
 * @param others what updates the weights that the rule is not for
 */
public record Optimizer(
        UpdateRule rule,
        Schedule rate,
        double weightDecay,
        double l2,
        List<Group> groups,
        @Nullable Optimizer others) {

    public Optimizer {
        groups = List.copyOf(groups);
        requireDecay(weightDecay);
        requireDecay(l2);
    }

    static void requireDecay(double lambda) {
        if (!(lambda >= 0)) {
            throw new IllegalArgumentException("weight decay must not be negative, got " + lambda);
        }
    }

    /** Any rule, at a rate, without decay. */
    public static Optimizer of(UpdateRule rule, double rate) {
        return new Optimizer(rule, Schedule.constant(rate), 0, 0, List.of(), null);
    }

    // ---- rules ----

    /** AdamW with PyTorch's defaults: rate 10⁻³, β 0.9 and 0.999, ε 10⁻⁸, decoupled decay 0.01. */
    public static Optimizer adamw() {
        return adamw(0.9, 0.999, 1e-8);
    }

    /** AdamW with other moments. */
    public static Optimizer adamw(double beta1, double beta2, double epsilon) {
        return adam(beta1, beta2, epsilon).weightDecay(0.01);
    }

    /** Adam with PyTorch's defaults: rate 10⁻³, β 0.9 and 0.999, ε 10⁻⁸, no decay. */
    public static Optimizer adam() {
        return adam(0.9, 0.999, 1e-8);
    }

    /** Adam with other moments. */
    public static Optimizer adam(double beta1, double beta2, double epsilon) {
        return of(new Adam((float) beta1, (float) beta2, (float) epsilon, false), 1e-3);
    }

    /** AMSGrad: Adam whose second moment never falls. */
    public static Optimizer amsgrad(double beta1, double beta2, double epsilon) {
        return of(new Adam((float) beta1, (float) beta2, (float) epsilon, true), 1e-3);
    }

    /** NAdam with PyTorch's defaults: rate 2·10⁻³, β 0.9 and 0.999, ε 10⁻⁸, momentum decay 0.004. */
    public static Optimizer nadam() {
        return of(new NAdam(0.9f, 0.999f, 1e-8f, 0.004f), 2e-3);
    }

    /** RMSprop with PyTorch's defaults: rate 0.01, α 0.99, ε 10⁻⁸. */
    public static Optimizer rmsprop() {
        return rmsprop(0.99, 1e-8, 0, false);
    }

    /** RMSprop with other settings. */
    public static Optimizer rmsprop(double alpha, double epsilon, double momentum, boolean centred) {
        return of(new RmsProp((float) alpha, (float) epsilon, (float) momentum, centred), 0.01);
    }

    /** Lion as its paper has it: rate 10⁻⁴, β 0.9 and 0.99. */
    public static Optimizer lion() {
        return of(new Lion(0.9f, 0.99f), 1e-4);
    }

    /** Stochastic gradient descent: rate 0.01, no decay. */
    public static Optimizer sgd(double momentum) {
        return sgd(momentum, false);
    }

    /** Stochastic gradient descent, with Nesterov's momentum if so wanted. */
    public static Optimizer sgd(double momentum, boolean nesterov) {
        return of(new Sgd((float) momentum, nesterov), 0.01);
    }

    /** LAMB: rate 10⁻³, β 0.9 and 0.999, ε 10⁻⁶, decoupled decay 0.01. */
    public static Optimizer lamb() {
        return of(new Lamb(0.9f, 0.999f, 1e-6f), 1e-3).weightDecay(0.01);
    }

    /**
     * Muon as its author has it, rate 0.02 and momentum 0.95, for matrices and convolutions; AdamW at a rate of 3·10⁻⁴ for
     * biases and norms. Embeddings and the last layer should be left to AdamW, too, by a {@link #group}.
     */
    public static Optimizer muon() {
        return of(new Muon(0.95f, true), 0.02).others(adamw().rate(3e-4));
    }

    // ---- settings ----

    public Optimizer rate(Schedule schedule) {
        return new Optimizer(rule, schedule, weightDecay, l2, groups, others);
    }

    public Optimizer rate(double constant) {
        return rate(Schedule.constant(constant));
    }

    /** Decoupled decay. */
    public Optimizer weightDecay(double lambda) {
        return new Optimizer(rule, rate, lambda, l2, groups, others);
    }

    /** Decay that is added to the gradient. */
    public Optimizer l2(double lambda) {
        return new Optimizer(rule, rate, weightDecay, lambda, groups, others);
    }

    /** How to update the weights that the rule is not for. */
    public Optimizer others(Optimizer rest) {
        return new Optimizer(rule, rate, weightDecay, l2, groups, rest);
    }

    /**
     * Other settings for the weights whose path matches a {@link Glob}.
     *
     * <pre>{@code adamw().group("stem.**", g -> g.rateFactor(0.1)).group("*.bias", g -> g.weightDecay(0.01))}</pre>
     */
    public Optimizer group(String pattern, UnaryOperator<Group> settings) {
        List<Group> more = new ArrayList<>(groups);
        more.add(settings.apply(Group.of(pattern)));
        return new Optimizer(rule, rate, weightDecay, l2, more, others);
    }

    /** What applies to one weight. */
    public record Settings(UpdateRule rule, Schedule rate, double rateFactor, double weightDecay, double l2) {

        /**
         * Fills the block of run-time scalars for one update.
         *
         * @param t the update's number, from 1 on
         * @param eta the learning rate, before the group's factor
         */
        public void fill(float[] hyper, long t, double eta, Clip clip) {
            hyper[Hyper.RATE] = (float) (eta * rateFactor);
            hyper[Hyper.DECAY] = (float) weightDecay;
            hyper[Hyper.L2] = (float) l2;
            hyper[Hyper.CLIP] = (float) clip.globalNorm();
            hyper[Hyper.CLIP_VALUE] = (float) clip.value();
            rule.correct(t, hyper);
        }
    }

    /** What applies to the weight of that path and shape. */
    public Settings settings(String path, Shape shape) {
        Optimizer chosen = this;
        double factor = 1;
        Double decay = null;
        Double addedDecay = null;
        for (Group group : groups) {
            if (group.glob().matches(path)) {
                chosen = group.optimizer() == null ? chosen : group.optimizer();
                factor = group.rateFactorOr(factor);
                decay = group.decay() == null ? decay : group.decay();
                addedDecay = group.addedDecay() == null ? addedDecay : group.addedDecay();
            }
        }
        if (!chosen.rule.trains(shape)) {
            if (chosen.others == null) {
                throw new IllegalArgumentException(chosen.rule + " is not for weight '" + path + "' " + shape
                        + "; say with others(…) or a group what is");
            }
            chosen = chosen.others;
        }
        boolean decays = shape.rank() >= 2;
        return new Settings(
                chosen.rule,
                chosen.rate,
                factor,
                decay != null ? decay : decays ? chosen.weightDecay : 0,
                addedDecay != null ? addedDecay : decays ? chosen.l2 : 0);
    }
}
