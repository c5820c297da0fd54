package dev.hadal.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class DatasetTest {

    @Test
    void aTensorAndItsLabelsAreADataSet() {
        Dataset data = Dataset.of(Tensor.of(Shape.of(2, 3), 1f, 2, 3, 4, 5, 6), 10, 7, 9);
        assertEquals(2, data.size());
        assertEquals(Shape.of(3), data.shape());
        assertEquals(10, data.classes());
        assertEquals(9, data.label(1));
        float[] into = new float[5];
        data.copy(1, into, 1);
        assertArrayEquals(new float[] {0, 4, 5, 6, 0}, into);
    }

    @Test
    void whatDoesNotFitIsRefused() {
        Tensor x = Tensor.of(Shape.of(3, 2), new float[6]);
        assertMessage("x [3,2] has 3 samples, but there are 2 labels", () -> Dataset.of(x, 2, 0, 1));
        assertMessage("label 2 is 2, outside 0…1", () -> Dataset.of(x, 2, 0, 1, 2));
        assertMessage("label 1 is -1, outside 0…1", () -> Dataset.of(x, 2, 0, -1, 0));
        assertMessage("at least one class is needed, got 0", () -> Dataset.of(x, 0, 0, 0, 0));
        assertMessage("x: [N,…] is needed, got a scalar", () -> Dataset.of(Tensor.of(Shape.SCALAR, 1f), 1, 0));
        assertThrows(IllegalStateException.class, () -> Dataset.of(Tensor.of(Shape.of(1), 1), 1, 0));
        assertMessage(
                "2 labels and images of [1,2,2] take 8 bytes, but there are 7",
                () -> new ByteImages(Shape.of(1, 2, 2), new byte[7], 1, 0, 0));
    }

    @Test
    void laterChangesOfTheLabelsChangeNothing() {
        int[] labels = {0, 1};
        Dataset data = Dataset.of(Tensor.of(Shape.of(2), 0f, 0f), 2, labels);
        labels[0] = 99;
        assertEquals(0, data.label(0));
    }

    @Test
    void takeKeepsTheFirst() {
        assertEquals(List.of(0, 1, 2), values(counting(10).take(3)));
        assertEquals(0, counting(10).take(0).size());
        assertMessage(
                "cannot take 11 samples from a data set that has 10",
                () -> counting(10).take(11));
        assertMessage(
                "cannot take -1 samples from a data set that has 10",
                () -> counting(10).take(-1));
    }

    @Test
    void aSubsetKeepsItsOrderAndRepetitions() {
        Dataset subset = counting(10).subset(7, 2, 2);
        assertEquals(List.of(7, 2, 2), values(subset));
        assertEquals(7 % 3, subset.label(0));
        assertThrows(IndexOutOfBoundsException.class, () -> counting(10).subset(3, 10));
    }

    @Test
    void aSplitIsAPartitionThatItsSeedDecides() {
        for (long seed = 0; seed < 20; seed++) {
            Dataset.Split split = counting(100).split(30, seed);
            assertEquals(30, split.drawn().size());
            assertEquals(70, split.rest().size());
            List<Integer> all = new ArrayList<>(values(split.drawn()));
            all.addAll(values(split.rest()));
            assertEquals(100, new HashSet<>(all).size());
            assertEquals(
                    values(split.drawn()), values(counting(100).split(30, seed).drawn()));
            assertNotEquals(
                    values(split.drawn()),
                    values(counting(100).split(30, seed + 1).drawn()));
        }
        assertThrows(IllegalArgumentException.class, () -> counting(100).split(101, 0));
    }

    /** Sample i has the value i and the label i mod 3. */
    static Dataset counting(int count) {
        float[] x = new float[count];
        for (int i = 0; i < count; i++) {
            x[i] = i;
        }
        return Dataset.of(
                Tensor.of(Shape.of(count, 1), x),
                3,
                IntStream.range(0, count).map(i -> i % 3).toArray());
    }

    private static List<Integer> values(Dataset data) {
        float[] value = new float[1];
        List<Integer> values = new ArrayList<>();
        for (int i = 0; i < data.size(); i++) {
            data.copy(i, value, 0);
            values.add((int) value[0]);
        }
        return values;
    }

    private static void assertMessage(String message, Runnable code) {
        assertEquals(
                message, assertThrows(IllegalArgumentException.class, code::run).getMessage());
    }
}
