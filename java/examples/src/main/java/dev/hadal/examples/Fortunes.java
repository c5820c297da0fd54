package dev.hadal.examples;

import dev.hadal.data.Characters;
import dev.hadal.data.Vocabulary;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Objects;
import java.util.Random;

/**
 * Sayings on science, as text to learn to write.
 *
 * @param test every tenth saying
 * @param train all others
 */
record Fortunes(String train, String test, Vocabulary vocabulary) {
    private static final String BETWEEN = "\n%\n";

    static Fortunes read() throws IOException {
        String text;
        try (InputStream in = Objects.requireNonNull(Fortunes.class.getResourceAsStream("fortunes-science.txt"))) {
            // Underlining is a character, a backspace and a line below.
            text = new String(in.readAllBytes(), StandardCharsets.US_ASCII).replaceAll(".\b", "");
        }
        String[] sayings = text.split(BETWEEN, -1);
        StringBuilder train = new StringBuilder(), test = new StringBuilder();
        for (int i = 0; i < sayings.length; i++) {
            (i % 10 == 9 ? test : train).append(sayings[i]).append(BETWEEN);
        }
        return new Fortunes(train.toString(), test.toString(), Vocabulary.of(text));
    }

    Characters train(int window) {
        return new Characters(train, window, vocabulary);
    }

    Characters test(int window) {
        return new Characters(test, window, vocabulary);
    }

    /** The cross-entropy of the test text where only the character before is known. */
    double bigram() {
        return Baselines.bigram(vocabulary.encode(train), vocabulary.encode(test), vocabulary.size());
    }

    /**
     * A text continued by a network, from i32 [1,T] to logits [1,T,symbols], that looks at the last T characters.
     * Characters are drawn from the probabilities that it gives them, sharpened a little.
     */
    String continued(Predictor network, int window, String start, int count, long seed) {
        Random random = new Random(seed);
        int[] text = Arrays.copyOf(vocabulary.encode(start), start.length() + count);
        for (int i = start.length(); i < text.length; i++) {
            int from = Math.max(0, i - window);
            int[] seen = Arrays.copyOfRange(text, from, from + window); // what lies after i is not looked at
            float[] logits =
                    network.predict(Tensor.of(Shape.of(1, window), seen)).floats();
            text[i] = draw(logits, (i - 1 - from) * vocabulary.size(), random);
        }
        return vocabulary.decode(text);
    }

    private int draw(float[] logits, int from, Random random) {
        double[] upTo = new double[vocabulary.size()];
        double sum = 0;
        for (int c = 0; c < upTo.length; c++) {
            upTo[c] = sum += Math.exp(logits[from + c] / 0.7);
        }
        double point = random.nextDouble() * sum;
        int drawn = 0;
        while (drawn < upTo.length - 1 && upTo[drawn] <= point) {
            drawn++;
        }
        return drawn;
    }
}
