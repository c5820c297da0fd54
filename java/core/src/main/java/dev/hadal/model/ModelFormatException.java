package dev.hadal.model;

import java.io.IOException;

/** A file that is not the model that it should be; the message says where it departs from the format. */
public final class ModelFormatException extends IOException {
    private static final long serialVersionUID = 1L;

    public ModelFormatException(String message) {
        super(message);
    }

    public ModelFormatException(String message, Throwable cause) {
        super(message, cause);
    }
}
