package dev.hadal.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.compress.Compressed;
import dev.hadal.compress.Compressed.Candidate;
import dev.hadal.compress.Compressed.Layer;
import dev.hadal.compress.Cost;
import dev.hadal.model.Model;
import dev.hadal.nn.Layers;
import dev.hadal.tensor.Shape;
import java.io.StringReader;
import java.util.List;
import java.util.Map;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.xml.sax.InputSource;

class CompressionPageTest {
    private static final Model MODEL = Layers.linear(2).model(Shape.of(3), 1);

    private static final Compressed COMPRESSED = new Compressed(
            MODEL,
            "accuracy",
            0.005,
            List.of(
                    new Candidate("as it was", new Cost(0.9, 4096, 2048, 3072, 300e-6, 400e-6), true),
                    new Candidate("half of <x> & int8", new Cost(0.88, 700, 600, 1500, 80e-6, 90e-6), false),
                    new Candidate("int8", new Cost(0.8975, 1024, 1000, 2048, 100e-6, 120e-6), true)),
            2,
            List.of(new Layer("0", "[16,8]", "[8,8]", "s8", 512, 64, 0.01, Double.NaN)));

    @Test
    void tablesTellWhatWasTriedAndWhatBecameOfTheLayers() {
        String candidates =
                String.join("\n", CompressionTables.candidates(COMPRESSED).lines());
        assertTrue(candidates.contains("half of <x> & int8, beyond the budget"), candidates);
        assertTrue(
                candidates.matches("(?s).*int8, chosen +89\\.75 +0\\.25 +1\\.00 +0\\.977 +2\\.00 +100 +120.*"),
                candidates);
        String layers = String.join("\n", CompressionTables.layers(COMPRESSED).lines());
        assertTrue(layers.matches("(?s).*0 +\\[16,8] +\\[8,8] +s8 +512 +64 +1\\.00 +-.*"), layers);
    }

    @Test
    void thePageIsWellFormedAndNeedsNothingElse() throws Exception {
        String page = CompressionPage.of(COMPRESSED, Map.of("machine", "a & b"));
        Document document = DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(new InputSource(new StringReader(page.replace("<!DOCTYPE html>", ""))));
        assertEquals(2, document.getElementsByTagName("svg").getLength(), "over latency, and over size");
        assertEquals(6, document.getElementsByTagName("circle").getLength(), "a dot for each model in each");
        assertEquals(2, document.getElementsByTagName("table").getLength());
        assertTrue(page.contains("half of &lt;x&gt; &amp; int8"), page);
        assertTrue(page.contains("<tr class=\"chosen\"><td>2: int8, chosen</td>"), page);
        assertTrue(!page.contains("http"), "nothing is loaded");
    }
}
