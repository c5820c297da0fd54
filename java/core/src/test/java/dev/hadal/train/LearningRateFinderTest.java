package dev.hadal.train;

import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.sequential;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.data.Dataset;
import dev.hadal.optim.Optimizer;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import dev.hadal.train.LearningRateFinder.Curve;
import dev.hadal.train.LearningRateFinder.Point;
import java.util.List;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class LearningRateFinderTest {
    private static final Dataset DATA = signs(100);

    /** The sign of the sum of two numbers. */
    private static Dataset signs(int count) {
        Philox random = new Philox(4, 0);
        float[] x = new float[2 * count];
        int[] labels = new int[count];
        for (int i = 0; i < count; i++) {
            x[2 * i] = random.normal(2L * i);
            x[2 * i + 1] = random.normal(2L * i + 1);
            labels[i] = x[2 * i] + x[2 * i + 1] > 0 ? 1 : 0;
        }
        return Dataset.of(Tensor.of(Shape.of(count, 2), x), 2, labels);
    }

    private static Trainer trainer(double rate) {
        return Trainer.of(sequential(linear(8), relu(), linear(2)), Shape.of(2))
                .optimizer(Optimizer.sgd(0.9).rate(rate))
                .batch(16)
                .seed(5)
                .backends(Backends.of("java").withThreads(1))
                .build();
    }

    private static Curve curve(DoubleUnaryOperator loss) {
        return new Curve(IntStream.range(0, 61)
                .mapToObj(i -> {
                    double rate = Math.pow(10, (i - 50) / 10.0);
                    return new Point(rate, 0, loss.applyAsDouble(Math.log10(rate)));
                })
                .toList());
    }

    @Test
    void suggestsTheSteepestDescent() {
        // A fall by the logistic curve, steepest at 10⁻², and beyond it a steeper rise.
        assertEquals(
                1e-2,
                curve(x -> 1 / (1 + Math.exp(4 * (x + 2))) + Math.exp(9 * x)).suggestion(),
                1e-9);
        String message = String.valueOf(
                assertThrows(IllegalStateException.class, () -> curve(x -> x).suggestion())
                        .getMessage());
        assertTrue(message.contains("falls at none of the 61 rates"), message);
        assertThrows(IllegalStateException.class, () -> new Curve(List.of()).suggestion());
    }

    @Test
    void whatItSuggestsLearnsFasterThanWhereItBegan() {
        double suggestion;
        try (Trainer trainer = trainer(1)) {
            Curve curve = LearningRateFinder.between(1e-5, 1e6).steps(110).run(trainer, DATA);
            List<Point> points = curve.points();
            // It diverged, and so did not come to the end.
            assertTrue(points.size() > 40 && points.size() < 110, "" + points.size());
            assertEquals(1e-5, points.get(0).rate(), 1e-18);
            assertEquals(
                    Math.pow(10, 11 / 109.0),
                    points.get(8).rate() / points.get(7).rate(),
                    1e-9);
            assertEquals(points.get(0).loss(), points.get(0).smoothedLoss(), 1e-6);
            assertEquals(
                    (0.1 * points.get(1).loss() + 0.09 * points.get(0).loss()) / 0.19,
                    points.get(1).smoothedLoss(),
                    1e-6);
            suggestion = curve.suggestion();
        }
        assertTrue(suggestion > 1e-4 && suggestion < 10, "suggestion " + suggestion);
        try (Trainer slow = trainer(1e-5);
                Trainer fast = trainer(suggestion)) {
            double before = slow.fit(DATA, Fit.epochs(3)).get(2).loss();
            double after = fast.fit(DATA, Fit.epochs(3)).get(2).loss();
            assertTrue(after < 0.8 * before, before + " and " + after);
        }
    }

    @Test
    void theTrainerStaysAsItIs() {
        try (Trainer one = trainer(0.1);
                Trainer other = trainer(0.1)) {
            one.fit(DATA, Fit.epochs(1));
            other.fit(DATA, Fit.epochs(1));
            LearningRateFinder.between(1e-3, 1).steps(20).run(one, DATA);
            assertEquals(other.model().values(), one.model().values());
            assertEquals(other.steps(), one.steps());
            one.fit(DATA, Fit.epochs(1));
            other.fit(DATA, Fit.epochs(1));
            assertEquals(other.model().values(), one.model().values());
        }
    }

    @Test
    void ratesMustGrow() {
        assertThrows(IllegalArgumentException.class, () -> LearningRateFinder.between(1e-3, 1e-3));
        assertThrows(IllegalArgumentException.class, () -> LearningRateFinder.between(0, 1));
        assertThrows(
                IllegalArgumentException.class,
                () -> LearningRateFinder.between(1e-3, 1).steps(2));
    }
}
