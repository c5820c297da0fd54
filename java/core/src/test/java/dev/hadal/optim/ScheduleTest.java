package dev.hadal.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Schedules, against PyTorch's to twelve digits, and patterns of paths. */
class ScheduleTest {

    @TestFactory
    Stream<DynamicTest> ratesArePyTorchs() {
        Map<String, Schedule> schedules = Map.of(
                "step", Schedule.step(0.1, 7, 0.5),
                "exponential", Schedule.exponential(0.1, 0.93),
                "polynomial", Schedule.polynomial(0.1, 2),
                "cosine", Schedule.cosine(0.1),
                "restarts", Schedule.cosineWithRestarts(0.1, 5, 2),
                "restarts of one length", Schedule.cosineWithRestarts(0.1, 8, 1),
                "warmup", Schedule.constant(0.1).warmup(5),
                "one cycle", Schedule.oneCycle(0.1));
        return schedules.entrySet().stream()
                .map(e -> DynamicTest.dynamicTest(e.getKey(), () -> {
                    double[] expected = PyTorch.values("rate/" + e.getKey());
                    for (int step = 0; step < expected.length; step++) {
                        double rate = e.getValue().rate(step, expected.length);
                        assertEquals(expected[step], rate, 1e-12 * 0.1, "step " + step);
                    }
                }));
    }

    @Test
    void plateauIsPyTorchs() {
        Plateau plateau = new Plateau(0.3, 4, 1e-4, 2, "loss", false);
        Plateau.State state = plateau.start();
        double[] metrics = PyTorch.values("plateau/metrics");
        double[] expected = PyTorch.values("rate/plateau");
        for (int epoch = 0; epoch < metrics.length; epoch++) {
            // PyTorch makes no change smaller than 10⁻⁸
            assertEquals(expected[epoch], 0.1 * plateau.factor(state), 2e-8, "epoch " + epoch);
            state = plateau.after(state, metrics[epoch]);
        }
        assertTrue(state.reductions() > 3, state.toString());
    }

    @Test
    void plateauCountsWhatRises() {
        Plateau plateau = Plateau.of(0.5, 1).on("accuracy", true);
        Plateau.State state = plateau.start();
        for (double metric : new double[] {0.5, 0.6, 0.6, Double.NaN}) {
            assertEquals(1, plateau.factor(state));
            state = plateau.after(state, metric);
        }
        assertEquals(0.5, plateau.factor(state));
        assertEquals(0.6, state.best());
    }

    @Test
    void nonsenseIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> Schedule.step(1, 0, 0.5));
        assertThrows(IllegalArgumentException.class, () -> Schedule.cosineWithRestarts(1, 0, 1));
        assertThrows(IllegalArgumentException.class, () -> Schedule.oneCycle(1, 1, 25, 1e4));
        assertThrows(IllegalArgumentException.class, () -> Plateau.of(1, 3));
        assertThrows(IllegalArgumentException.class, () -> Clip.value(0));
        assertThrows(IllegalArgumentException.class, () -> Clip.adaptive(Double.NaN));
        assertThrows(IllegalArgumentException.class, () -> Optimizer.adamw().weightDecay(-1));
        assertThrows(IllegalArgumentException.class, () -> new Glob(""));
    }

    @Test
    void patternsMatchWholePaths() {
        assertTrue(new Glob("stem.*.weight").matches("stem.0.weight"));
        assertFalse(new Glob("stem.*.weight").matches("stem.0.conv.weight"));
        assertTrue(new Glob("stem.**").matches("stem.0.conv.weight"));
        assertTrue(new Glob("**.bias").matches("a.b.bias"));
        assertFalse(new Glob("**.bias").matches("a.b.bias.c"));
        assertTrue(new Glob("layer?.w").matches("layer1.w"));
        assertFalse(new Glob("layer?.w").matches("layer.w"));
        assertFalse(new Glob("a.c").matches("abc"));
    }
}
