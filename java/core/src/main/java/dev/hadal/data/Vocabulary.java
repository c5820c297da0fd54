package dev.hadal.data;

import java.util.HashMap;
import java.util.Map;

/**
 * The characters that a text is made of, and a number for each: its place in {@code symbols}. A character is a Unicode
 * code point.
 *
 * @param symbols each character once
 */
public record Vocabulary(String symbols) {

    public Vocabulary {
        if (symbols.codePoints().distinct().count() != symbols.codePoints().count()) {
            throw new IllegalArgumentException("a vocabulary has each character once, unlike \"" + symbols + '"');
        }
    }

    /** The characters of a text, in the order of their code points. */
    public static Vocabulary of(String text) {
        StringBuilder symbols = new StringBuilder();
        text.codePoints().distinct().sorted().forEach(symbols::appendCodePoint);
        return new Vocabulary(symbols.toString());
    }

    /** How many characters. */
    public int size() {
        return symbols.codePointCount(0, symbols.length());
    }

    /**
     * The numbers of a text's characters.
     *
     * @throws IllegalArgumentException if one is not in this vocabulary
     */
    public int[] encode(String text) {
        Map<Integer, Integer> numbers = new HashMap<>();
        symbols.codePoints().forEach(c -> numbers.put(c, numbers.size()));
        int[] characters = text.codePoints().toArray();
        for (int i = 0; i < characters.length; i++) {
            Integer number = numbers.get(characters[i]);
            if (number == null) {
                throw new IllegalArgumentException(String.format(
                        "character %d is U+%04X, which is not among the %d of this vocabulary",
                        i, characters[i], numbers.size()));
            }
            characters[i] = number;
        }
        return characters;
    }

    /**
     * The text of these numbers.
     *
     * @throws IndexOutOfBoundsException if one is none of this vocabulary's
     */
    public String decode(int... numbers) {
        int[] characters = symbols.codePoints().toArray();
        StringBuilder text = new StringBuilder();
        for (int number : numbers) {
            text.appendCodePoint(characters[number]);
        }
        return text.toString();
    }
}
