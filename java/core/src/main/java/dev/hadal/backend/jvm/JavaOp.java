package dev.hadal.backend.jvm;

import dev.hadal.graph.Op;

/**
 * An op that brings its own Java kernel: how ops are written outside Hadal. Backends that do not know it leave it to
 * Java, so it runs everywhere. A saved network holds it if there is a {@link dev.hadal.model.SavedOp.Provider} for it.
 */
public interface JavaOp extends Op {

    /**
     * Computes every value of the results. Several threads may call it at once, for different values, so it keeps no
     * state.
     *
     * @param in the operands, which it must not change
     * @param out the results, of unknown content
     */
    void compute(Span[] in, Span[] out);
}
