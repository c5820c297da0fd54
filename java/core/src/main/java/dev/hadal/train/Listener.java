package dev.hadal.train;

import java.io.PrintStream;
import java.nio.file.Path;

/** Told how training goes, on the thread that trains. It may end training by {@link Progress#stop}. */
public interface Listener {

    /** Before the first step. */
    default void onTrainStart(Progress progress) {}

    /** After each step. */
    default void onStep(Progress progress) {}

    /** After each epoch and its validation; also after one that was stopped, if it had a step. */
    default void onEpoch(Progress progress, Epoch epoch) {}

    /** After the last epoch, and also where training ended by an exception: what was opened can be closed here. */
    default void onTrainEnd(Progress progress) {}

    /** A line per epoch. */
    static Listener printing(PrintStream out) {
        return new Listener() {
            @Override
            public void onEpoch(Progress progress, Epoch epoch) {
                out.println(epoch);
            }

            @Override
            public void onTrainEnd(Progress progress) {
                if (progress.stopReason() != null) {
                    out.println("stopped: " + progress.stopReason());
                }
            }
        };
    }

    /**
     * Event files for TensorBoard in that directory: {@code step/loss}, {@code step/rate} and {@code step/gradient_norm}
     * of each step, and each number of an epoch as {@code epoch/…}, by the trainer's count of steps. Each training run
     * writes a file of its own.
     */
    static Listener tensorBoard(Path directory) {
        return new TensorBoardLog(directory);
    }

    /** Curves of all numbers over the epochs, in one HTML page that needs no network; replaced after each epoch. */
    static Listener curves(Path html) {
        return new HistoryFile(html, CurvesPage::html);
    }

    /** A table of all numbers, a line per epoch; replaced after each epoch. */
    static Listener csv(Path file) {
        return new HistoryFile(file, HistoryFile::csv);
    }
}
