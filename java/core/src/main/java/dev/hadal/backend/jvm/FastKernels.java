package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import java.util.List;
import java.util.Optional;

/** The fast pure-Java kernels. */
final class FastKernels {

    /** What they run on, for the log. */
    static String detail() {
        return "pure Java";
    }

    static Optional<Kernel> prepare(Op op, List<Type> in, List<Type> out, int threads) {
        return Optional.empty();
    }

    private FastKernels() {}
}
