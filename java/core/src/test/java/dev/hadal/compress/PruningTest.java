package dev.hadal.compress;

import static dev.hadal.nn.Layers.batchNorm;
import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.convTranspose2d;
import static dev.hadal.nn.Layers.embedding;
import static dev.hadal.nn.Layers.flatten;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.lstm;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.sequential;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.graph.Type;
import dev.hadal.model.Model;
import dev.hadal.nn.Layer;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Which weights are pruned. */
class PruningTest {
    private static final Layer NET =
            sequential(conv2d(6, 3), batchNorm(), relu(), conv2d(33, 2).groups(3), relu(), flatten(), linear(5));
    private static final Model MODEL = NET.model(Shape.of(8, 5, 5), 4);
    private static final List<String> PRUNED = List.of("0.weight", "3.weight", "6.weight");

    private static float[] weight(Model model, String name) {
        return Objects.requireNonNull(model.values().get(name)).floats();
    }

    private static long zeros(float[] values) {
        long zeros = 0;
        for (float v : values) {
            zeros += v == 0 ? 1 : 0;
        }
        return zeros;
    }

    private static long size() {
        return PRUNED.stream().mapToLong(name -> weight(MODEL, name).length).sum();
    }

    // ---- each by itself ----

    @Test
    void theSmallestOfAllWeightsArePruned() {
        for (double share : new double[] {0, 0.013, 0.5, 0.9, 0.999}) {
            Model pruned = MODEL.apply(Pruning.magnitude(share));
            long zeros = PRUNED.stream()
                    .mapToLong(name -> zeros(weight(pruned, name)))
                    .sum();
            assertEquals(Math.round(share * size()), zeros);
            assertEquals((double) zeros / size(), Sparsity.of(pruned).share());
            float largest = 0;
            float smallest = Float.MAX_VALUE;
            for (String name : PRUNED) {
                float[] before = weight(MODEL, name);
                float[] after = weight(pruned, name);
                for (int i = 0; i < before.length; i++) {
                    assertTrue(after[i] == 0 || after[i] == before[i]);
                    largest = after[i] == 0 ? Math.max(largest, Math.abs(before[i])) : largest;
                    smallest = after[i] != 0 ? Math.min(smallest, Math.abs(before[i])) : smallest;
                }
            }
            assertTrue(largest <= smallest, largest + " was pruned, and " + smallest + " was not");
        }
    }

    @Test
    void biasesAndNormsAndEmbeddingsStay() {
        Model pruned = MODEL.apply(Pruning.magnitude(0.5));
        MODEL.values()
                .forEach((name, value) -> assertEquals(
                        PRUNED.contains(name),
                        !value.equals(Objects.requireNonNull(pruned.values().get(name))),
                        name));
        Model words = sequential(embedding(9, 4), lstm(3), linear(2)).model(Type.i32(7), 1);
        assertEquals(
                Set.of("1.weight_ih_l0", "1.weight_hh_l0", "2.weight"),
                Pruning.magnitude(0.5).masks(words).keySet());
    }

    @Test
    void eachLayerLosesItsShare() {
        Model pruned = MODEL.apply(Pruning.magnitude(0.8).perLayer());
        for (String name : PRUNED) {
            assertEquals(Math.round(0.8 * weight(MODEL, name).length), zeros(weight(pruned, name)), name);
        }
    }

    @Test
    void equalWeightsArePrunedInOrder() {
        Map<String, Tensor> values = new HashMap<>(MODEL.values());
        for (String name : PRUNED) {
            float[] ones = weight(MODEL, name).clone();
            Arrays.fill(ones, -1);
            values.put(name, Tensor.of(Objects.requireNonNull(values.get(name)).shape(), ones));
        }
        Model pruned = MODEL.withValues(values).apply(Pruning.magnitude(0.25));
        assertEquals(Math.round(0.25 * size()), Math.round(Sparsity.of(pruned).share() * size()));
        assertEquals(0, weight(pruned, "0.weight")[0]);
    }

    @Test
    void patternsChoose() {
        Pruning some = Pruning.magnitude(0.5)
                .exclude("**")
                .include("3.*")
                .include("6.*")
                .exclude("6.weight");
        assertEquals(Set.of("3.weight"), some.masks(MODEL).keySet());
        assertEquals(Math.round(0.5 * weight(MODEL, "3.weight").length), zeros(weight(MODEL.apply(some), "3.weight")));
    }

    // ---- runs and blocks ----

    /** Two of each four consecutive inputs stay: of a row of a matrix, of a place of a convolution's kernel. */
    @Test
    void ofFourInputsTwoStay() {
        Model pruned = MODEL.apply(Pruning.nOfM(2, 4));
        float[] before = weight(MODEL, "0.weight"); // 6·8·3·3
        float[] after = weight(pruned, "0.weight");
        for (int o = 0; o < 6; o++) {
            for (int at = 0; at < 9; at++) {
                for (int run = 0; run < 2; run++) {
                    int first = (o * 8 + 4 * run) * 9 + at;
                    float[] sizes = new float[4];
                    float smallestLeft = Float.MAX_VALUE;
                    int left = 0;
                    for (int j = 0; j < 4; j++) {
                        sizes[j] = Math.abs(before[first + 9 * j]);
                        left += after[first + 9 * j] != 0 ? 1 : 0;
                        smallestLeft = after[first + 9 * j] != 0 ? Math.min(smallestLeft, sizes[j]) : smallestLeft;
                    }
                    Arrays.sort(sizes);
                    assertEquals(2, left);
                    assertEquals(sizes[2], smallestLeft);
                }
            }
        }
        assertEquals(0, zeros(weight(pruned, "3.weight"))); // of two inputs to each group there are no four
        Model three = MODEL.apply(Pruning.nOfM(1, 3));
        assertEquals(6 * 9 * 2 * 2, zeros(weight(three, "0.weight"))); // of eight inputs two are left over
    }

    /** Blocks of sixteen outputs of one input; what is left over at a group's end is a smaller one. */
    @Test
    void blocksFallAsWholes() {
        Model pruned = MODEL.apply(Pruning.blocks(4, 0.5));
        for (String name : PRUNED) {
            Shape shape = Objects.requireNonNull(MODEL.values().get(name)).shape();
            int outputs = shape.get(0);
            int perGroup = name.equals("3.weight") ? outputs / 3 : outputs;
            int inputs = shape.sizeFrom(1);
            float[] w = weight(pruned, name);
            for (int group = 0; group < outputs; group += perGroup) {
                for (int block = group; block < group + perGroup; block += 4) {
                    for (int i = 0; i < inputs; i++) {
                        int zeros = 0;
                        int end = Math.min(block + 4, group + perGroup);
                        for (int o = block; o < end; o++) {
                            zeros += w[o * inputs + i] == 0 ? 1 : 0;
                        }
                        assertTrue(zeros == 0 || zeros == end - block, name + " has a block of " + zeros + " zeros");
                    }
                }
            }
        }
        assertEquals(0.5, Sparsity.of(pruned).share(), 4.0 / size());
    }

    /** A matrix that is stored [in,out] has its outputs along the last axis, and so has a transposed convolution. */
    @Test
    void outputsAreWhereTheOpHasThem() {
        Model model = sequential(convTranspose2d(8, 2)).model(Shape.of(3, 4, 4), 1); // [3,8,2,2]
        float[] w = weight(model.apply(Pruning.blocks(8, 0.5)), "0.weight");
        for (int in = 0; in < 3; in++) {
            for (int at = 0; at < 4; at++) {
                for (int out = 1; out < 8; out++) {
                    assertEquals(w[in * 32 + at] == 0, w[in * 32 + out * 4 + at] == 0);
                }
            }
        }
        assertEquals(48, zeros(w));
    }

    // ---- when ----

    @Test
    void theShareGrowsByTheCube() {
        Pruning.Ramp ramp = new Pruning.Ramp(10, 20);
        double[] expected = new double[12];
        for (int step = 10; step < 22; step++) {
            double t = (step - 10) / 10.0;
            expected[step - 10] = step == 10 || step > 20 ? Double.NaN : 0.9 * (1 - Math.pow(1 - t, 3));
        }
        double[] given = new double[12];
        Arrays.setAll(given, i -> ramp.share(0.9, 10 + i, 40));
        assertArrayEquals(expected, given, 1e-12);
        assertEquals(0.9, new Pruning.Ramp(0, -1).share(0.9, 50, 100));
        assertTrue(Double.isNaN(new Pruning.Ramp(0, -1).share(0.9, 51, 100)));
        int times = 0;
        for (int step = 0; step <= 10_000; step++) {
            times += Double.isNaN(new Pruning.Ramp(0, 10_000).share(0.9, step, 20_000)) ? 0 : 1;
        }
        assertEquals(100, times);
    }

    @Test
    void whatCannotBeIsRejected() {
        assertThrows(IllegalArgumentException.class, () -> Pruning.magnitude(1));
        assertThrows(IllegalArgumentException.class, () -> Pruning.magnitude(Double.NaN));
        assertThrows(IllegalArgumentException.class, () -> Pruning.nOfM(4, 4));
        assertThrows(IllegalArgumentException.class, () -> Pruning.nOfM(0, 4));
        assertThrows(IllegalArgumentException.class, () -> Pruning.blocks(0, 0.5));
        assertThrows(
                IllegalArgumentException.class, () -> Pruning.magnitude(0.5).cubic(5, 5));
    }

    // ---- what is told ----

    @Test
    void sparsityIsATable() {
        Model pruned = MODEL.apply(Pruning.magnitude(0.5));
        List<String> lines = Sparsity.of(pruned).toString().lines().toList();
        assertEquals(5, lines.size());
        assertTrue(lines.get(4).matches("total +1,356 +678 +50\\.00 %"), lines.get(4));
        assertEquals(Pruning.magnitude(0.5).masks(MODEL), Sparsity.masks(pruned));
    }
}
