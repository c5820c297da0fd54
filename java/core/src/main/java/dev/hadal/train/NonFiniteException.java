package dev.hadal.train;

/** The loss or a gradient became NaN or infinite. The step was not taken: weights, moments and state are unchanged. */
public final class NonFiniteException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    NonFiniteException(String what, long step, double rate) {
        super(what + " at step " + step + ", at learning rate " + rate
                + "; nothing of this step was kept. Lower the rate, warm up longer, or clip by global norm");
    }
}
