package dev.hadal.data;

import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;

/**
 * One named part of every sample: an image, its class, a weight.
 *
 * @param name unique within a data set
 * @param dtype of the values
 * @param shape of one sample's part, without a batch dimension: [C,H,W] for an image, [] for one number
 * @param classes how many classes there are if the values are class indices, which then lie in 0 … classes − 1; else 0
 */
public record Field(String name, DType dtype, Shape shape, int classes) {

    public Field {
        if (name.isBlank()) {
            throw new IllegalArgumentException("a field needs a name");
        }
        if (dtype != DType.F32 && dtype != DType.I32) {
            throw new IllegalArgumentException("field " + name + " is " + dtype + "; data are F32 or I32");
        }
        if (classes < 0 || (classes > 0 && dtype != DType.I32)) {
            throw new IllegalArgumentException("field " + name + ", " + dtype + shape + ", has " + classes
                    + " classes; I32 and at least 1, or 0 for values that are no class indices, are needed");
        }
    }

    /** Real numbers. */
    public static Field floats(String name, Shape shape) {
        return new Field(name, DType.F32, shape, 0);
    }

    /** Whole numbers that are no class indices. */
    public static Field ints(String name, Shape shape) {
        return new Field(name, DType.I32, shape, 0);
    }

    /** Class indices, 0 … classes − 1. */
    public static Field labels(String name, Shape shape, int classes) {
        if (classes < 1) {
            throw new IllegalArgumentException("at least one class is needed, got " + classes);
        }
        return new Field(name, DType.I32, shape, classes);
    }

    /** "x F32[1,28,28]", "target I32[] of 10 classes". */
    @Override
    public String toString() {
        return name + " " + dtype + shape + (classes > 0 ? " of " + classes + " classes" : "");
    }
}
