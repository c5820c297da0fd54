package dev.hadal.graph;

import java.util.List;
import java.util.Locale;

/** A value that comes from outside the graph. */
public record Leaf(Role role, String name, Type type) implements Op {

    /** Who provides the value, and how long it lives. */
    public enum Role {
        /** Fresh for every run: images, labels. */
        INPUT,
        /** Trained by an optimizer. */
        WEIGHT,
        /** Read at the start of a run and replaced at its end, never differentiated: running statistics, moments. */
        STATE,
        /** Run-time settings in a small block: the learning rate, the gradient's scale. */
        SCALAR
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public List<Type> infer(List<Type> inputs) {
        return List.of(type);
    }

    @Override
    public String toString() {
        return role.name().toLowerCase(Locale.ROOT) + " " + name;
    }
}
