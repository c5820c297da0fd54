package dev.hadal.run;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Kernel;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One thing that a run does.
 *
 * @param backend whose kernel it is
 * @param kernel null for a copy between two backends' memories, through the host
 * @param task what it computes; null for a reorder or a copy
 * @param why what the printed plan says of it
 */
record Step(
        Backend backend,
        @Nullable Kernel kernel,
        @Nullable Task task,
        List<Slot> inputs,
        List<Slot> outputs,
        String why) {

    @Override
    public String toString() {
        String layouts = outputs.stream()
                .map(s -> s.layout.toString())
                .distinct()
                .toList()
                .toString();
        return what() + "   -> " + how() + " " + layouts + (task != null && !why.isEmpty() ? " (" + why + ")" : "");
    }

    /** The nodes; or why a reorder or a copy is there, below the nodes' numbers. */
    String what() {
        return task == null ? "     " + why : task.toString();
    }

    /** What runs. */
    String how() {
        return kernel == null ? "copy through the host" : backend.name() + " " + kernel.implementation();
    }
}
