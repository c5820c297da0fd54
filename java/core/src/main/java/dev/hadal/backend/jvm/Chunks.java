package dev.hadal.backend.jvm;

import dev.hadal.backend.jvm.simd.Runs;

/** A long array in pieces that fit the nearest caches, each a task. */
final class Chunks {
    private static final int LENGTH = 1 << 13;

    private final int size;
    private final Runs whole = Runs.of(LENGTH);
    private final Runs last;

    Chunks(int size) {
        this.size = size;
        last = Runs.of((size - 1) % LENGTH + 1);
    }

    int count() {
        return (size - 1) / LENGTH + 1;
    }

    int start(int chunk) {
        return chunk * LENGTH;
    }

    int length(int chunk) {
        return runs(chunk).length();
    }

    Runs runs(int chunk) {
        return chunk == count() - 1 ? last : whole;
    }
}
