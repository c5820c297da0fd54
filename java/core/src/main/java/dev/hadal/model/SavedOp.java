package dev.hadal.model;

import dev.hadal.graph.Op;
import java.util.List;

/**
 * The form in which a saved network holds an op: its name, its version and the components of its record. A change to
 * the components or to their meaning raises the version. Components may be numbers, booleans, strings, enums, records of
 * such, and lists of such.
 */
public record SavedOp(String name, long version, Class<? extends Record> type) {

    public SavedOp {
        if (!Op.class.isAssignableFrom(type)) {
            throw new IllegalArgumentException(type + " is no op");
        }
    }

    /**
     * Names the saved forms of ops from outside Hadal, found with {@link java.util.ServiceLoader}. Their names need a dot,
     * such as {@code com.example.swish}; their records must be public, in a package that Hadal may look into.
     */
    public interface Provider {
        List<SavedOp> ops();
    }
}
