package dev.hadal.train;

import static dev.hadal.nn.Layers.conv1d;
import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.convTranspose2d;
import static dev.hadal.nn.Layers.flatten;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.reshape;
import static dev.hadal.nn.Layers.tanh;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.data.Batch;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.model.Model;
import dev.hadal.nn.Init;
import dev.hadal.nn.Layer;
import dev.hadal.nn.Network;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class LsuvTest {
    private static final Backends JAVA = Backends.of("java");
    private static final Shape SAMPLE = Shape.of(3, 8, 8);

    /** Every kind of layer that has a weight to scale, and twenty linear ones through which signals would vanish. */
    private static List<Layer> layers() {
        List<Layer> layers = new ArrayList<>(List.of(
                conv2d(8, 3).padded().init(Init.orthogonal()),
                relu(),
                convTranspose2d(4, 2).stride(2),
                tanh(),
                reshape(4, 256),
                conv1d(6, 3).stride(4),
                relu(),
                flatten()));
        for (int i = 0; i < 20; i++) {
            layers.add(linear(32).init(i % 2 == 0 ? Init.normal(0, 0.02f) : Init.kaimingUniform()));
            layers.add(relu());
        }
        return layers;
    }

    /** One output for each of the layers. */
    private static final Network ALL = (scope, inputs) -> {
        Map<String, Value> outputs = new LinkedHashMap<>();
        Value y = Objects.requireNonNull(inputs.get("x"));
        int i = 0;
        for (Layer layer : layers()) {
            y = scope.call("l" + i, layer, y);
            outputs.put("l" + i++, y);
        }
        return outputs;
    };

    private static Tensor samples(int n, float scale) {
        Philox random = new Philox(5, 0);
        float[] x = new float[n * SAMPLE.size()];
        for (int i = 0; i < x.length; i++) {
            x[i] = 3 + scale * random.normal(i);
        }
        return Tensor.of(SAMPLE.prepend(n), x);
    }

    private static double variance(float[] values) {
        double mean = 0, square = 0;
        for (float v : values) {
            mean += (double) v / values.length;
            square += (double) v * v / values.length;
        }
        return square - mean * mean;
    }

    @Test
    void everyLayerGivesUnitVariance() {
        Model model = ALL.model(Map.of("x", Type.f32(SAMPLE)), 1);
        Tensor x = samples(64, 2);
        Model scaled = Lsuv.apply(model, Batch.of(Map.of("x", x)), JAVA);
        assertEquals(model.graph().toString(), scaled.graph().toString());
        try (Predictor before = Predictor.of(model, JAVA);
                Predictor after = Predictor.of(scaled, JAVA)) {
            Map<String, Tensor> was = before.predict(Map.of("x", x)), is = after.predict(Map.of("x", x));
            int weighted = 0;
            for (String name : model.values().keySet()) {
                String layer = name.substring(0, name.indexOf('.'));
                float[] old = Objects.requireNonNull(model.values().get(name)).floats();
                float[] now = Objects.requireNonNull(scaled.values().get(name)).floats();
                if (name.endsWith("weight")) {
                    weighted++;
                    assertEquals(
                            1, variance(Objects.requireNonNull(is.get(layer)).floats()), 1e-3, layer);
                    double factor = now[0] / old[0];
                    for (int i = 0; i < now.length; i++) {
                        assertEquals(factor * old[i], now[i], 1e-5 * Math.abs(now[i]), name);
                    }
                } else {
                    assertEquals(model.values().get(name), scaled.values().get(name), name);
                }
            }
            assertEquals(23, weighted);
            assertTrue(variance(Objects.requireNonNull(was.get("l46")).floats()) < 1e-6, "too easy");
        }
    }

    @Test
    void aWeightThatGivesNothingStays() {
        Model model = linear(3).init(Init.zeros()).model(Shape.of(2), 1);
        Batch sample = Batch.of(Map.of("x", Tensor.of(Shape.of(2, 2), 1f, 2, 3, 4)));
        assertEquals(model.values(), Lsuv.apply(model, sample, JAVA).values());
    }

    @Test
    void whatDoesNotFitIsTold() {
        Model model = linear(3).model(Shape.of(2), 1);
        assertTells("'weight' in", model, Tensor.of(Shape.of(2, 2), 1f, Float.NaN, 3, 4));
        assertTells("takes", model, Tensor.of(Shape.of(2, 1), 1f, 2));
    }

    private static void assertTells(String words, Model model, Tensor x) {
        String message = String.valueOf(assertThrows(
                        IllegalArgumentException.class, () -> Lsuv.apply(model, Batch.of(Map.of("x", x)), JAVA))
                .getMessage());
        assertTrue(message.contains(words), message);
    }
}
