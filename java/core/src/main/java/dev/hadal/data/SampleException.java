package dev.hadal.data;

/** Reading or augmenting a sample, or augmenting a batch, failed; the cause says why. */
public final class SampleException extends RuntimeException {
    private final int index;

    SampleException(int index, Throwable cause) {
        super("sample " + index + ": " + cause, cause);
        this.index = index;
    }

    SampleException(Throwable cause) {
        super("augmenting a batch: " + cause, cause);
        this.index = -1;
    }

    /** The sample's index in the data set; −1 if it was the augmentation of a whole batch that failed. */
    public int index() {
        return index;
    }
}
