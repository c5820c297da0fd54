package dev.hadal.run;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Layout;
import org.jspecify.annotations.Nullable;

/** A place that the plan sets aside for a value, from the step that writes it to the last step that reads it. */
final class Slot {
    static final int BEFORE = -1;
    static final int AFTER = Integer.MAX_VALUE;

    final Backend backend;
    final Layout layout;
    /** The name under which a {@link Store} holds this place; null for a place in the session's own memory. */
    @Nullable
    String stored;

    private int first;
    private int last;
    private long offset;
    private @Nullable Slot over;

    Slot(Backend backend, Layout layout, int first) {
        this.backend = backend;
        this.layout = layout;
        this.first = first;
        this.last = first;
    }

    /** This place is that of the operand that it takes over. */
    void takeOver(Slot operand) {
        over = operand;
        operand.usedUntil(last);
    }

    /** The place itself, however many results took it over. */
    Slot root() {
        return over == null ? this : over.root();
    }

    void usedUntil(int step) {
        Slot root = root();
        root.last = Math.max(root.last, step);
    }

    void usedFrom(int step) {
        Slot root = root();
        root.first = Math.min(root.first, step);
    }

    boolean overlaps(Slot other) {
        return first <= other.last && other.first <= last;
    }

    String pool() {
        return backend.pool(layout.type().dtype());
    }

    long offset() {
        return root().offset;
    }

    void place(long at) {
        offset = at;
    }
}
