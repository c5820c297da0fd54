package dev.hadal.optim;

import dev.hadal.graph.Op;
import dev.hadal.op.AdamW;
import dev.hadal.op.Hyper;
import dev.hadal.op.Sgd;
import java.util.List;

/**
 * An update rule with its settings.
 *
 * @param update the op that applies the rule: from w, g, the moments, the gradient's norm and the {@link Hyper} block
 *     come the new w and the new moments
 * @param moments what the rule remembers of each weight, zero at first
 * @param beta1 the decay of the first moment that is bias-corrected; 0 for none
 * @param beta2 the same of the second moment
 * @param weightDecay λ, which spares weights of fewer than two dimensions: biases, and the scales of norms
 */
public record Optimizer(
        Op update, List<String> moments, double beta1, double beta2, Schedule rate, double weightDecay) {

    public Optimizer {
        moments = List.copyOf(moments);
        if (!(weightDecay >= 0)) {
            throw new IllegalArgumentException("weight decay must not be negative, got " + weightDecay);
        }
    }

    /** AdamW with PyTorch's defaults: rate 10⁻³, β 0.9 and 0.999, ε 10⁻⁸, decay 0.01. */
    public static Optimizer adamw() {
        return adamw(0.9, 0.999, 1e-8);
    }

    /** AdamW with other moments. */
    public static Optimizer adamw(double beta1, double beta2, double epsilon) {
        return new Optimizer(
                new AdamW((float) beta1, (float) beta2, (float) epsilon),
                List.of("m", "v"),
                beta1,
                beta2,
                Schedule.constant(1e-3),
                0.01);
    }

    /** Stochastic gradient descent: rate 0.01, no decay. */
    public static Optimizer sgd(double momentum) {
        return sgd(momentum, false);
    }

    /** Stochastic gradient descent, with Nesterov's momentum if so wanted. */
    public static Optimizer sgd(double momentum, boolean nesterov) {
        return new Optimizer(new Sgd((float) momentum, nesterov), List.of("m"), 0, 0, Schedule.constant(0.01), 0);
    }

    public Optimizer rate(Schedule schedule) {
        return new Optimizer(update, moments, beta1, beta2, schedule, weightDecay);
    }

    public Optimizer rate(double constant) {
        return rate(Schedule.constant(constant));
    }

    public Optimizer weightDecay(double lambda) {
        return new Optimizer(update, moments, beta1, beta2, rate, lambda);
    }

    /**
     * Fills the block of run-time scalars for one update.
     *
     * @param t the update's number, from 1 on
     * @param eta the learning rate
     * @param decays whether weight decay applies to these weights
     */
    public void fill(float[] hyper, long t, double eta, boolean decays, Clip clip) {
        hyper[Hyper.RATE] = (float) eta;
        hyper[Hyper.DECAY] = decays ? (float) weightDecay : 0;
        hyper[Hyper.CORRECTION1] = (float) (1 / (1 - Math.pow(beta1, (double) t)));
        hyper[Hyper.CORRECTION2] = (float) (1 / (1 - Math.pow(beta2, (double) t)));
        hyper[Hyper.CLIP] = (float) clip.globalNorm();
    }
}
