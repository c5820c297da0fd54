package dev.hadal.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.cli.Terminal.Colors;
import dev.hadal.train.Epoch;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class TrainingProgressTest {
    private static final Epoch EPOCH = new Epoch(1, 2, 0.5, 0.8, Double.NaN, 1e-3, 1.5, 1000);

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8);

    @Test
    void aFileGetsOneLineAnEpoch() {
        train(new Terminal(false, Colors.NONE, true, 80));
        assertEquals(EPOCH + System.lineSeparator(), printed());
    }

    @Test
    void aTerminalSeesABarThatGivesWayToTheLine() {
        train(new Terminal(true, Colors.NONE, true, 100));
        String printed = printed();
        assertTrue(printed.contains("epoch 1/2"), printed);
        assertTrue(printed.contains("images/s  loss 0.2500"), printed);
        assertTrue(printed.contains("█"), printed);
        assertTrue(printed.endsWith(" \r" + EPOCH + System.lineSeparator()), printed);
        assertEquals(1, printed.chars().filter(c -> c == '\n').count(), printed);
        assertTrue(printed.lines().allMatch(l -> l.length() < 100), printed);
    }

    @Test
    void withoutUnicodeTheBarIsAscii() {
        train(new Terminal(true, Colors.NONE, false, 100));
        assertFalse(printed().chars().anyMatch(c -> c > 127), printed());
        assertTrue(printed().contains("===>") || printed().contains("===="), printed());
    }

    @Test
    void aBarThatWasLeftIsTakenAway() {
        try (TrainingProgress progress = new TrainingProgress(out, new Terminal(true, Colors.NONE, true, 80))) {
            progress.onStep(1, 2, 64, 640, 1);
        }
        assertTrue(printed().endsWith("\r"), printed());
    }

    private void train(Terminal terminal) {
        try (TrainingProgress progress = new TrainingProgress(out, terminal)) {
            for (int samples = 64; samples <= 640; samples += 64) {
                progress.onStep(1, 2, samples, 640, samples == 640 ? 0.25f : 2);
            }
            progress.onEpoch(EPOCH);
        }
    }

    private String printed() {
        return bytes.toString(StandardCharsets.UTF_8);
    }
}
