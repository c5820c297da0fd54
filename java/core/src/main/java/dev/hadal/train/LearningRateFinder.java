package dev.hadal.train;

import dev.hadal.data.Batches;
import dev.hadal.data.Batching;
import dev.hadal.data.Dataset;
import dev.hadal.optim.Schedule;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Tries rates that grow from step to step, and shows at which of them the loss falls fastest (Smith 2017):
 *
 * <pre>
 *   double rate = LearningRateFinder.between(1e-6, 1).run(trainer, train).suggestion();
 * </pre>
 *
 * <p>It trains a copy, with moments that begin at zero; the trainer stays as it is.
 *
 * @param lowest the rate of the first step
 * @param highest the rate of the last step, if it comes to that
 * @param steps over as many the rate grows, by the same factor from each to the next
 */
public record LearningRateFinder(double lowest, double highest, int steps) {
    /** β of the smoothed loss: about ten steps count. */
    private static final double SMOOTHING = 0.9;
    /** It has diverged when the smoothed loss is so many times its best. */
    private static final double DIVERGED = 4;

    public LearningRateFinder {
        if (!(lowest > 0) || !(highest > lowest) || highest == Double.POSITIVE_INFINITY || steps < 3) {
            throw new IllegalArgumentException("the learning-rate finder takes rates 0 < lowest < highest and at least"
                    + " 3 steps, not " + lowest + ", " + highest + " and " + steps);
        }
    }

    /** From one rate to another, over 100 steps. */
    public static LearningRateFinder between(double lowest, double highest) {
        return new LearningRateFinder(lowest, highest, 100);
    }

    public LearningRateFinder steps(int count) {
        return new LearningRateFinder(lowest, highest, count);
    }

    /** What one step showed. */
    public record Point(double rate, double loss, double smoothedLoss) {}

    /** Trains until the rates are through or the loss diverges: 4 times its best, or not finite. */
    public Curve run(Trainer trainer, Dataset data) {
        trainer.check(data.size(), data.fields());
        Schedule growing = (step, ignored) -> rate(step);
        List<Point> points = new ArrayList<>();
        try (Trainer copy = trainer.copy(rule -> rule.rate(growing));
                Batches batches = Batching.of(trainer.batch())
                        .seed(trainer.seed())
                        .shuffled(true)
                        .open(data)) {
            double average = 0;
            double best = Double.POSITIVE_INFINITY;
            for (int i = 0; i < steps; i++) {
                if (i % batches.batchesPerEpoch() == 0) {
                    batches.startEpoch(i / batches.batchesPerEpoch());
                }
                copy.step(batches.next());
                average = SMOOTHING * average + (1 - SMOOTHING) * copy.loss();
                double smoothed = average / (1 - Math.pow(SMOOTHING, i + 1.0));
                points.add(new Point(rate(i), copy.loss(), smoothed));
                best = Math.min(best, smoothed);
                if (smoothed > DIVERGED * best) {
                    break;
                }
            }
        } catch (NonFiniteException diverged) {
            // The points before it show where.
        }
        return new Curve(points);
    }

    private double rate(long step) {
        return lowest * Math.pow(highest / lowest, step / (steps - 1.0));
    }

    /** The loss by the learning rate. */
    public record Curve(List<Point> points) {

        public Curve {
            points = List.copyOf(points);
        }

        /**
         * The rate at which the smoothed loss falls most steeply against the logarithm of the rate: where the line through
         * the points around it does, a tenth of them to either side. Neighbours alone would show which batch was hard.
         *
         * @throws IllegalStateException if it falls nowhere
         */
        public double suggestion() {
            int around = Math.max(1, points.size() / 10);
            return IntStream.range(around, points.size() - around)
                    .boxed()
                    .filter(i -> slope(i, around) < 0)
                    .min(Comparator.comparingDouble(i -> slope(i, around)))
                    .map(i -> points.get(i).rate())
                    .orElseThrow(() -> new IllegalStateException("the loss falls at none of the " + points.size()
                            + " rates that were tried; try others, or more steps"));
        }

        /** Of the line with the least squares, but for a positive factor: rates grow by the same factor each step. */
        private double slope(int i, int around) {
            double sum = 0;
            for (int k = -around; k <= around; k++) {
                sum += k * points.get(i + k).smoothedLoss();
            }
            return sum;
        }
    }
}
