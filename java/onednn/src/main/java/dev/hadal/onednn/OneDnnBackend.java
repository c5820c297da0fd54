package dev.hadal.onednn;

import dev.hadal.backend.Backend;
import dev.hadal.backend.ChainKernel;
import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Memory;
import dev.hadal.backend.Operand;
import dev.hadal.graph.Fused;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.op.Dequantize;
import dev.hadal.op.Gather;
import dev.hadal.op.Mixed;
import dev.hadal.op.Move;
import dev.hadal.op.Norm;
import dev.hadal.op.Quantize;
import dev.hadal.op.Quantized;
import dev.hadal.op.ScatterAdd;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** oneDNN on the CPU, with libhadal for what it lacks. */
public final class OneDnnBackend implements Backend {

    /** For {@link java.util.ServiceLoader}. */
    public OneDnnBackend() {}

    @Override
    public String name() {
        return "onednn";
    }

    @Override
    public int rank() {
        return 100;
    }

    @Override
    public Availability availability() {
        try {
            return Library.availability();
        } catch (LinkageError e) {
            return Availability.no("org.bytedeco:javacpp or org.bytedeco:dnnl is missing from the class path: " + e);
        }
    }

    @Override
    public Optional<Kernel> prepare(Op op, List<Operand> inputs, List<Type> outputs, int threads) {
        Optional<Kernel> kernel = direct(op, inputs, outputs, threads);
        if (kernel.isEmpty() && quantizes(op, inputs, outputs)) {
            List<Type> types = inputs.stream().map(Operand::type).toList();
            Quantized q = op instanceof Quantized own ? own : Quantized.plain(op, types, outputs);
            return ChainKernel.prepare(this, q.before(), q.op(), q.after(), inputs, threads);
        }
        if (kernel.isEmpty() && Mixed.inner(op) instanceof Fused chain) {
            return ChainKernel.prepare(this, Mixed.apart(chain, Operand.types(inputs), outputs), inputs, threads);
        }
        return kernel;
    }

    /** Whether an op on bytes can be computed between conversions. */
    private static boolean quantizes(Op op, List<Operand> inputs, List<Type> outputs) {
        return !(op instanceof Quantize)
                && !(op instanceof Dequantize)
                && !(op instanceof Fused)
                && Stream.concat(inputs.stream().map(Operand::type), outputs.stream())
                        .anyMatch(t -> t.dtype().isByte());
    }

    @Override
    public Optional<Kernel> fuse(Fused chain, List<Operand> inputs, List<Type> outputs, int threads) {
        return direct(chain, inputs, outputs, threads);
    }

    private static Optional<Kernel> direct(Op op, List<Operand> inputs, List<Type> outputs, int threads) {
        List<Type> types = inputs.stream().map(Operand::type).toList();
        if (!op.infer(types).equals(outputs)) {
            throw new IllegalArgumentException(op + " of " + types + " gives " + op.infer(types) + ", not " + outputs);
        }
        if (op instanceof Quantized && types.stream().anyMatch(t -> t.shape().size() == 0)) {
            return Optional.empty(); // zero is no zero byte
        }
        if (!takesNothing(op) && types.stream().anyMatch(t -> t.shape().size() == 0)) {
            return Mixed.inner(op) instanceof Fused ? Optional.empty() : Optional.of(CopyKernels.zeros(types, outputs));
        }
        // oneDNN cuts the work for the threads that the preparing thread may use.
        Library.get().useThreads(threads);
        try (Descriptors descriptors = new Descriptors()) {
            return KernelTable.prepare(Mixed.inner(op), new Request(inputs, outputs, descriptors));
        } catch (Status.UnimplementedException e) {
            return Optional.empty();
        } catch (IllegalStateException e) {
            throw new IllegalStateException("no kernel for " + op + " of " + text(inputs) + ": " + e.getMessage(), e);
        }
    }

    /** Whether an op makes more than zeros of operands without elements. */
    private static boolean takesNothing(Op any) {
        Op op = Mixed.inner(any);
        return op instanceof Norm
                || op instanceof Move.Only
                || op instanceof Gather
                || op instanceof Gather.Backward
                || op instanceof ScatterAdd;
    }

    private static String text(List<Operand> operands) {
        return operands.stream()
                .map(o -> o.type() + (o.layout() == null ? "" : " in " + o.layout()))
                .collect(Collectors.joining(", "));
    }

    @Override
    public Kernel reorder(Layout from, Layout to) {
        try {
            return CopyKernels.reorder(from, to);
        } catch (Status.UnimplementedException e) {
            throw new IllegalStateException(
                    "oneDNN cannot bring " + from.type() + " from " + from + " to " + to + ": " + e.getMessage(), e);
        }
    }

    @Override
    public Memory allocate(String pool, long bytes) {
        Library.get();
        return NativeMemory.allocate(bytes);
    }

    @Override
    public Kernel.Bound inOrder(List<Kernel.Bound> kernels) {
        return new InOrder(kernels.stream().map(Steps.Recorded.class::cast).toList());
    }

    @Override
    public Kernel.Sequence sequence(List<Kernel.Bound> steps, int threads) {
        if (!Library.get().hasHadal()) {
            return Backend.super.sequence(steps, threads);
        }
        return new Steps(steps.stream().map(Steps.Recorded.class::cast).toList(), threads);
    }
}
