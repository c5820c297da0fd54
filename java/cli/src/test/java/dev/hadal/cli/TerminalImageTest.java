package dev.hadal.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.hadal.cli.Terminal.Colors;
import java.util.List;
import org.junit.jupiter.api.Test;

class TerminalImageTest {
    /** Black to white, left to right; the odd row below is white. */
    private static final TerminalImage SLOPE = new TerminalImage(10, 3, slope(), "bag", "bag");

    private static final TerminalImage DARK = new TerminalImage(10, 3, new float[30], "coat", "sneaker");

    private static float[] slope() {
        float[] grey = new float[30];
        for (int i = 0; i < 30; i++) {
            grey[i] = i < 20 ? i % 10 / 9f : 1;
        }
        return grey;
    }

    @Test
    void withoutColorsTwoPixelsAreALetter() {
        assertEquals(
                List.of(" .:-=+*#%@", "++++++++++", "bag / ba ✓", ""),
                TerminalImage.draw(List.of(SLOPE), new Terminal(false, Colors.NONE, true, 80)));
    }

    @Test
    void asManySideBySideAsFit() {
        assertEquals(
                List.of(
                        " .:-=+*#%@   .:-=+*#%@",
                        "++++++++++  ++++++++++", "bag / ba +  bag / ba +", "", "", "", "coat / s x", ""),
                TerminalImage.draw(List.of(SLOPE, SLOPE, DARK), new Terminal(false, Colors.NONE, false, 33)));
    }

    @Test
    void twoPixelsAreTheColorsOfAHalfBlock() {
        TerminalImage picture = new TerminalImage(3, 2, new float[] {0, 1, 1, 0.5f, 0.2f, 0.2f}, "a", "b");
        String esc = "\u001b[";
        assertEquals(
                List.of(
                        esc + "38;2;0;0;0;48;2;128;128;128m▀" + esc + "38;2;255;255;255;48;2;51;51;51m▀▀" + esc + "0m",
                        "a " + esc + "31m✗" + esc + "0m",
                        ""),
                TerminalImage.draw(List.of(picture), new Terminal(true, Colors.TRUE, true, 80)));
        assertEquals(
                List.of(
                        esc + "38;5;16;48;5;244m▀" + esc + "38;5;231;48;5;236m▀▀" + esc + "0m",
                        "a " + esc + "31m✗" + esc + "0m",
                        ""),
                TerminalImage.draw(List.of(picture), new Terminal(true, Colors.PALETTE, true, 80)));
    }

    @Test
    void aPictureHasAllItsPixels() {
        assertThrows(IllegalArgumentException.class, () -> new TerminalImage(2, 2, new float[3], "", ""));
    }
}
