package dev.hadal.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Balanced batches, stratified splits, and weights. */
class SamplingTest {

    /** So many samples of each class; sample i has the value i. */
    private static Dataset skewed(int... counts) {
        int[] labels = new int[Arrays.stream(counts).sum()];
        float[] x = new float[labels.length];
        int at = 0;
        for (int c = 0; c < counts.length; c++) {
            for (int i = 0; i < counts[c]; i++) {
                labels[at] = c;
                x[at] = at++;
            }
        }
        return Dataset.of(Tensor.of(Shape.of(x.length, 1), x), counts.length, labels);
    }

    @Test
    void balancedBatchesShowEachClassAlike() {
        Dataset data = skewed(9000, 0, 900, 100);
        try (Batches batches = Batching.of(500).balanced(true).open(data)) {
            assertEquals(20, batches.batchesPerEpoch());
            int[] seen = new int[4];
            HashSet<Float> values = new HashSet<>();
            batches.startEpoch(0);
            while (batches.hasNext()) {
                Batch batch = batches.next();
                for (int i = 0; i < batch.size(); i++) {
                    seen[batch.target().ints()[i]]++;
                    values.add(batch.x().floats()[i]);
                }
            }
            for (int c : new int[] {0, 2, 3}) {
                assertEquals(10_000 / 3.0, seen[c], 240, Arrays.toString(seen)); // five deviations of √(n·⅓·⅔) = 47
            }
            assertEquals(0, seen[1]);
            assertTrue(values.stream().filter(v -> v >= 9900).count() == 100, "all of the smallest class were seen");
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 3})
    void balancedBatchesDependNeitherOnThreadsNorOnTheStart(int threads) {
        Dataset data = skewed(40, 7, 3);
        Batching batching = Batching.of(8).seed(9).balanced(true).augmentation(Augmentation.noise(1));
        List<Batch> whole = epoch(batching.threads(0), data, 4, 0);
        assertNotEquals(whole, epoch(batching.threads(0), data, 5, 0));
        assertNotEquals(whole, epoch(batching.threads(0).seed(8), data, 4, 0));
        for (int start = 0; start <= whole.size(); start++) {
            assertEquals(whole.subList(start, whole.size()), epoch(batching.threads(threads), data, 4, start));
        }
    }

    @Test
    void aSampleThatComesTwiceIsAugmentedTwice() {
        List<Float> rare = new ArrayList<>();
        for (Batch batch :
                epoch(Batching.of(8).balanced(true).augmentation(Augmentation.noise(1)), skewed(15, 1), 0, 0)) {
            for (int i = 0; i < batch.size(); i++) {
                if (batch.target().ints()[i] == 1) {
                    rare.add(batch.x().floats()[i]);
                }
            }
        }
        assertTrue(rare.size() > 2);
        assertEquals(rare.size(), new HashSet<>(rare).size());
    }

    /** Copies of an epoch's batches. */
    private static List<Batch> epoch(Batching batching, Dataset data, int epoch, int start) {
        List<Batch> all = new ArrayList<>();
        try (Batches batches = batching.open(data)) {
            batches.startEpoch(epoch, start);
            while (batches.hasNext()) {
                Batch next = batches.next();
                all.add(Batch.of(
                        Tensor.of(next.x().shape(), next.x().floats().clone()),
                        Tensor.of(next.target().shape(), next.target().ints().clone())));
            }
        }
        return all;
    }

    @Test
    void aStratifiedSplitKeepsTheClassesShares() {
        Dataset data = skewed(50, 0, 30, 20);
        for (long seed = 0; seed < 10; seed++) {
            Dataset.Split split = data.stratifiedSplit(30, seed);
            assertArrayEquals(new int[] {15, 0, 9, 6}, counts(split.drawn()));
            assertArrayEquals(new int[] {35, 0, 21, 14}, counts(split.rest()));
            HashSet<Float> all = new HashSet<>();
            for (Dataset part : List.of(split.drawn(), split.rest())) {
                for (int i = 0; i < part.size(); i++) {
                    all.add(part.batch(i).x().floats()[0]);
                }
            }
            assertEquals(100, all.size());
            Batch first = split.drawn().batch(0, 1, 2, 3, 4, 5);
            assertEquals(first, data.stratifiedSplit(30, seed).drawn().batch(0, 1, 2, 3, 4, 5));
            assertNotEquals(first, data.stratifiedSplit(30, seed + 1).drawn().batch(0, 1, 2, 3, 4, 5));
        }
        // Shares of 3.5, 2.1 and 1.4: the largest remainders get one more.
        assertArrayEquals(
                new int[] {4, 0, 2, 1}, counts(data.stratifiedSplit(7, 0).drawn()));
        assertArrayEquals(new int[4], counts(data.stratifiedSplit(0, 0).drawn()));
        assertArrayEquals(
                new int[] {50, 0, 30, 20}, counts(data.stratifiedSplit(100, 0).drawn()));
        assertEquals(0, data.take(0).stratifiedSplit(0, 0).drawn().size());
        assertThrows(IllegalArgumentException.class, () -> data.stratifiedSplit(101, 0));
    }

    private static int[] counts(Dataset data) {
        int[] counts = new int[data.classes()];
        for (int i = 0; i < data.size(); i++) {
            counts[data.label(i)]++;
        }
        return counts;
    }

    @Test
    void classWeightsMakeAllClassesCountAlike() {
        Dataset data = skewed(6, 0, 2, 1);
        float[] weights = data.classWeights();
        assertArrayEquals(new float[] {0.5f, 0, 1.5f, 3}, weights);
        Dataset weighted = data.weightedByClass(weights);
        assertEquals(Field.floats("weight", Shape.SCALAR), weighted.field("weight"));
        assertEquals(
                Tensor.of(Shape.of(3), 0.5f, 3, 1.5f), weighted.batch(0, 8, 7).get(Dataset.WEIGHT));
        assertEquals(3, weighted.label(8));
    }

    @Test
    void eachSampleMayHaveItsWeight() {
        Dataset data = skewed(1, 2).weighted(0.25f, 1, 4);
        assertEquals(
                Tensor.of(Shape.of(2), 4f, 0.25f), data.subset(2, 0).batch(0, 1).get("weight"));
        assertThrows(IllegalArgumentException.class, () -> data.weighted(1, 1, 1), "twice");
    }

    @Test
    void whatDoesNotFitIsRefused() {
        Dataset data = skewed(1, 2);
        assertMessage("2 weights for 3 samples; one for each is needed", () -> data.weighted(1, 1));
        assertMessage("3 weights for 2 classes; one for each is needed", () -> data.weightedByClass(1, 1, 1));
        assertMessage("weight 1 is -1.0, but a finite one of at least 0 is needed", () -> data.weightedByClass(1, -1));
        Dataset numbers = Dataset.of(Tensor.of(Shape.of(1), 1f), Tensor.of(Shape.of(1), 1f));
        String needed = "one class index for a sample is needed, but the field is target F32[]";
        assertMessage(needed, () -> numbers.stratifiedSplit(1, 0));
        assertMessage(needed, numbers::classWeights);
        assertMessage(needed, () -> Batching.of(1).balanced(true).open(numbers));
    }

    private static void assertMessage(String message, Runnable code) {
        assertEquals(
                message, assertThrows(IllegalArgumentException.class, code::run).getMessage());
    }
}
