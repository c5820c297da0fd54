package dev.hadal.cli;

/** What keeps a command from its work, in words for whoever gave it; no stack trace is shown. */
final class CommandException extends Exception {

    CommandException(String message) {
        super(message);
    }

    CommandException(String message, Throwable cause) {
        super(message, cause);
    }
}
