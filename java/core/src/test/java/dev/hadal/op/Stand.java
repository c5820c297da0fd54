package dev.hadal.op;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Memory;
import dev.hadal.backend.Operand;
import dev.hadal.backend.jvm.JvmBackend;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.tensor.DType;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A backend in the memory of the reference, with kernels of a test's own. */
record Stand(String name, Kernels kernels) implements Backend {
    private static final JvmBackend REFERENCE = JvmBackend.reference();

    /** Where its kernels come from; null declines. */
    interface Kernels {
        @Nullable
        Kernel of(Op op, List<Type> in, List<Type> out);
    }

    @Override
    public int rank() {
        return 0;
    }

    @Override
    public Availability availability() {
        return Availability.yes("in tests only");
    }

    @Override
    public Optional<Kernel> prepare(Op op, List<Operand> inputs, List<Type> outputs, int threads) {
        return Optional.ofNullable(
                kernels.of(op, inputs.stream().map(Operand::type).toList(), outputs));
    }

    @Override
    public Kernel reorder(Layout from, Layout to) {
        return REFERENCE.reorder(from, to);
    }

    @Override
    public String pool(DType dtype) {
        return REFERENCE.pool(dtype);
    }

    @Override
    public Memory allocate(String pool, long bytes) {
        return REFERENCE.allocate(pool, bytes);
    }
}
