package dev.hadal.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.hadal.cli.Table.Column;
import java.util.List;
import org.junit.jupiter.api.Test;

class TableTest {

    @Test
    void wordsGoLeftAndNumbersRight() {
        Table table = new Table(
                Column.words("operation"),
                Column.words("size"),
                Column.numbers("onednn", "ms"),
                Column.numbers("java", "ms"));
        table.row("GEMM", "1024×1024", 15.625, 31.25);
        table.row("convolution", "3×3", 0.5, 1234.0);
        table.row("AdamW", "1,000,000", Double.NaN, 2.0);
        assertEquals(
                List.of(
                        "operation     size        onednn   java",
                        "                              ms     ms",
                        "---------------------------------------",
                        "GEMM          1024×1024     15.6   31.3",
                        "convolution   3×3          0.500   1234",
                        "AdamW         1,000,000        -   2.00"),
                table.lines());
    }

    @Test
    void withoutUnitsThereIsNoLineForThem() {
        Table table = new Table(Column.words("a"), Column.words("bc"));
        table.row("def", "g");
        assertEquals(List.of("a     bc", "--------", "def   g"), table.lines());
    }

    @Test
    void numbersHaveThreeDigitsThatCount() {
        assertEquals("0.001", Table.number(0.001234));
        assertEquals("0.999", Table.number(0.9994));
        assertEquals("1.00", Table.number(0.9996));
        assertEquals("9.99", Table.number(9.994));
        assertEquals("10.0", Table.number(9.996));
        assertEquals("99.9", Table.number(99.94));
        assertEquals("100", Table.number(99.96));
        assertEquals("-12.3", Table.number(-12.34));
        assertEquals("0.00", Table.number(0));
        assertEquals("-", Table.number(Double.NaN));
    }

    @Test
    void aRowOfAnotherLengthIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> new Table(Column.words("a")).row("b", "c"));
    }
}
