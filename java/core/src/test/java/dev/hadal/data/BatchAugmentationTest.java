package dev.hadal.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BatchAugmentationTest {

    /** Image i, [2,4,6], has the value i everywhere, and the class i mod 3. */
    private static Dataset levels(int count) {
        float[] x = new float[count * 48];
        int[] labels = new int[count];
        for (int i = 0; i < x.length; i++) {
            int image = i / 48;
            x[i] = image;
            labels[image] = image % 3;
        }
        return Dataset.of(Tensor.of(Shape.of(count, 2, 4, 6), x), 3, labels);
    }

    @Test
    void aClassBecomesADistribution() {
        try (Batches batches = Batching.of(4)
                .batchAugmentation(BatchAugmentation.mixup(1))
                .open(levels(6).weighted(1, 1, 1, 1, 1, 1))) {
            assertEquals(
                    "[x F32[2,4,6], target F32[3], weight F32[]]",
                    batches.fields().toString());
            batches.startEpoch(0);
            assertEquals(
                    "batch of 4: x F32[4,2,4,6] target F32[4,3] weight F32[4]",
                    batches.next().toString());
            assertEquals(
                    "batch of 2: x F32[2,2,4,6] target F32[2,3] weight F32[2]",
                    batches.next().toString());
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 8})
    void mixupMixesPairsAndTheirTargetsAlike(int size) {
        Dataset data = levels(size);
        try (Batches batches =
                Batching.of(size).batchAugmentation(BatchAugmentation.mixup(1)).open(data)) {
            for (int epoch = 0; epoch < 20; epoch++) {
                batches.startEpoch(epoch);
                Batch batch = batches.next();
                boolean explained = false;
                for (int shift = 0; shift < size; shift++) {
                    int j = shift == 0 ? size - 1 : 0, i = Math.floorMod(shift - j, size); // a pair, if there is one
                    double lambda = i == j ? 1 : (batch.x().floats()[i * 48] - j) / (i - j);
                    explained |= mixes(batch, shift, lambda);
                }
                assertTrue(explained, "epoch " + epoch);
            }
        }
    }

    /** Whether all of the batch is mixed by that λ, each i with (shift − i) mod size. */
    private static boolean mixes(Batch batch, int shift, double lambda) {
        float[] x = batch.x().floats(), y = batch.target().floats();
        int size = batch.size();
        for (int i = 0; i < size; i++) {
            int j = Math.floorMod(shift - i, size);
            for (int p = 0; p < 48; p++) {
                if (Math.abs(x[i * 48 + p] - (lambda * i + (1 - lambda) * j)) > 1e-4) {
                    return false;
                }
            }
            for (int c = 0; c < 3; c++) {
                double expected = (i % 3 == c ? lambda : 0) + (j % 3 == c ? 1 - lambda : 0);
                if (Math.abs(y[i * 3 + c] - expected) > 1e-4) {
                    return false;
                }
            }
        }
        return true;
    }

    @Test
    void numbersAreMixedAsTheyAre() {
        Dataset data = Dataset.of(
                Tensor.of(Shape.of(4, 1), 0f, 1, 2, 3), Tensor.of(Shape.of(4, 2), 0f, 0, 10, -1, 20, -2, 30, -3));
        try (Batches batches =
                Batching.of(4).batchAugmentation(BatchAugmentation.mixup(0.4)).open(data)) {
            assertEquals(data.fields(), batches.fields());
            boolean mixed = false;
            for (int epoch = 0; epoch < 20; epoch++) {
                batches.startEpoch(epoch);
                Batch batch = batches.next();
                for (int i = 0; i < 4; i++) {
                    float x = batch.x().floats()[i];
                    mixed |= x != i;
                    assertEquals(10 * x, batch.target().floats()[2 * i], 1e-5);
                    assertEquals(-x, batch.target().floats()[2 * i + 1], 1e-5);
                }
            }
            assertTrue(mixed);
        }
    }

    @Test
    void cutmixExchangesARectangleAndMixesTheTargetsByItsArea() {
        int size = 5;
        try (Batches batches =
                Batching.of(size).batchAugmentation(BatchAugmentation.cutmix(1)).open(levels(size))) {
            int cut = 0;
            for (int epoch = 0; epoch < 50; epoch++) {
                batches.startEpoch(epoch);
                Batch batch = batches.next();
                float[] x = batch.x().floats(), y = batch.target().floats();
                for (int i = 0; i < size; i++) {
                    int other = -1, foreign = 0, top = 9, bottom = -1, left = 9, right = -1;
                    for (int p = 0; p < 24; p++) {
                        assertEquals(x[i * 48 + p], x[i * 48 + 24 + p], "both channels alike");
                        if (x[i * 48 + p] != i) {
                            assertTrue(other < 0 || other == x[i * 48 + p], "of one image");
                            other = (int) x[i * 48 + p];
                            foreign++;
                            top = Math.min(top, p / 6);
                            bottom = Math.max(bottom, p / 6);
                            left = Math.min(left, p % 6);
                            right = Math.max(right, p % 6);
                        }
                    }
                    if (foreign > 0) {
                        cut++;
                        assertEquals((bottom - top + 1) * (right - left + 1), foreign, "a rectangle");
                        for (int c = 0; c < 3; c++) {
                            float expected =
                                    (i % 3 == c ? 1 - foreign / 24f : 0) + (other % 3 == c ? foreign / 24f : 0);
                            assertEquals(expected, y[i * 3 + c], 1e-6);
                        }
                    }
                }
            }
            assertTrue(cut > 100, "of 250 images, of which every fifth is its own partner");
        }
    }

    @ParameterizedTest
    @ValueSource(doubles = {0.05, 0.2, 1, 4})
    void lambdaComesFromABetaDistribution(double alpha) {
        Draws draws = new Draws(1, "test");
        int count = 40_000;
        double sum = 0, squares = 0;
        for (int i = 0; i < count; i++) {
            double lambda = draws.at(0, i).beta(alpha);
            assertTrue(lambda >= 0 && lambda <= 1);
            sum += lambda;
            squares += (lambda - 0.5) * (lambda - 0.5);
        }
        double variance = 1 / (4 * (2 * alpha + 1));
        assertEquals(0.5, sum / count, 5 * Math.sqrt(variance / count));
        // The square of λ − ½ lies in 0…¼, so that its deviation is at most ⅛.
        assertEquals(variance, squares / count, 5 * 0.125 / Math.sqrt(count));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 3})
    void whatComesDependsNeitherOnThreadsNorOnTheStart(int threads) {
        Batching batching = Batching.of(4)
                .seed(5)
                .shuffled(true)
                .augmentation(Augmentation.noise(0.1))
                .batchAugmentation(BatchAugmentation.either(BatchAugmentation.mixup(0.2), BatchAugmentation.cutmix(1)));
        Dataset data = levels(22);
        List<Integer> whole = hashes(batching.threads(0), data, 2, 0);
        assertEquals(6, whole.stream().distinct().count());
        assertNotEquals(whole, hashes(batching.threads(0), data, 3, 0));
        for (int start = 0; start <= 6; start++) {
            assertEquals(whole.subList(start, 6), hashes(batching.threads(threads), data, 2, start));
        }
    }

    private static List<Integer> hashes(Batching batching, Dataset data, int epoch, int start) {
        List<Integer> hashes = new ArrayList<>();
        try (Batches batches = batching.open(data)) {
            batches.startEpoch(epoch, start);
            while (batches.hasNext()) {
                hashes.add(batches.next().hashCode());
            }
        }
        return hashes;
    }

    @Test
    void eitherTakesBoth() {
        int[] seen = new int[2];
        BatchAugmentation one = (in, out, d) -> seen[0]++, other = (in, out, d) -> seen[1]++;
        Draws draws = new Draws(3, "test");
        Batch batch = levels(1).batch(0);
        for (int i = 0; i < 1000; i++) {
            BatchAugmentation.either(one, other).apply(batch, batch, draws.at(0, i));
        }
        assertEquals(500, seen[0], 80); // five deviations
        assertEquals(1000, seen[0] + seen[1]);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 2})
    void whatItThrowsReachesTheCallerInItsPlace(int threads) {
        IllegalStateException broken = new IllegalStateException("no");
        BatchAugmentation fails = (in, out, draws) -> {
            if (in.x().floats()[0] == 2) {
                throw broken;
            }
        };
        try (Batches batches =
                Batching.of(2).threads(threads).batchAugmentation(fails).open(DatasetTest.counting(6))) {
            batches.startEpoch(0);
            batches.next();
            SampleException e = assertThrows(SampleException.class, batches::next);
            assertSame(broken, e.getCause());
            assertEquals(-1, e.index());
            assertEquals("augmenting a batch: " + broken, e.getMessage());
            assertEquals(4, batches.next().x().floats()[0]);
            assertFalse(batches.hasNext());
        }
    }

    @Test
    void whatDoesNotFitIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> BatchAugmentation.mixup(0));
        assertThrows(IllegalArgumentException.class, () -> BatchAugmentation.cutmix(Double.NaN));
        Dataset rows = DatasetTest.counting(4);
        assertRefused("cutmix takes images x [C,H,W], not x F32[1]", BatchAugmentation.cutmix(1), rows);
        Dataset tokens = Dataset.of(Tensor.of(Shape.of(1, 2), 1, 2), Tensor.of(Shape.of(1), 0f));
        assertRefused(
                "mixup takes x in F32, and targets in F32 or one class index for a sample, not x I32[2]",
                BatchAugmentation.mixup(1),
                tokens);
        assertRefused(
                "mixup takes the fields x and target, not [x F32[1]]",
                BatchAugmentation.mixup(1),
                Dataset.of(Map.of("x", Tensor.of(Shape.of(1, 1), 1f))));
        assertRefused(
                "two batch augmentations that give the same fields are needed, got"
                        + " [x F32[1], target I32[] of 3 classes] and [x F32[1], target F32[3]]",
                BatchAugmentation.either(BatchAugmentation.none(), BatchAugmentation.mixup(1)),
                rows);
    }

    private static void assertRefused(String message, BatchAugmentation augmentation, Dataset data) {
        Batching batching = Batching.of(2).batchAugmentation(augmentation);
        assertEquals(
                message,
                assertThrows(IllegalArgumentException.class, () -> batching.open(data))
                        .getMessage());
    }

    @Test
    void noSamplesAreNoBatches() {
        try (Batches batches = Batching.of(2)
                .balanced(true)
                .batchAugmentation(BatchAugmentation.mixup(1))
                .open(levels(0))) {
            batches.startEpoch(0);
            assertFalse(batches.hasNext());
        }
    }

    @Test
    void everyBatchHasDrawsOfItsOwn() {
        List<Float> mixed = new ArrayList<>();
        try (Batches batches = Batching.of(2)
                .batchAugmentation((in, out, draws) -> in.x().floats()[0] = draws.uniform())
                .open(levels(40))) {
            for (int epoch = 0; epoch < 2; epoch++) {
                batches.startEpoch(epoch);
                while (batches.hasNext()) {
                    mixed.add(batches.next().x().floats()[0]);
                }
            }
        }
        assertEquals(40, mixed.stream().distinct().count());
    }

    @Test
    void theFirstPhiloxDrawsOfABatchAreItsOwn() {
        Draws draws = new Draws(1, "batch augmentation");
        Philox stream = new Philox(1, Philox.streamOf("batch augmentation 4"));
        assertEquals(stream.uniform(7L << 30), draws.at(4, 7).uniform());
    }
}
