package dev.hadal.backend;

import dev.hadal.graph.Type;
import dev.hadal.tensor.DType;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How a value lies in memory. Only the backend that made a layout can read it, except for {@link Plain}, which all
 * backends share. Layouts are equal when values in them can be exchanged.
 */
public interface Layout {

    /** The logical type. */
    Type type();

    /** The bytes that a value takes, padding included. */
    long bytes();

    /** Values of another type in the same order, with the same padding. */
    Layout as(DType dtype);

    /** Row-major and dense. */
    static Layout plain(Type type) {
        return new Plain(type);
    }

    /** The same for several values. */
    static List<Layout> plain(List<Type> types) {
        List<Layout> layouts = new ArrayList<>(types.size());
        for (Type type : types) {
            layouts.add(plain(type));
        }
        return Collections.unmodifiableList(layouts);
    }

    /** Row-major and dense. */
    record Plain(Type type) implements Layout {
        @Override
        public long bytes() {
            return type.bytes();
        }

        @Override
        public Layout as(DType dtype) {
            return new Plain(new Type(dtype, type.shape()));
        }

        // Written out for a fast start, as dev.hadal.graph.Value's.
        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof Plain p && p.type.equals(type);
        }

        @Override
        public int hashCode() {
            return type.hashCode();
        }

        @Override
        public String toString() {
            return "plain";
        }
    }
}
