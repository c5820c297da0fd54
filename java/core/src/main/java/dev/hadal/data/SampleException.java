package dev.hadal.data;

/** Reading or augmenting a sample failed; the cause says why. */
public final class SampleException extends RuntimeException {
    private final int index;

    SampleException(int index, Throwable cause) {
        super("sample " + index + ": " + cause, cause);
        this.index = index;
    }

    /** The sample's index in the data set. */
    public int index() {
        return index;
    }
}
