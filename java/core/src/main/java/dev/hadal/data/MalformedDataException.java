package dev.hadal.data;

import java.io.IOException;

/** A data file is not what it claims to be; the message names the file, what was expected, and what came. */
public final class MalformedDataException extends IOException {

    MalformedDataException(String file, String problem) {
        super(file + ": " + problem);
    }

    MalformedDataException(String file, String problem, Throwable cause) {
        super(file + ": " + problem, cause);
    }
}
