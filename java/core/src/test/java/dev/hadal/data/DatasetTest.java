package dev.hadal.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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
        assertEquals(List.of(Field.floats("x", Shape.of(3)), Field.labels("target", Shape.SCALAR, 10)), data.fields());
        assertEquals(Batch.of(Tensor.of(Shape.of(1, 3), 4f, 5, 6), Tensor.of(Shape.of(1), 9)), data.batch(1));
    }

    @Test
    void fieldsAreWhateverTheirTensorsAre() {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put("image", Tensor.of(Shape.of(2, 1, 2), 1f, 2, 3, 4));
        tensors.put("age", Tensor.of(Shape.of(2), 30, 40));
        tensors.put("weight", Tensor.of(Shape.of(2), 1f, 0.5f));
        Dataset data = Dataset.of(tensors);
        assertEquals("[image F32[1,2], age I32[], weight F32[]]", data.fields().toString());
        assertEquals(0, data.classes());
        assertTrue(data.has(Dataset.WEIGHT));
        Batch batch = data.batch(1, 0, 1);
        assertEquals(3, batch.size());
        assertEquals(List.of("image", "age", "weight"), batch.fields());
        assertEquals(Tensor.of(Shape.of(3, 1, 2), 3f, 4, 1, 2, 3, 4), batch.get("image"));
        assertEquals(Tensor.of(Shape.of(3), 40, 30, 40), batch.get("age"));
        assertEquals(Tensor.of(Shape.of(3), 0.5f, 1, 0.5f), batch.get("weight"));
        assertMessage("no field x among [image F32[1,2], age I32[], weight F32[]]", data::shape);
        assertMessage("no field x among [image, age, weight]", batch::x);
        assertMessage("no field target among [image F32[1,2], age I32[], weight F32[]]", () -> data.label(0));
    }

    @Test
    void targetsMayBeNumbersOrSequences() {
        Dataset regression = Dataset.of(Tensor.of(Shape.of(2, 1), 1f, 2), Tensor.of(Shape.of(2), 10f, 20));
        assertEquals(Tensor.of(Shape.of(1), 20f), regression.batch(1).target());
        assertMessage(
                "one class index for a sample is needed, but the field is target F32[]", () -> regression.label(0));
        Dataset sequences = Dataset.of(Tensor.of(Shape.of(1, 3), 0, 1, 2), Tensor.of(Shape.of(1, 3), 1, 2, 0), 3);
        assertEquals(Tensor.of(Shape.of(1, 3), 1, 2, 0), sequences.batch(0).target());
        assertEquals(3, sequences.classes());
    }

    /** As the documentation shows it. */
    private static final class Squares implements Dataset {
        @Override
        public int size() {
            return 100;
        }

        @Override
        public List<Field> fields() {
            return List.of(Field.floats(X, Shape.of(1)), Field.floats(TARGET, Shape.of(1)));
        }

        @Override
        public void read(int index, Row row) {
            row.set(X, index);
            row.set(TARGET, index * index);
        }
    }

    @Test
    void aUsersOwnSourceNeedsThreeMethods() {
        Dataset data = new Squares().subset(3, 5, 7).normalized("target", Normalization.of(9, 2));
        try (Batches batches = Batching.of(2).open(data)) {
            assertEquals(data.fields(), batches.fields());
            batches.startEpoch(0);
            assertEquals(Batch.of(Tensor.of(Shape.of(2, 1), 3f, 5), Tensor.of(Shape.of(2, 1), 0f, 8)), batches.next());
            assertEquals(Batch.of(Tensor.of(Shape.of(1, 1), 7f), Tensor.of(Shape.of(1, 1), 20f)), batches.next());
        }
    }

    @Test
    void aRowTakesWhatItsFieldsAre() {
        Batch batch = new Batch(List.of(Field.ints("a", Shape.SCALAR), Field.floats("b", Shape.of(2))), 2);
        Row row = new Row(batch).at(batch, 1);
        row.set("a", 7);
        row.copy("b", new float[] {0, 1, 2}, 1);
        assertEquals(Tensor.of(Shape.of(2), 0, 7), batch.get("a"));
        assertEquals(Tensor.of(Shape.of(2, 2), 0f, 0, 1, 2), batch.get("b"));
        assertMessage("field b takes 2 values for a sample, not one", () -> row.set("b", 1));
        assertThrows(IllegalStateException.class, () -> row.set("a", 1f));
        assertMessage("no field c among [a, b]", () -> row.set("c", 1));
    }

    @Test
    void aFieldIsWhatItSays() {
        assertMessage("a field needs a name", () -> Field.floats(" ", Shape.SCALAR));
        assertMessage("at least one class is needed, got 0", () -> Field.labels("y", Shape.SCALAR, 0));
        assertThrows(IllegalArgumentException.class, () -> new Field("y", DType.F32, Shape.SCALAR, 3));
        assertThrows(IllegalArgumentException.class, () -> new Field("y", DType.I32, Shape.SCALAR, -1));
        assertMessage("at least one field is needed, got none", () -> Dataset.of(Map.of()));
        assertMessage("at least one field is needed, got none", () -> Batch.of(Map.of()));
        assertMessage(
                "x has 2 samples, but target has 1",
                () -> Batch.of(Tensor.of(Shape.of(2), 1f, 1), Tensor.of(Shape.of(1), 1f)));
    }

    @Test
    void whatDoesNotFitIsRefused() {
        Tensor x = Tensor.of(Shape.of(3, 2), new float[6]);
        assertMessage("x [3,2] has 3 samples, but there are 2 labels", () -> Dataset.of(x, 2, 0, 1));
        assertMessage("label 2 is 2, outside 0…1", () -> Dataset.of(x, 2, 0, 1, 2));
        assertMessage("label 1 is -1, outside 0…1", () -> Dataset.of(x, 2, 0, -1, 0));
        assertMessage("at least one class is needed, got 0", () -> Dataset.of(x, 0, 0, 0, 0));
        assertMessage("x: [N,…] is needed, got a scalar", () -> Dataset.of(Tensor.of(Shape.SCALAR, 1f), 1, 0));
        assertThrows(IndexOutOfBoundsException.class, () -> counting(3).batch(3));
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
        List<Integer> values = new ArrayList<>();
        for (int i = 0; i < data.size(); i++) {
            values.add((int) data.batch(i).x().floats()[0]);
        }
        return values;
    }

    private static void assertMessage(String message, Runnable code) {
        assertEquals(
                message, assertThrows(IllegalArgumentException.class, code::run).getMessage());
    }

    @Test
    void aClassBecomesADistribution() {
        Dataset labels = Dataset.of(Tensor.of(Shape.of(3, 1), 5, 6, 7), 4, 2, 0, 3);
        Dataset data = labels.oneHot();
        assertEquals("target F32[4]", data.field("target").toString());
        assertEquals(3, data.label(2));
        for (int repeat = 0; repeat < 2; repeat++) {
            Batch batch = data.batch(2, 0);
            assertEquals(Tensor.of(Shape.of(2, 1), 7, 5), batch.x());
            assertEquals(Tensor.of(Shape.of(2, 4), 0f, 0, 0, 1, 0, 0, 1, 0), batch.target());
        }
        Dataset sequence = Dataset.of(Tensor.of(Shape.of(1, 1), 5), Tensor.of(Shape.of(1, 2), new int[] {1, 0}), 2);
        assertEquals(
                Tensor.of(Shape.of(1, 2, 2), 0f, 1, 1, 0),
                sequence.oneHot().batch(0).target());
        assertThrows(IllegalArgumentException.class, data::oneHot);
    }
}
