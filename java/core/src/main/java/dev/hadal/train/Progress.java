package dev.hadal.train;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Where training stands. What a {@link Listener} gets is always the same object: it shows the present. */
public final class Progress {
    private final Trainer trainer;
    private final int epochs;
    private final int samplesPerEpoch;
    private final List<Epoch> history = new ArrayList<>();
    private int epoch;
    private int samples;
    private @Nullable String stopReason;
    private long start;
    private long plannedSteps;

    Progress(Trainer trainer, int epochs, int samplesPerEpoch) {
        this.trainer = trainer;
        this.epochs = epochs;
        this.samplesPerEpoch = samplesPerEpoch;
    }

    void plan(long firstStep, long steps) {
        start = firstStep;
        plannedSteps = steps;
    }

    void startEpoch(int number) {
        epoch = number;
        samples = 0;
    }

    void sawSamples(int count) {
        samples += count;
    }

    void add(Epoch ended) {
        history.add(ended);
    }

    /** The one that trains; its loss, rate and gradient norm are those of the last step. */
    public Trainer trainer() {
        return trainer;
    }

    /** The epoch that runs, or ran last, from 1 on; 0 before the first. */
    public int epoch() {
        return epoch;
    }

    /** How many epochs there will be, unless training is stopped. */
    public int epochs() {
        return epochs;
    }

    /** How many steps have been taken, those before it was resumed included. */
    public long step() {
        return trainer.steps() - start;
    }

    /** How many steps there will be, unless training is stopped. */
    public long plannedSteps() {
        return plannedSteps;
    }

    /** How many samples of this epoch have been seen. */
    public int samples() {
        return samples;
    }

    public int samplesPerEpoch() {
        return samplesPerEpoch;
    }

    /** The epochs that have ended. */
    public List<Epoch> history() {
        return Collections.unmodifiableList(history);
    }

    /**
     * Asks for an end after what runs: this step, or this epoch. A second reason does not replace the first.
     *
     * @param reason a few words for whoever wonders
     */
    public void stop(String reason) {
        stopReason = stopReason == null ? reason : stopReason;
    }

    /** Why training ends, or ended, early; null if it does not. */
    public @Nullable String stopReason() {
        return stopReason;
    }
}
