package dev.hadal.train;

import java.io.PrintStream;

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
}
