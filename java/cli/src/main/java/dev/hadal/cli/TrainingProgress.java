package dev.hadal.cli;

import dev.hadal.train.Epoch;
import dev.hadal.train.Listener;
import dev.hadal.train.Progress;
import java.io.PrintStream;
import java.util.Locale;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/** A line for each epoch, with all that was measured, and where someone watches a bar while it runs. */
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
    public void onStep(Progress progress) {
        if (!terminal.interactive()) {
            return;
        }
        int samples = progress.samples();
        long now = System.nanoTime();
        if (bar == null) {
            bar = bar("epoch " + progress.epoch() + "/" + progress.epochs(), progress.samplesPerEpoch());
            start = now;
            samplesAtStart = samples;
        } else if (now - lastUpdate < UPDATE_MILLIS * 1_000_000L && samples < progress.samplesPerEpoch()) {
            return;
        }
        lastUpdate = now;
        bar.stepTo(samples);
        double seconds = (now - start) * 1e-9;
        String speed = seconds == 0
                ? ""
                : String.format(Locale.ROOT, "%.0f samples/s  ", (samples - samplesAtStart) / seconds);
        bar.setExtraMessage(speed
                + String.format(Locale.ROOT, "loss %.4f", progress.trainer().loss()));
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
    public void onEpoch(Progress progress, Epoch epoch) {
        close();
        out.println(epoch);
    }

    @Override
    public void onTrainEnd(Progress progress) {
        close();
        if (progress.stopReason() != null) {
            out.println("stopped: " + progress.stopReason());
        }
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
