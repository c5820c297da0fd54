package dev.hadal.graph;

/** Operands that do not fit an op: the message names the operand, what came, and what was needed. */
public final class TypeException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    public TypeException(String message) {
        super(message);
    }

    TypeException(String message, IllegalArgumentException cause) {
        super(message, cause);
    }
}
