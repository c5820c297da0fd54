package dev.hadal.cli;

import static dev.hadal.nn.Layers.linear;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.cli.Terminal.Colors;
import dev.hadal.data.Dataset;
import dev.hadal.optim.Optimizer;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import dev.hadal.train.Epoch;
import dev.hadal.train.Fit;
import dev.hadal.train.Listener;
import dev.hadal.train.Progress;
import dev.hadal.train.Trainer;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

class TrainingProgressTest {
    private static final Terminal WIDE = new Terminal(true, Colors.NONE, true, 100);

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8);

    @Test
    void aFileGetsOneLineAnEpoch() {
        Epoch epoch = train(new Terminal(false, Colors.NONE, true, 80), Fit.epochs(1));
        assertEquals(epoch + System.lineSeparator(), printed());
    }

    /** Nothing is learned from zeros at rate 0: the loss of two classes remains ln 2. */
    @Test
    void aTerminalSeesABarThatGivesWayToTheLine() {
        Epoch epoch = train(WIDE, Fit.epochs(1));
        String printed = printed();
        assertTrue(printed.contains("epoch 1/1"), printed);
        assertTrue(printed.contains("samples/s  loss 0.6931"), printed);
        assertTrue(printed.contains("█"), printed);
        assertTrue(printed.endsWith(" \r" + epoch + System.lineSeparator()), printed);
        assertEquals(1, printed.chars().filter(c -> c == '\n').count(), printed);
    }

    @Test
    void withoutUnicodeTheBarIsAscii() {
        train(new Terminal(true, Colors.NONE, false, 100), Fit.epochs(1));
        assertFalse(printed().chars().anyMatch(c -> c > 127), printed());
        assertTrue(printed().contains("===>") || printed().contains("===="), printed());
    }

    @Test
    void whyTrainingWasStoppedIsSaid() {
        Listener stop = new Listener() {
            @Override
            public void onStep(Progress progress) {
                progress.stop("it is late");
            }
        };
        train(WIDE, Fit.epochs(2).listener(stop));
        assertTrue(printed().contains("epoch 1/2 (stopped)   loss 0.6931"), printed());
        assertTrue(printed().endsWith("stopped: it is late" + System.lineSeparator()), printed());
    }

    @Test
    void aBarThatWasLeftIsTakenAway() {
        Listener failing = new Listener() {
            @Override
            public void onStep(Progress progress) {
                throw new IllegalStateException("failed");
            }
        };
        assertThrows(
                IllegalStateException.class,
                () -> train(
                        WIDE,
                        Fit.epochs(1).listener(new TrainingProgress(out, WIDE)).listener(failing)));
        assertTrue(printed().endsWith("\r"), printed());
    }

    /** One epoch of ten steps; listeners that {@code how} has already come first. */
    private Epoch train(Terminal terminal, Fit how) {
        Dataset zeros = Dataset.of(Tensor.zeros(DType.F32, Shape.of(640, 1)), 2, new int[640]);
        try (Trainer trainer = Trainer.of(linear(2), Shape.of(1))
                        .optimizer(Optimizer.sgd(0).rate(0))
                        .backends(Backends.of("java"))
                        .build();
                TrainingProgress progress = new TrainingProgress(out, terminal)) {
            List<Epoch> history = trainer.fit(zeros, how.listener(progress));
            return history.get(0);
        }
    }

    private String printed() {
        return bytes.toString(StandardCharsets.UTF_8);
    }
}
