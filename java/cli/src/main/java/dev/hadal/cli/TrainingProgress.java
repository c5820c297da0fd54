package dev.hadal.cli;

import dev.hadal.train.Epoch;
import dev.hadal.train.Listener;
import java.io.PrintStream;
import java.util.Locale;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/** A line for each epoch and, where someone watches, a bar while it runs. */
final class TrainingProgress implements Listener, AutoCloseable {
    private static final int UPDATE_MILLIS = 100;

    private final PrintStream out;
    private final Terminal terminal;
    private @Nullable ProgressBar bar;
    private long start;
    private int samplesAtStart;
    private long lastUpdate;

    TrainingProgress(PrintStream out, Terminal terminal) {
        this.out = out;
        this.terminal = terminal;
    }

    @Override
    public void onStep(int epoch, int epochs, int samples, int total, float loss) {
        if (!terminal.interactive()) {
            return;
        }
        long now = System.nanoTime();
        if (bar == null) {
            bar = bar("epoch " + epoch + "/" + epochs, total);
            start = now;
            samplesAtStart = samples;
        } else if (now - lastUpdate < UPDATE_MILLIS * 1_000_000L && samples < total) {
            return;
        }
        lastUpdate = now;
        bar.stepTo(samples);
        double seconds = (now - start) * 1e-9;
        String speed =
                seconds == 0 ? "" : String.format(Locale.ROOT, "%.0f images/s  ", (samples - samplesAtStart) / seconds);
        bar.setExtraMessage(speed + String.format(Locale.ROOT, "loss %.4f", loss));
    }

    private ProgressBar bar(String name, int total) {
        return new ProgressBarBuilder()
                .setTaskName(name)
                .setInitialMax(total)
                .setUpdateIntervalMillis(UPDATE_MILLIS)
                .setStyle(terminal.unicode() ? ProgressBarStyle.UNICODE_BLOCK : ProgressBarStyle.ASCII)
                .setConsumer(new Line(out, terminal.width() - 1))
                .build();
    }

    @Override
    public void onEpoch(Epoch epoch) {
        close();
        out.println(epoch);
    }

    /** Takes the bar away, if training ended before its epoch did. */
    @Override
    public void close() {
        if (bar != null) {
            bar.close();
            bar = null;
            out.print("\r" + " ".repeat(terminal.width() - 1) + "\r");
            out.flush();
        }
    }

    /** The last line of a terminal, which stays that when the bar is closed. */
    private static final class Line extends ConsoleProgressBarConsumer {

        Line(PrintStream out, int width) {
            super(out, width);
        }

        @Override
        public void close() {}
    }
}
