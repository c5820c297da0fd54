package dev.hadal.optim;

import static dev.hadal.nn.Layers.batchNorm;
import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.flatten;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.sequential;
import static dev.hadal.nn.Layers.tanh;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.data.Batch;
import dev.hadal.data.Dataset;
import dev.hadal.model.Model;
import dev.hadal.nn.Layer;
import dev.hadal.op.Lamb;
import dev.hadal.op.Lion;
import dev.hadal.op.Muon;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import dev.hadal.train.Epoch;
import dev.hadal.train.Fit;
import dev.hadal.train.Trainer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Fifty steps of every optimizer, against PyTorch's or against its formula in double precision; and what else it can do. */
@Tag("variant")
public abstract class OptimizerSpec {
    private static final int STEPS = 50;
    private static final List<String> WEIGHTS = List.of("0.weight", "0.bias", "2.weight", "2.bias");
    private static final Tensor X = PyTorch.tensor("x");
    private static final Tensor LABELS = Tensor.of(Shape.of(32), PyTorch.integers("labels"));

    /** Where to train. */
    protected abstract Backends backends();

    /** The same where some ops may fall back to Java. */
    protected abstract Backends loose();

    private static Model start() {
        Model model = sequential(linear(8), tanh(), linear(3)).model(Shape.of(6), 0);
        Map<String, Tensor> values = new HashMap<>();
        WEIGHTS.forEach(name -> values.put(name, PyTorch.tensor("start/" + name)));
        return model.withValues(values);
    }

    private static Trainer.Builder builder(Optimizer optimizer, Backends backends) {
        return Trainer.of(start()).optimizer(optimizer).batch(32).backends(backends);
    }

    private static void steps(Trainer trainer) {
        trainer.planSteps(STEPS);
        for (int i = 0; i < STEPS; i++) {
            trainer.step(X, LABELS);
        }
    }

    private static float[] weight(Model model, String name) {
        return Objects.requireNonNull(model.values().get(name), name).floats();
    }

    // ---- PyTorch ----

    /** Of the same arithmetic in another order, 50 steps leave the weights within 10⁻⁵. Worst observed: 3·10⁻⁶. */
    private static final double TOLERANCE = 1e-5;

    private record Run(String name, Optimizer optimizer, Clip clip) {
        Run(String name, Optimizer optimizer) {
            this(name, optimizer, Clip.NONE);
        }
    }

    private static List<Run> runs() {
        Optimizer momentum = Optimizer.sgd(0.9).rate(0.3);
        return List.of(
                new Run("sgd", Optimizer.sgd(0).rate(0.1)),
                new Run("sgd l2", Optimizer.sgd(0).rate(0.1).l2(0.1)),
                new Run("momentum", Optimizer.sgd(0.9).rate(0.05)),
                new Run("nesterov l2", Optimizer.sgd(0.9, true).rate(0.05).l2(0.01)),
                new Run("rmsprop", Optimizer.rmsprop().rate(0.003)),
                new Run("rmsprop centred", Optimizer.rmsprop(0.9, 1e-3, 0, true).rate(0.003)),
                new Run(
                        "rmsprop centred momentum l2",
                        Optimizer.rmsprop(0.9, 1e-3, 0.9, true).rate(0.001).l2(0.05)),
                new Run("adam", Optimizer.adam().rate(0.01)),
                new Run("adam l2", Optimizer.adam(0.8, 0.99, 1e-8).rate(0.01).l2(0.1)),
                new Run("adamw", Optimizer.adamw().rate(0.01).weightDecay(0.1)),
                new Run("amsgrad", Optimizer.amsgrad(0.9, 0.9, 1e-8).rate(0.01)),
                new Run("nadam", Optimizer.nadam().rate(0.01)),
                new Run("clip value", momentum, Clip.value(0.01)),
                new Run("clip global norm", momentum, Clip.globalNorm(0.1)),
                new Run("clip norm", momentum, Clip.norm(0.05)));
    }

    @TestFactory
    Stream<DynamicTest> agreesWithPyTorch() {
        return runs().stream()
                .map(run -> DynamicTest.dynamicTest(run.name, () -> {
                    try (Trainer trainer =
                            builder(run.optimizer, backends()).clip(run.clip).build()) {
                        steps(trainer);
                        assertEquals(PyTorch.values(run.name + "/loss")[0], trainer.loss(), TOLERANCE);
                        assertWeights(run.name, trainer.model());
                    }
                }));
    }

    private static void assertWeights(String run, Model model) {
        for (String name : WEIGHTS) {
            double[] expected = PyTorch.values(run + "/" + name);
            float[] actual = weight(model, name);
            for (int i = 0; i < expected.length; i++) {
                assertEquals(expected[i], actual[i], TOLERANCE, run + ": " + name + " at " + i);
            }
        }
    }

    @Test
    void theAverageOfWeightsIsPyTorchs() {
        try (Trainer trainer =
                builder(Optimizer.sgd(0).rate(0.1), backends()).ema(0.9).build()) {
            steps(trainer);
            assertWeights("ema", trainer.emaModel());
            assertWeights("sgd", trainer.model());
        }
    }

    // ---- formulas ----

    /** A rule on one tensor, as a matrix of so many rows, in double precision: changes w and its moments. */
    private interface Rule {
        void update(double[] w, double[] g, double[] m, double[] v, int rows, int t);
    }

    private static double length(double[] x, int from, int to) {
        return Math.sqrt(Arrays.stream(x, from, to).map(e -> e * e).sum());
    }

    private static double length(double[] x) {
        return length(x, 0, x.length);
    }

    private static void lion(double[] w, double[] g, double[] m, double eta, double lambda) {
        for (int i = 0; i < w.length; i++) {
            double u = 0.9f * m[i] + (1 - 0.9f) * g[i];
            w[i] -= eta * (Math.signum(u) + lambda * w[i]);
            m[i] = 0.99f * m[i] + (1 - 0.99f) * g[i];
        }
    }

    private static void lamb(double[] w, double[] g, double[] m, double[] v, int t, double eta, double lambda) {
        double[] r = new double[w.length];
        for (int i = 0; i < w.length; i++) {
            m[i] = 0.9f * m[i] + (1 - 0.9f) * g[i];
            v[i] = 0.999f * v[i] + (1 - 0.999f) * g[i] * g[i];
            double mHat = m[i] / (1 - Math.pow(0.9f, t));
            double vHat = v[i] / (1 - Math.pow(0.999f, t));
            r[i] = mHat / (Math.sqrt(vHat) + 1e-6) + lambda * w[i];
        }
        double phi = length(w) / length(r);
        for (int i = 0; i < w.length; i++) {
            w[i] -= eta * phi * r[i];
        }
    }

    /** Always by X·Xᵀ, whichever side is longer. */
    private static void muon(double[] w, double[] g, double[] m, int rows, double eta, double lambda) {
        int columns = w.length / rows;
        double[] x = new double[w.length];
        for (int i = 0; i < w.length; i++) {
            m[i] = 0.95f * m[i] + g[i];
            x[i] = g[i] + 0.95f * m[i];
        }
        double length = length(x) + 1e-7;
        Arrays.setAll(x, i -> x[i] / length);
        for (int k = 0; k < 5; k++) {
            double[] a = product(x, transposed(x, rows), rows, columns, rows);
            double[] aa = product(a, a, rows, rows, rows);
            double[] b = new double[a.length];
            Arrays.setAll(b, i -> -4.7750 * a[i] + 2.0315 * aa[i]);
            double[] bx = product(b, x, rows, rows, columns);
            Arrays.setAll(x, i -> 3.4445 * x[i] + bx[i]);
        }
        double scale = Math.sqrt(Math.max(1, (double) rows / columns));
        for (int i = 0; i < w.length; i++) {
            w[i] -= eta * (scale * x[i] + lambda * w[i]);
        }
    }

    private static double[] transposed(double[] a, int rows) {
        int columns = a.length / rows;
        double[] t = new double[a.length];
        Arrays.setAll(t, i -> a[i % rows * columns + i / rows]);
        return t;
    }

    private static double[] product(double[] a, double[] b, int m, int k, int n) {
        double[] c = new double[m * n];
        for (int i = 0; i < m * n; i++) {
            for (int l = 0; l < k; l++) {
                c[i] += a[i / n * k + l] * b[l * n + i % n];
            }
        }
        return c;
    }

    /** Plain descent behind adaptive clipping: row by row, a bias as one. */
    private static void adaptive(double[] w, double[] g, int rows, double eta, double share) {
        int unit = w.length / rows;
        for (int r = 0; r < rows; r++) {
            double limit = share * Math.max(length(w, r * unit, (r + 1) * unit), 1e-3);
            double size = length(g, r * unit, (r + 1) * unit);
            for (int i = r * unit; i < (r + 1) * unit; i++) {
                w[i] -= eta * g[i] * (size > limit ? limit / size : 1);
            }
        }
    }

    @Test
    void lionIsItsFormula() {
        checkFormula(
                Optimizer.of(new Lion(0.9f, 0.99f), 0.002).weightDecay(0.1),
                Clip.NONE,
                backends(),
                1e-6,
                (w, g, m, v, rows, t) -> lion(w, g, m, 0.002f, rows > 1 ? 0.1f : 0));
    }

    @Test
    void lambIsItsFormula() {
        checkFormula(
                Optimizer.of(new Lamb(0.9f, 0.999f, 1e-6f), 0.01).weightDecay(0.1),
                Clip.NONE,
                loose(),
                1e-6,
                (w, g, m, v, rows, t) -> lamb(w, g, m, v, t, 0.01f, rows > 1 ? 0.1f : 0));
    }

    @Test
    void muonIsItsFormulaWithLionForTheRest() {
        checkFormula(
                Optimizer.of(new Muon(0.95f, true), 0.02)
                        .weightDecay(0.1)
                        .others(Optimizer.of(new Lion(0.9f, 0.99f), 0.002)),
                Clip.NONE,
                loose(),
                2e-5,
                (w, g, m, v, rows, t) -> {
                    if (rows > 1) {
                        muon(w, g, m, rows, 0.02f, 0.1f);
                    } else {
                        lion(w, g, m, 0.002f, 0);
                    }
                });
    }

    @Test
    void adaptiveClippingIsItsFormula() {
        checkFormula(
                Optimizer.sgd(0).rate(0.3),
                Clip.adaptive(0.03),
                loose(),
                1e-6,
                (w, g, m, v, rows, t) -> adaptive(w, g, rows, 0.3f, 0.03f));
    }

    /** Both see the same gradients: those of the weights in f32. Worst observed: a third of each tolerance. */
    private static void checkFormula(Optimizer optimizer, Clip clip, Backends backends, double tolerance, Rule rule) {
        String[] gradients = WEIGHTS.stream().map(name -> "gradient/" + name).toArray(String[]::new);
        Map<String, double[][]> state = new HashMap<>(); // w, m, v
        for (String name : WEIGHTS) {
            double[] w = PyTorch.values("start/" + name).clone();
            for (int i = 0; i < w.length; i++) {
                w[i] = (float) w[i];
            }
            state.put(name, new double[][] {w, new double[w.length], new double[w.length]});
        }
        try (Trainer trainer = builder(optimizer, backends).clip(clip).build()) {
            for (int t = 1; t <= STEPS; t++) {
                Map<String, Tensor> g = trainer.inspect(Batch.of(X, LABELS), gradients);
                for (String name : WEIGHTS) {
                    Tensor gradient = Objects.requireNonNull(g.get("gradient/" + name));
                    double[] wide = new double[gradient.floats().length];
                    Arrays.setAll(wide, i -> gradient.floats()[i]);
                    double[][] of = Objects.requireNonNull(state.get(name));
                    Shape shape = gradient.shape();
                    rule.update(of[0], wide, of[1], of[2], shape.rank() < 2 ? 1 : shape.get(0), t);
                }
                trainer.step(X, LABELS);
            }
            for (String name : WEIGHTS) {
                double[] expected = Objects.requireNonNull(state.get(name))[0];
                float[] actual = weight(trainer.model(), name);
                for (int i = 0; i < expected.length; i++) {
                    assertEquals(expected[i], actual[i], tolerance, name + " at " + i);
                }
            }
        }
    }

    // ---- groups, freezing, averages, plateaus ----

    @Test
    void theLastGroupThatNamesASettingDecides() {
        Optimizer optimizer = Optimizer.adamw()
                .weightDecay(0.1)
                .l2(0.2)
                .group("0.**", g -> g.rateFactor(0.5).weightDecay(0.3))
                .group("*.bias", g -> g.rateFactor(2))
                .group("2.bias", g -> g.by(Optimizer.sgd(0.9)).l2(0.4));
        Shape matrix = Shape.of(2, 3);
        Shape vector = Shape.of(3);
        Optimizer.Settings first = optimizer.settings("0.weight", matrix);
        assertEquals(List.of(0.5, 0.3, 0.2), List.of(first.rateFactor(), first.weightDecay(), first.l2()));
        Optimizer.Settings bias = optimizer.settings("0.bias", vector);
        assertEquals(List.of(2.0, 0.3, 0.0), List.of(bias.rateFactor(), bias.weightDecay(), bias.l2()));
        Optimizer.Settings other = optimizer.settings("2.bias", vector);
        assertEquals(List.of(2.0, 0.0, 0.4), List.of(other.rateFactor(), other.weightDecay(), other.l2()));
        assertEquals("sgd[momentum 0.9]", other.rule().toString());
        String message = String.valueOf(assertThrows(
                        IllegalArgumentException.class,
                        () -> Optimizer.of(new Muon(0.9f, true), 1).settings("a.bias", vector))
                .getMessage());
        assertTrue(message.contains("is not for weight 'a.bias' [3]"), message);
    }

    /** A rate of zero for one group, another rule for a second: each weight moves as its own group says. */
    @Test
    void groupsTrainAsTheySay() {
        Optimizer optimizer = Optimizer.sgd(0)
                .rate(0.1)
                .group("0.**", g -> g.rateFactor(0))
                .group("2.bias", g -> g.by(Optimizer.of(new Lion(0.9f, 0.99f), 0.5)));
        try (Trainer trainer = builder(optimizer, backends()).build()) {
            trainer.step(X, LABELS);
            Model after = trainer.model();
            assertArrayEquals(weight(start(), "0.weight"), weight(after, "0.weight"));
            assertFalse(Arrays.equals(weight(start(), "2.weight"), weight(after, "2.weight")));
            for (int i = 0; i < 3; i++) {
                double moved = weight(after, "2.bias")[i] - weight(start(), "2.bias")[i];
                assertEquals(0.5, Math.abs(moved), 1e-6, "a step of Lion");
            }
        }
    }

    private static final Layer CONVOLUTIONS =
            sequential(conv2d(4, 3), batchNorm(), relu(), conv2d(4, 3), batchNorm(), relu(), flatten(), linear(3));

    private static Dataset images() {
        Philox random = new Philox(5, 0);
        float[] x = new float[24 * 36];
        int[] labels = new int[24];
        for (int i = 0; i < x.length; i++) {
            labels[i / 36] = i / 36 % 3;
            x[i] = random.normal(i) + labels[i / 36];
        }
        return Dataset.of(Tensor.of(Shape.of(24, 1, 6, 6), x), 3, labels);
    }

    /** A frozen batch norm between trained layers: its running statistics stay, and the gradient goes through it. */
    @Test
    void frozenWeightsAndStatisticsStay() {
        try (Trainer trainer = Trainer.of(CONVOLUTIONS, Shape.of(1, 6, 6))
                .freeze("**")
                .unfreeze("0.**")
                .unfreeze("7.**")
                .batch(8)
                .backends(backends())
                .build()) {
            Model before = trainer.model();
            List<Epoch> epochs = trainer.fit(images(), Fit.epochs(8));
            Model after = trainer.model();
            before.values().forEach((name, value) -> {
                boolean trained = name.startsWith("0.") || name.startsWith("7.");
                boolean moved = !Objects.equals(value, after.values().get(name));
                assertEquals(trained, moved, name);
            });
            assertTrue(epochs.get(7).loss() < epochs.get(0).loss(), epochs.toString());
        }
    }

    @Test
    void frozenNetworksAreRefused() {
        Trainer.Builder frozen =
                Trainer.of(CONVOLUTIONS, Shape.of(1, 6, 6)).freeze("**").backends(backends());
        String message = String.valueOf(
                assertThrows(IllegalArgumentException.class, frozen::build).getMessage());
        assertTrue(message.contains("every weight is frozen"), message);
    }

    @Test
    void theAverageCanBeEvaluated() {
        Dataset data = Dataset.of(X, 3, LABELS.ints());
        try (Trainer weights = builder(Optimizer.sgd(0).rate(1), loose()).build();
                Trainer average = builder(Optimizer.sgd(0).rate(1), loose())
                        .ema(0.9)
                        .evaluateEma()
                        .build()) {
            steps(weights);
            steps(average);
            Model mean = average.emaModel();
            double ofAverage = loss(average, data);
            assertFalse(loss(weights, data) == ofAverage);
            try (Trainer there = Trainer.of(mean).batch(32).backends(loose()).build()) {
                assertEquals(loss(there, data), ofAverage, 1e-7);
            }
            assertThrows(IllegalStateException.class, weights::emaModel);
        }
    }

    @Test
    void aPlateauLowersTheRate() {
        Dataset data = Dataset.of(X, 3, LABELS.ints());
        try (Trainer trainer = builder(Optimizer.sgd(0).rate(0), backends())
                .optimizer(Optimizer.sgd(0).rate(Schedule.constant(1e-9)))
                .reduceOnPlateau(Plateau.of(0.5, 1))
                .build()) {
            List<Epoch> epochs = trainer.fit(data, Fit.epochs(6));
            assertEquals(1e-9, epochs.get(2).rate(), 1e-15);
            assertEquals(0.5e-9, epochs.get(3).rate(), 1e-15);
            assertEquals(0.25e-9, epochs.get(5).rate(), 1e-15);
            assertEquals(2, Objects.requireNonNull(trainer.plateau()).reductions());
        }
    }

    private static double loss(Trainer trainer, Dataset data) {
        return Objects.requireNonNull(trainer.evaluate(data).get(Epoch.LOSS));
    }
}
