package dev.hadal.examples;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every example, with the seed that it ships with, reaches on its test set the threshold that it declares. */
class ExamplesTest {

    @TempDir
    private Path directory;

    @Test
    void aPerceptronOnATable() throws IOException {
        atLeast(TableMlp.THRESHOLD, TableMlp.run(TableMlp.SEED, file(), System.out));
    }

    @Test
    void aConvolutionalNetworkOnImages() throws IOException {
        atLeast(FashionCnn.THRESHOLD, FashionCnn.run(FashionCnn.SEED, file(), System.out));
    }

    @Test
    void aRecurrentNetworkOnText() throws IOException {
        atMost(CharacterLstm.THRESHOLD, CharacterLstm.run(CharacterLstm.SEED, file(), System.out));
    }

    @Test
    void aTransformerOnText() throws IOException {
        atMost(CharacterTransformer.THRESHOLD, CharacterTransformer.run(CharacterTransformer.SEED, file(), System.out));
    }

    @Test
    void partsOfOnesOwn() throws IOException {
        atLeast(OwnParts.THRESHOLD, OwnParts.run(OwnParts.SEED, file(), System.out));
    }

    private Path file() {
        return directory.resolve("model.safetensors");
    }

    private static void atLeast(double threshold, double score) {
        assertTrue(score >= threshold, "at least " + threshold + " was declared, got " + score);
    }

    private static void atMost(double threshold, double loss) {
        assertTrue(loss <= threshold, "at most " + threshold + " nats were declared, got " + loss);
    }
}
