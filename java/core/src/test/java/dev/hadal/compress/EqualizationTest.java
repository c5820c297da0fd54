package dev.hadal.compress;

import static dev.hadal.nn.Layers.averagePool2d;
import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.gelu;
import static dev.hadal.nn.Layers.globalAveragePool;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.maxPool2d;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.residual;
import static dev.hadal.nn.Layers.sequential;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.model.Model;
import dev.hadal.nn.Layer;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;

class EqualizationTest {
    private static final Shape IMAGE = Shape.of(3, 8, 8);

    private static final Layer BLOCKS = sequential(
            conv2d(8, 3).padded().biased(),
            relu(),
            conv2d(8, 3).padded().depthwise().biased(),
            relu(),
            conv2d(16, 1),
            maxPool2d(2),
            conv2d(16, 3).groups(4).padded().biased(),
            averagePool2d(2),
            relu(),
            conv2d(32, 1).biased(),
            globalAveragePool(),
            linear(12),
            relu(),
            linear(5));

    /** Weights whose channels differ a hundredfold in size, as batch norms leave them once folded. */
    private static Model uneven(Layer network, long seed) {
        Random random = new Random(seed);
        Model model = network.model(IMAGE, seed);
        Map<String, Tensor> values = new LinkedHashMap<>();
        model.values().forEach((name, tensor) -> {
            float[] w = tensor.floats().clone();
            int stride = tensor.shape().sizeFrom(1);
            for (int from = 0; from < w.length; from += stride) {
                double size = Math.pow(10, random.nextDouble() * 2 - 1);
                for (int i = from; i < from + stride; i++) {
                    w[i] = (float) ((tensor.shape().rank() == 1 ? random.nextGaussian() : w[i]) * size);
                }
            }
            values.put(name, Tensor.of(tensor.shape(), w));
        });
        return model.withValues(values);
    }

    private static float[] predict(Model model) {
        float[] x = new float[4 * IMAGE.size()];
        Random random = new Random(7);
        for (int i = 0; i < x.length; i++) {
            x[i] = (float) random.nextGaussian();
        }
        try (Predictor predictor = Predictor.of(model, Backends.of("java"))) {
            return predictor.predict(Tensor.of(IMAGE.prepend(4), x)).floats();
        }
    }

    private static double largest(Model model, String weight, int stride, int channel, int channels) {
        float[] w = Objects.requireNonNull(model.values().get(weight)).floats();
        double largest = 0;
        for (int i = 0; i < w.length; i++) {
            if (i / stride % channels == channel) {
                largest = Math.max(largest, Math.abs(w[i]));
            }
        }
        return largest;
    }

    @Test
    void theNetworkComputesTheSame() {
        Model model = uneven(BLOCKS, 1);
        assertEquals(6, Equalization.pairs(model));
        float[] before = predict(model);
        float[] after = predict(model.apply(new Equalization()));
        double scale = 0;
        for (float v : before) {
            scale = Math.max(scale, Math.abs(v));
        }
        assertArrayEquals(before, after, (float) (1e-4 * scale));
    }

    @Test
    void bothLayersHaveTheSameRangePerChannel() {
        Model model = uneven(BLOCKS, 2).apply(new Equalization());
        for (int c = 0; c < 8; c++) { // first and depthwise; depthwise and pointwise
            double first = largest(model, "0.weight", 27, c, 8), depthwise = largest(model, "2.weight", 9, c, 8);
            double pointwise = largest(model, "4.weight", 1, c, 8);
            assertEquals(1, first / depthwise, 0.02);
            assertEquals(1, depthwise / pointwise, 0.02);
        }
        for (int c = 0; c < 16; c++) { // groups of 4 channels: weight [16,4,3,3]
            float[] w = Objects.requireNonNull(model.values().get("6.weight")).floats();
            double grouped = 0;
            for (int o = c / 4 * 4; o < c / 4 * 4 + 4; o++) {
                for (int k = 0; k < 9; k++) {
                    grouped = Math.max(grouped, Math.abs(w[(o * 4 + c % 4) * 9 + k]));
                }
            }
            assertEquals(1, grouped / largest(model, "4.weight", 8, c, 16), 0.02);
        }
        for (int c = 0; c < 12; c++) { // linear layers: [12,32] and [5,12]
            assertEquals(1, largest(model, "11.weight", 32, c, 12) / largest(model, "13.weight", 1, c, 12), 0.02);
        }
    }

    /** What lies between must be homogeneous, and nothing else may read it. */
    @Test
    void leavesOtherPairsAlone() {
        Layer curved = sequential(conv2d(4, 1), gelu(), conv2d(4, 1));
        assertEquals(0, Equalization.pairs(uneven(curved, 3)));
        Layer read = sequential(conv2d(3, 1), residual(conv2d(3, 1)));
        assertEquals(0, Equalization.pairs(uneven(read, 3)));
        Model model = uneven(curved, 3);
        assertEquals(model.values(), model.apply(new Equalization()).values());
    }

    @Test
    void aChannelOfZerosStays() {
        Model model = uneven(sequential(conv2d(4, 3).biased(), relu(), conv2d(4, 3)), 4);
        float[] w = Objects.requireNonNull(model.values().get("0.weight")).floats();
        java.util.Arrays.fill(w, 27, 54, 0);
        float[] v = Objects.requireNonNull(model.values().get("2.weight")).floats();
        for (int o = 0; o < 4; o++) {
            java.util.Arrays.fill(v, (o * 4 + 2) * 9, (o * 4 + 3) * 9, 0);
        }
        float[] before = predict(model);
        float[] after = predict(model.apply(new Equalization()));
        for (int i = 0; i < before.length; i++) {
            assertTrue(Math.abs(before[i] - after[i]) <= 1e-4 * (1 + Math.abs(before[i])), i + ": " + after[i]);
        }
    }
}
