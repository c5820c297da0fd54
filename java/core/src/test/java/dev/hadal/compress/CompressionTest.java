package dev.hadal.compress;

import static dev.hadal.nn.Layers.batchNorm;
import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.globalAveragePool;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.residual;
import static dev.hadal.nn.Layers.sequential;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.compress.Compressed.Candidate;
import dev.hadal.compress.Compressed.Layer;
import dev.hadal.data.Dataset;
import dev.hadal.model.Model;
import dev.hadal.nn.Loss;
import dev.hadal.optim.Optimizer;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import dev.hadal.train.Fit;
import dev.hadal.train.Metrics;
import dev.hadal.train.Trainer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CompressionTest {
    private static final Shape IMAGE = Shape.of(1, 8, 8);
    private static final Backends JAVA = Backends.of("java").withThreads(1);

    @TempDir
    Path dir;

    /** Noise with a bright bar, upright or level: the class. */
    private static Dataset bars(int samples, long seed) {
        Philox random = new Philox(seed, 0);
        float[] x = new float[samples * 64];
        int[] labels = new int[samples];
        for (int i = 0; i < samples; i++) {
            labels[i] = random.below(2, i);
            int at = random.below(8, samples + i);
            for (int p = 0; p < 64; p++) {
                boolean bright = (labels[i] == 0 ? p / 8 : p % 8) == at;
                x[64 * i + p] = 0.5f * random.normal(2 * samples + 64 * i + p) + (bright ? 1 : 0);
            }
        }
        return Dataset.of(Tensor.of(IMAGE.prepend(samples), x), 2, labels);
    }

    private static Model trained(Dataset data) {
        try (Trainer trainer = Trainer.of(
                        sequential(
                                conv2d(16, 3).padded(),
                                batchNorm(),
                                relu(),
                                residual(
                                        conv2d(16, 3).padded(),
                                        batchNorm(),
                                        relu(),
                                        conv2d(16, 3).padded(),
                                        batchNorm()),
                                relu(),
                                globalAveragePool(),
                                linear(2)),
                        IMAGE)
                .optimizer(Optimizer.adam().rate(3e-3))
                .batch(32)
                .seed(4)
                .backends(JAVA)
                .build()) {
            trainer.fit(data, Fit.epochs(6));
            return trainer.model();
        }
    }

    @Test
    void aNetworkShrinksWithinItsBudget() throws Exception {
        Dataset train = bars(800, 1);
        Model model = trained(train);
        List<String> log = new ArrayList<>();
        Compressed small = Compression.within(0.03)
                .channels(0.5)
                .fit(Fit.epochs(3))
                .backends(JAVA)
                .log(log::add)
                .compress(model, train, bars(500, 2));
        assertTrue(small.before().quality() > 0.9, small::toString);
        assertTrue(small.after().quality() >= small.before().quality() - 0.03, small::toString);
        assertEquals(
                List.of("as it was", "50 % of the channels out", "50 % of the channels out, int8"),
                small.tried().stream().map(Candidate::what).toList());
        Cost half = small.tried().get(1).cost();
        Cost int8 = small.tried().get(2).cost();
        assertTrue(half.fileBytes() < small.before().fileBytes(), small::toString);
        assertTrue(half.weightBytes() < small.before().weightBytes() / 3, small::toString);
        assertTrue(half.sessionBytes() < small.before().sessionBytes(), small::toString);
        assertTrue(int8.fileBytes() < half.fileBytes(), small::toString);
        assertTrue(int8.weightBytes() < half.weightBytes() / 3, small::toString);
        assertCheapestIsChosen(small);
        assertTrue(log.stream().anyMatch(line -> line.startsWith("half of ")), log::toString);
        assertTrue(log.stream().anyMatch(line -> line.contains(" alone in int8: ")), log::toString);

        List<Layer> layers = small.layers();
        assertEquals(
                List.of("0", "3.body.0", "3.body.3", "6"),
                layers.stream().map(Layer::path).toList());
        assertEquals("[16,16,3,3]", layers.get(1).before());
        assertEquals(
                small.chosen() == 0 ? "[16,16,3,3]" : "[8,8,3,3]", layers.get(1).after());
        assertEquals(4 * 16 * 16 * 9, layers.get(1).bytesBefore());
        assertTrue(layers.get(1).pruningLoss() > -0.1 && layers.get(1).int8Loss() < 0.2, layers::toString);

        Path file = dir.resolve("small.safetensors");
        small.model().save(file);
        Model loaded = Model.load(file);
        assertEquals(
                layers.stream().anyMatch(l -> l.type().equals("s8")),
                loaded.values().values().stream().anyMatch(t -> t.dtype() == DType.S8));
        assertEquals(small.after().quality(), accuracy(loaded, bars(500, 2)));
        assertEquals(small.before().quality(), accuracy(model, bars(500, 2)), "the model itself is as it was");
    }

    /** Which one that is, is a matter of the machine. */
    private static void assertCheapestIsChosen(Compressed small) {
        Candidate chosen = small.tried().get(small.chosen());
        assertTrue(chosen.within(), small::toString);
        for (Candidate c : small.tried()) {
            assertTrue(!c.within() || price(chosen.cost()) <= price(c.cost()), small::toString);
        }
    }

    private static double price(Cost cost) {
        return cost.p50() * cost.fileBytes();
    }

    private static double accuracy(Model model, Dataset data) {
        try (Predictor predictor = Predictor.of(model, JAVA)) {
            return Metrics.measure(predictor, data, Metrics.accuracy().start()).value();
        }
    }

    /** Nearly all channels go, and nothing is learned afterwards: what is chosen still keeps within the budget. */
    @Test
    void whatCostsTooMuchIsNotChosen() {
        Dataset train = bars(400, 1);
        Model model = trained(train);
        Compressed small = Compression.within(0)
                .channels(0.9)
                .fit(Fit.epochs(1))
                .rate(1e-9)
                .backends(JAVA)
                .compress(model, train, bars(300, 2));
        assertTrue(small.after().quality() >= small.before().quality(), small::toString);
        assertTrue(!small.tried().get(1).within(), small::toString);
        assertTrue(small.toString().contains("(beyond the budget)"), small::toString);
    }

    @Test
    void aMetricOfWhichLessIsBetterIsUnderstood() {
        Philox random = new Philox(3, 0);
        int n = 300;
        float[] x = new float[4 * n];
        float[] y = new float[n];
        for (int i = 0; i < x.length; i++) {
            x[i] = random.normal(i);
        }
        for (int i = 0; i < n; i++) {
            y[i] = x[4 * i] - (0.5f * x[4 * i + 1]);
        }
        Dataset data = Dataset.of(Tensor.of(Shape.of(n, 4), x), Tensor.of(Shape.of(n, 1), y));
        Model model;
        try (Trainer trainer = Trainer.of(sequential(linear(16), relu(), linear(1)), Shape.of(4))
                .loss(Loss.mse())
                .optimizer(Optimizer.adam().rate(1e-2))
                .backends(JAVA)
                .build()) {
            trainer.fit(data, Fit.epochs(20));
            model = trainer.model();
        }
        Compressed small = Compression.within(0.05)
                .metric(Metrics.meanSquaredError())
                .loss(Loss.mse())
                .channels(0.25)
                .fit(Fit.epochs(5))
                .backends(JAVA)
                .compress(model, data, data);
        for (Candidate c : small.tried()) {
            assertEquals(c.cost().quality() - small.before().quality() <= 0.05, c.within(), small::toString);
        }
        assertTrue(
                small.tried().stream()
                        .anyMatch(c -> c.cost().quality() > small.before().quality()),
                small::toString);
        assertCheapestIsChosen(small);
    }

    @Test
    void nonsenseIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> Compression.within(-0.1));
        assertThrows(IllegalArgumentException.class, () -> Compression.within(Double.NaN));
        assertThrows(
                IllegalArgumentException.class, () -> Compression.within(0.1).channels(1.5));
        Dataset some = bars(10, 1);
        Model model = linear(2).model(IMAGE, 1);
        String message = String.valueOf(assertThrows(
                        IllegalArgumentException.class,
                        () -> Compression.within(0.1).compress(model, some, some.take(0)))
                .getMessage());
        assertTrue(message.contains("10 and 0 samples"), message);
    }
}
