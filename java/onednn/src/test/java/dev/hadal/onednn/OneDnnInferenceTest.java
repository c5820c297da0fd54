package dev.hadal.onednn;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.model.Model;
import dev.hadal.model.RandomGraphs;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.Tensor;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Networks drawn at random, folded and fused, predict what they should on oneDNN, too. */
@Tag("native")
class OneDnnInferenceTest {
    private static final Backends ONEDNN = Backends.of("onednn").withThreads(1);

    @Test
    void randomNetworks() {
        for (int seed = 0; seed < 150; seed++) {
            Model model = RandomGraphs.model(seed);
            Map<String, Tensor> inputs = RandomGraphs.inputs(model, seed);
            Map<String, double[]> expected = RandomGraphs.exact(model, inputs);
            try (Predictor f32 = Predictor.of(model, ONEDNN);
                    Predictor bf16 = Predictor.bf16(model, ONEDNN)) {
                double error = RandomGraphs.error(expected, RandomGraphs.predicted(f32, inputs));
                assertTrue(error < 1e-5, "seed " + seed + ": f32 is off by " + error);
                double narrow = RandomGraphs.error(expected, RandomGraphs.predicted(bf16, inputs));
                assertTrue(narrow < 0.03, "seed " + seed + ": bf16 is off by " + narrow);
            }
        }
    }
}
