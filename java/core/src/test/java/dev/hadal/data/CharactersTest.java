package dev.hadal.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import org.junit.jupiter.api.Test;

class CharactersTest {

    @Test
    void aTargetIsItsWindowOneCharacterOn() {
        Characters data = Characters.of("abcabcab", 3);
        assertEquals(new Vocabulary("abc"), data.vocabulary());
        assertEquals(
                "[x I32[3] of 3 classes, target I32[3] of 3 classes]",
                data.fields().toString());
        assertEquals(2, data.size());
        assertEquals(
                Batch.of(Tensor.of(Shape.of(2, 3), 0, 1, 2, 0, 1, 2), Tensor.of(Shape.of(2, 3), 1, 2, 0, 1, 2, 0)),
                data.batch(0, 1));
        try (Batches batches = Batching.of(2).open(data)) {
            batches.startEpoch(0);
            assertEquals(data.batch(0, 1), batches.next());
        }
    }

    @Test
    void aWindowNeedsOneCharacterMore() {
        assertEquals(0, Characters.of("abc", 3).size());
        assertEquals(1, Characters.of("abcd", 3).size());
        assertEquals(1, Characters.of("abcdef", 3).size());
        assertEquals(2, Characters.of("abcdefg", 3).size());
        assertEquals(0, new Characters("", 3, new Vocabulary("a")).size());
        assertThrows(IllegalArgumentException.class, () -> Characters.of("", 3));
        assertThrows(IllegalArgumentException.class, () -> Characters.of("abc", 0));
    }

    @Test
    void charactersAreCodePointsInOrder() {
        String text = "é𝄞a\né";
        Vocabulary vocabulary = Vocabulary.of(text);
        assertEquals("\naé𝄞", vocabulary.symbols());
        assertEquals(4, vocabulary.size());
        assertEquals(text, vocabulary.decode(vocabulary.encode(text)));
        assertEquals("𝄞𝄞", vocabulary.decode(3, 3));
        assertThrows(IndexOutOfBoundsException.class, () -> vocabulary.decode(4));
        assertThrows(IllegalArgumentException.class, () -> new Vocabulary("aba"));
    }

    @Test
    void otherTextHasTheSameVocabularyOrIsRefused() {
        Characters train = Characters.of("hello", 2);
        assertEquals(
                Tensor.of(Shape.of(1, 2), 3, 2),
                new Characters("oleh", 2, train.vocabulary()).batch(0).x());
        assertEquals(
                "character 1 is U+0061, which is not among the 4 of this vocabulary",
                assertThrows(IllegalArgumentException.class, () -> new Characters("hallo", 2, train.vocabulary()))
                        .getMessage());
    }
}
