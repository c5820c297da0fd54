package dev.hadal.data;

import java.util.List;

/** One or the other, by a fair coin. */
record Either(BatchAugmentation one, BatchAugmentation other) implements BatchAugmentation {

    @Override
    public List<Field> fields(List<Field> fields) {
        List<Field> first = one.fields(fields), second = other.fields(fields);
        if (!first.equals(second)) {
            throw new IllegalArgumentException(
                    "two batch augmentations that give the same fields are needed, got " + first + " and " + second);
        }
        return first;
    }

    @Override
    public void apply(Batch in, Batch out, Draws draws) {
        (draws.below(2) == 0 ? one : other).apply(in, out, draws);
    }
}
