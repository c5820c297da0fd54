package dev.hadal.train;

/**
 * Ends training when a number no longer improves: {@code EarlyStopping.on("val_loss").patience(3)}. A number that is NaN
 * is no improvement.
 *
 * @param monitor the name of a number of {@link Epoch}: {@code loss} or a metric's name, behind {@code val_} for the
 *     validation data. Whether more is better is known from the metric
 * @param patience how many epochs in a row may pass without an improvement
 * @param minimalImprovement by how much the number must be better than the best so far to count as better
 * @param restoreBest whether the weights, their averages and the state of the best epoch are put back in the end, however training ends
 *     but by an exception. The optimizer's moments stay as they are
 */
public record EarlyStopping(String monitor, int patience, double minimalImprovement, boolean restoreBest) {

    public EarlyStopping {
        if (patience < 1 || !(minimalImprovement >= 0)) {
            throw new IllegalArgumentException("early stopping takes a patience of at least 1 epoch and a minimal"
                    + " improvement of at least 0, not " + patience + " and " + minimalImprovement);
        }
    }

    /** After one epoch without any improvement; the weights stay as they are. */
    public static EarlyStopping on(String monitor) {
        return new EarlyStopping(monitor, 1, 0, false);
    }

    public EarlyStopping patience(int epochs) {
        return new EarlyStopping(monitor, epochs, minimalImprovement, restoreBest);
    }

    public EarlyStopping minimalImprovement(double least) {
        return new EarlyStopping(monitor, patience, least, restoreBest);
    }

    /** Puts the best epoch's weights back in the end. */
    public EarlyStopping restoringBest() {
        return new EarlyStopping(monitor, patience, minimalImprovement, true);
    }
}
