package dev.hadal.train;

import dev.hadal.run.Session.NonFinite;
import java.util.Optional;

/**
 * The loss or a gradient became NaN or infinite. The step was not taken: weights, moments and state are unchanged. The
 * message names the first node at which it arose.
 */
public final class NonFiniteException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final String path;

    NonFiniteException(String what, Optional<NonFinite> first, long step, double rate) {
        super(what + " at step " + step + ", at learning rate " + rate
                + first.map(f -> "; first " + f.value() + " in "
                                + (f.path().isEmpty() ? "" : "layer " + f.path() + ": ") + f.what())
                        .orElse("")
                + "; nothing of this step was kept. Lower the rate, warm up longer, or clip by global norm");
        path = first.map(NonFinite::path).orElse("");
    }

    /** The path of the layer in which it arose first; empty outside any layer. */
    public String path() {
        return path;
    }
}
