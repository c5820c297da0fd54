package dev.hadal.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hadal.cli.Terminal.Colors;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TerminalTest {

    @Test
    void colorsAreWhatTheEnvironmentSays() {
        assertEquals(Colors.TRUE, colors(Map.of("TERM", "xterm-256color", "COLORTERM", "truecolor")));
        assertEquals(Colors.TRUE, colors(Map.of("TERM", "xterm", "COLORTERM", "24bit")));
        assertEquals(Colors.TRUE, colors(Map.of("WT_SESSION", "1")));
        assertEquals(Colors.PALETTE, colors(Map.of("TERM", "screen-256color")));
        assertEquals(Colors.NONE, colors(Map.of("TERM", "vt100")));
        assertEquals(Colors.NONE, colors(Map.of("TERM", "dumb", "COLORTERM", "truecolor")));
        assertEquals(Colors.NONE, colors(Map.of()));
    }

    @Test
    void noColorWinsUnlessEmpty() {
        Map<String, String> full = Map.of("TERM", "xterm-256color", "COLORTERM", "truecolor", "NO_COLOR", "1");
        assertEquals(Colors.NONE, colors(full));
        assertEquals(Colors.PALETTE, colors(Map.of("TERM", "xterm-256color", "NO_COLOR", "")));
    }

    @Test
    void aFileOrPipeHasNoColors() {
        assertEquals(Colors.NONE, Terminal.colors(false, Map.of("TERM", "xterm-256color", "COLORTERM", "truecolor")));
    }

    private static Colors colors(Map<String, String> environment) {
        return Terminal.colors(true, environment);
    }
}
