package dev.hadal.train;

import java.io.PrintStream;

/** Told how training goes. */
public interface Listener {

    /** After each step. {@code samples} of {@code total} have been seen in this epoch. */
    default void onStep(int epoch, int epochs, int samples, int total, float loss) {}

    /** After each epoch, with its validation. */
    default void onEpoch(Epoch epoch) {}

    /** A line per epoch. */
    static Listener printing(PrintStream out) {
        return new Listener() {
            @Override
            public void onEpoch(Epoch epoch) {
                out.println(epoch);
            }
        };
    }
}
