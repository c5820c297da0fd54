package dev.hadal.data;

import dev.hadal.tensor.Shape;
import java.util.List;

/**
 * A text to learn to continue, character by character. Sample i is the i-th window of T characters, and its target the
 * same window one character on:
 *
 * <pre>
 *   x[t] = text[i·T + t]      target[t] = text[i·T + t + 1]      both i32 [T]
 * </pre>
 *
 * What does not fill a last window is left out.
 */
public final class Characters implements Dataset {
    private final int[] text;
    private final int window;
    private final Vocabulary vocabulary;
    private final List<Field> fields;

    /**
     * @param window T
     * @throws IllegalArgumentException if the text has a character that the vocabulary has not
     */
    public Characters(String text, int window, Vocabulary vocabulary) {
        if (window < 1 || vocabulary.size() < 1) {
            throw new IllegalArgumentException("windows of " + window + " characters, of a vocabulary of "
                    + vocabulary.size() + "; at least 1 of each is needed");
        }
        this.text = vocabulary.encode(text);
        this.window = window;
        this.vocabulary = vocabulary;
        Shape shape = Shape.of(window);
        this.fields =
                List.of(Field.labels(X, shape, vocabulary.size()), Field.labels(TARGET, shape, vocabulary.size()));
    }

    /** With the characters of this text as its vocabulary. Give that to the text to test with. */
    public static Characters of(String text, int window) {
        return new Characters(text, window, Vocabulary.of(text));
    }

    public Vocabulary vocabulary() {
        return vocabulary;
    }

    @Override
    public int size() {
        return Math.max(0, text.length - 1) / window;
    }

    @Override
    public List<Field> fields() {
        return fields;
    }

    @Override
    public void read(int index, Row row) {
        row.copy(X, text, index * window);
        row.copy(TARGET, text, index * window + 1);
    }
}
