package dev.hadal.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class NormalizationTest {

    @Test
    void learnsEachChannelsMeanAndDeviation() {
        Dataset data = Dataset.of(Tensor.of(Shape.of(2, 2, 1, 2), 1f, 3, 10, 10, 5, 7, 20, 40), 1, 0, 0);
        Normalization learnt = Normalization.learn(data);
        // Channel 0 is 1 3 5 7, channel 1 is 10 10 20 40.
        assertEquals(List.of(4f, 20f), learnt.mean());
        assertEquals(List.of((float) Math.sqrt(5), (float) Math.sqrt(150)), learnt.deviation());
    }

    @Test
    void aColumnOfATableIsAChannel() {
        Dataset table = Dataset.of(Tensor.of(Shape.of(2, 2), 1f, 5, 3, 5), 1, 0, 0);
        Normalization learnt = Normalization.learn(table);
        assertEquals(new Normalization(List.of(2f, 5f), List.of(1f, 1f)), learnt, "a constant is only centred");
        assertEquals(
                Tensor.of(Shape.of(2, 2), 1f, 0, -1, 0),
                table.normalized(learnt).batch(1, 0).x());
    }

    @Test
    void whatItLearntFromTheTrainingDataIsAppliedToOthers() {
        Normalization learnt = Normalization.learn(Dataset.of(Tensor.of(Shape.of(2), 2f, 6f), 1, 0, 0));
        assertEquals(Normalization.of(4, 2), learnt);
        Dataset test = Dataset.of(Tensor.of(Shape.of(1), 10f), 5, 4).normalized(learnt);
        assertEquals(Tensor.of(Shape.of(1), 3f), test.batch(0).x());
        assertEquals(4, test.label(0));
        assertEquals(5, test.classes());
        assertEquals(3, learnt.apply(10f, 0));
    }

    @Test
    void agreesWithTheFormulaInDouble() {
        for (int seed = 0; seed < 10; seed++) {
            Philox random = new Philox(seed, 0);
            int count = 1 + random.below(50, 0), plane = 1 + random.below(9, 1);
            float[] x = new float[count * plane];
            double sum = 0;
            for (int i = 0; i < x.length; i++) {
                x[i] = 1000 + random.normal(i + 2); // a mean far from zero, where E[x²] − E[x]² would cancel
                sum += x[i];
            }
            double mean = sum / x.length, squares = 0;
            for (float v : x) {
                squares += (v - mean) * (v - mean);
            }
            Normalization learnt =
                    Normalization.learn(Dataset.of(Tensor.of(Shape.of(count, 1, 1, plane), x), 1, new int[count]));
            assertEquals(mean, learnt.mean().get(0), 1e-4);
            double deviation = Math.sqrt(squares / x.length);
            assertEquals(deviation > 0 ? deviation : 1, learnt.deviation().get(0), 1e-6);
        }
    }

    @Test
    void itsTextGivesEveryBitBack() {
        Map<String, String> saved =
                new HashMap<>(Map.of("author", "a", "normalization.", "odd", "normalization.mean", ""));
        Map<String, Normalization> expected = new HashMap<>();
        Philox random = new Philox(1, 0);
        for (int i = 0; i < 50; i++) {
            List<Float> mean = List.of(random.normal(3L * i), Float.MIN_VALUE * i, 0.1f);
            Normalization n = new Normalization(mean, List.of(Float.MAX_VALUE, 1 / 3f, random.uniform(200 + i) + 0.5f));
            saved.putAll(n.toMap("field." + i));
            expected.put("field." + i, n);
        }
        assertEquals(expected, Normalization.fromMap(saved));
        assertEquals(
                Map.of("normalization.x.mean", "0.5 -1.0", "normalization.x.deviation", "2.0 3.0"),
                new Normalization(List.of(0.5f, -1f), List.of(2f, 3f)).toMap("x"));
        assertEquals(Map.of(), Normalization.fromMap(Map.of("normalization.mean", "1")));
        Normalization none = new Normalization(List.of(), List.of());
        assertEquals(Map.of("x", none), Normalization.fromMap(none.toMap("x")));
    }

    @Test
    void damagedTextIsNamed() {
        Map<String, String> whole = Normalization.of(1, 2).toMap("x");
        for (String key : whole.keySet()) {
            Map<String, String> less = new HashMap<>(whole);
            less.remove(key);
            assertDamaged("normalization.x: " + key + " is missing", less);
            for (String text : List.of("one", "1  2", " ", "1,2")) {
                Map<String, String> other = new HashMap<>(whole);
                other.put(key, text);
                String part = text.isBlank() || text.equals("1  2") ? "" : text;
                assertDamaged("normalization.x: " + key + " has \"" + part + "\" where a number is needed", other);
            }
        }
        Map<String, String> zero = new HashMap<>(whole);
        zero.put("normalization.x.deviation", "0.0");
        assertDamaged(
                "normalization.x: channel 0 has mean 1.0 and deviation 0.0, but a finite mean and a positive deviation"
                        + " are needed",
                zero);
    }

    private static void assertDamaged(String message, Map<String, String> text) {
        assertEquals(
                message,
                assertThrows(IllegalArgumentException.class, () -> Normalization.fromMap(text))
                        .getMessage());
    }

    @Test
    void severalFieldsAreEachNormalised() {
        Dataset data = Dataset.of(Tensor.of(Shape.of(2, 1), 1f, 3), Tensor.of(Shape.of(2), 10f, 50));
        Map<String, Normalization> learnt =
                Map.of("x", Normalization.learn(data), "target", Normalization.learn(data, "target"));
        assertEquals(Normalization.of(30, 20), learnt.get("target"));
        assertEquals(
                Batch.of(Tensor.of(Shape.of(2, 1), -1f, 1), Tensor.of(Shape.of(2), -1f, 1)),
                data.normalized(learnt).batch(0, 1));
    }

    @Test
    void whatDoesNotFitIsRefused() {
        Dataset three = Dataset.of(Tensor.of(Shape.of(1, 3), 1f, 2f, 3f), 1, 0);
        assertThrows(IllegalArgumentException.class, () -> three.normalized(Normalization.of(0, 1)));
        assertThrows(IllegalArgumentException.class, () -> three.normalized("target", Normalization.of(0, 1)));
        assertThrows(IllegalArgumentException.class, () -> three.normalized("y", Normalization.of(0, 1)));
        assertThrows(IllegalArgumentException.class, () -> Normalization.learn(three.take(0)));
        assertThrows(IllegalArgumentException.class, () -> Normalization.of(0, 0));
        assertThrows(IllegalArgumentException.class, () -> Normalization.of(Float.NaN, 1));
        assertThrows(IllegalArgumentException.class, () -> new Normalization(List.of(1f), List.of()));
    }
}
