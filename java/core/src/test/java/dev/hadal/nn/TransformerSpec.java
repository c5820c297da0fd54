package dev.hadal.nn;

import static dev.hadal.nn.Layers.attention;
import static dev.hadal.nn.Layers.transformerEncoderLayer;

import dev.hadal.backend.Backends;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Attention and the transformer's encoder layer against PyTorch 1.13, by what scripts/fixtures/attention.py has written:
 * outputs and all gradients, with causal and padding masks.
 */
@Tag("variant")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class TransformerSpec {
    private static final int HEADS = 2, HIDDEN = 7;
    private static final double TOLERANCE = 4e-6;

    private final Fixtures fixtures = Fixtures.read("attention.safetensors");

    /** Where to run; fallback is an error where the backend is to do everything itself. */
    protected abstract Backends backends();

    /** Within 4·10⁻⁶ of each one's largest. Worst observed: 10⁻⁶. */
    @ParameterizedTest
    @ValueSource(strings = {"plain", "causal", "padded", "both"})
    void attentionAgreesWithPyTorch(String masks) {
        Attention layer = causal(masks) ? new Attention(HEADS, true) : attention(HEADS);
        String fixture = "attention_" + masks;
        fixtures.assertAgrees(fixtures.model(layer, layer::apply, fixture), fixture, backends(), TOLERANCE);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "pre_plain",
                "pre_causal",
                "pre_padded",
                "pre_both",
                "post_plain",
                "post_causal",
                "post_padded",
                "post_both"
            })
    void encoderLayersAgreeWithPyTorch(String form) {
        TransformerEncoderLayer layer = transformerEncoderLayer(HEADS, HIDDEN);
        layer = form.startsWith("post") ? layer.postNorm() : layer;
        layer = causal(form) ? layer.masked() : layer;
        String fixture = "encoder_" + form;
        fixtures.assertAgrees(fixtures.model(layer, layer::apply, fixture), fixture, backends(), TOLERANCE);
    }

    private static boolean causal(String masks) {
        return masks.endsWith("causal") || masks.endsWith("both");
    }
}
