package dev.hadal.backend;

import dev.hadal.graph.Type;
import dev.hadal.tensor.DType;

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

        @Override
        public String toString() {
            return "plain";
        }
    }
}
