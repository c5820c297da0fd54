package dev.hadal.backend;

import dev.hadal.graph.Type;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An operand as a kernel is prepared for it: its type, and the layout in which it lies already. A null layout leaves
 * the choice to the kernel, as for a weight that nobody has laid out yet.
 */
public record Operand(Type type, @Nullable Layout layout) {

    public static Operand plain(Type type) {
        return new Operand(type, Layout.plain(type));
    }

    /** The types of several operands. */
    public static List<Type> types(List<Operand> operands) {
        List<Type> types = new ArrayList<>(operands.size());
        for (Operand o : operands) {
            types.add(o.type);
        }
        return Collections.unmodifiableList(types);
    }
}
