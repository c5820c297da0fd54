package dev.hadal.nn;

import static dev.hadal.nn.Layers.conv1d;
import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.convTranspose2d;
import static dev.hadal.nn.Layers.linear;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How weights begin: their distributions, and orthogonality. */
class InitTest {
    private static final Shape KERNEL = Shape.of(96, 50, 3, 3);
    private static final double IN = 50 * 9, OUT = 96 * 9;

    /** Mean 0 and variance within 4 standard errors, which are √(1/n) and at most √(2/n) of 43,200 values. */
    private static float[] assertVariance(double expected, Init init) {
        float[] w = init.tensor(KERNEL, 7, "weight").floats();
        double mean = 0, variance = 0;
        for (float v : w) {
            mean += v / w.length;
            variance += (double) v * v / w.length;
        }
        assertEquals(0, mean / Math.sqrt(expected), 4 / Math.sqrt(w.length));
        assertEquals(1, variance / expected, 4 * Math.sqrt(2.0 / w.length));
        return w;
    }

    private static void assertWithin(double bound, float[] values) {
        float largest = 0;
        for (float v : values) {
            largest = Math.max(largest, Math.abs(v));
        }
        assertTrue(largest <= bound * 1.000001 && largest > 0.99 * bound, largest + " of " + bound);
    }

    @Test
    void variancesAreThoseOfThePapers() {
        assertVariance(2 / IN, Init.kaimingNormal());
        assertWithin(Math.sqrt(6 / IN), assertVariance(2 / IN, Init.kaimingUniform()));
        assertVariance(2 / (IN + OUT), Init.xavierNormal());
        assertWithin(Math.sqrt(6 / (IN + OUT)), assertVariance(2 / (IN + OUT), Init.xavierUniform()));
        // Truncated at two deviations: 1 − 2·2·φ(2)/(2·Φ(2) − 1) of the variance.
        double kept = 1 - 4 * Math.exp(-2) / Math.sqrt(2 * Math.PI) / 0.9544997361036416;
        assertWithin(0.04, assertVariance(kept * 0.02 * 0.02, Init.truncatedNormal(0.02f)));
    }

    @Test
    void seedAndNameDecide() {
        for (Init init : List.of(Init.orthogonal(), Init.truncatedNormal(1), Init.kaimingUniform())) {
            Tensor w = init.tensor(Shape.of(8, 8), 1, "a");
            assertEquals(w, init.tensor(Shape.of(8, 8), 1, "a"));
            assertNotEquals(w, init.tensor(Shape.of(8, 8), 2, "a"));
            assertNotEquals(w, init.tensor(Shape.of(8, 8), 1, "b"));
        }
    }

    /** Rounded to f32, with products of at most 450 values: within 2·10⁻⁷. Worst observed: below 10⁻⁷. */
    @ParameterizedTest
    @CsvSource({"1,1,1", "7,7,1", "16,50,9", "96,5,9", "64,64,1", "3,1,1"})
    void rowsOrColumnsAreOrthonormal(int out, int in, int taps) {
        double gain = Math.sqrt(2);
        float[] w = Init.orthogonal((float) gain)
                .tensor(Shape.of(out, in, taps), 3, "weight")
                .floats();
        int columns = in * taps;
        boolean wide = out <= columns;
        int count = wide ? out : columns, length = wide ? columns : out;
        for (int j = 0; j < count; j++) {
            for (int k = 0; k < count; k++) {
                double dot = 0;
                for (int i = 0; i < length; i++) {
                    dot += (double) w[wide ? j * columns + i : i * columns + j]
                            * w[wide ? k * columns + i : i * columns + k];
                }
                assertEquals(j == k ? 1 : 0, dot / 2, 2e-7, j + "·" + k);
            }
        }
    }

    /** Uniform among orthogonal matrices, half of them turn the space over, and each value has mean 0. */
    @Test
    void orthogonalMatricesTakeBothSigns() {
        int positive = 0;
        for (int seed = 0; seed < 400; seed++) {
            float[] w = Init.orthogonal().tensor(Shape.of(2, 2), seed, "w").floats();
            positive += w[0] * w[3] - w[1] * w[2] > 0 ? 1 : 0;
        }
        assertEquals(200, positive, 40);
    }

    @Test
    void vectorsAreNotOrthogonal() {
        String message = String.valueOf(assertThrows(
                        IllegalArgumentException.class, () -> Init.orthogonal().tensor(Shape.of(3), 1, "bias"))
                .getMessage());
        assertTrue(message.contains("two axes, but this one is [3]"), message);
    }

    @Test
    void layersBeginAsTheyAreTold() {
        Init ones = Init.ones();
        assertBegins(linear(2).init(ones), Shape.of(3));
        assertBegins(conv2d(2, 3).init(ones).padded().biased().groups(1).stride(2), Shape.of(3, 5, 5));
        assertBegins(conv1d(2, 3).init(ones).causal().biased(), Shape.of(3, 5));
        assertBegins(convTranspose2d(2, 3).init(ones).stride(2).biased(), Shape.of(3, 5, 5));
    }

    private static void assertBegins(Layer layer, Shape sample) {
        Tensor w = Objects.requireNonNull(layer.model(sample, 1).values().get("weight"));
        assertEquals(Init.ones().tensor(w.shape(), 0, ""), w);
    }
}
