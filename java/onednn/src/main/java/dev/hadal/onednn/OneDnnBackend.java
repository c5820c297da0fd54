package dev.hadal.onednn;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Memory;
import dev.hadal.backend.Operand;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Activation;
import dev.hadal.op.AdamW;
import dev.hadal.op.BatchNorm;
import dev.hadal.op.Bias;
import dev.hadal.op.Convolution;
import dev.hadal.op.CrossEntropy;
import dev.hadal.op.GlobalAveragePool;
import dev.hadal.op.MatMul;
import dev.hadal.op.Norm;
import dev.hadal.op.Reshape;
import dev.hadal.op.Sgd;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/** oneDNN on the CPU, with libhadal for what it lacks. */
public final class OneDnnBackend implements Backend {

    /** How the kernels of one op are prepared; empty where the op must be left to another backend. */
    private interface Preparation<O extends Op> {
        Optional<Kernel> prepare(O op, Request request);
    }

    /** A row of the table. */
    private record Row<O extends Op>(Class<O> op, Preparation<O> preparation) {
        Optional<Kernel> prepare(Op any, Request request) {
            return preparation.prepare(op.cast(any), request);
        }
    }

    private static final List<Row<?>> TABLE = List.of(
            oneDnn(Convolution.class, ConvolutionKernels::forward),
            oneDnn(Convolution.BackwardData.class, ConvolutionKernels::backwardData),
            oneDnn(Convolution.BackwardWeights.class, ConvolutionKernels::backwardWeights),
            oneDnn(MatMul.class, MatMulKernels::matmul),
            oneDnn(Bias.class, BiasKernels::forward),
            oneDnn(Bias.Backward.class, BiasKernels::backward),
            oneDnn(BatchNorm.class, BatchNormKernels::inference),
            oneDnn(BatchNorm.Training.class, BatchNormKernels::training),
            oneDnn(BatchNorm.Backward.class, BatchNormKernels::backward),
            oneDnn(Activation.class, ElementwiseKernels::activation),
            oneDnn(Activation.Backward.class, ElementwiseKernels::activationBackward),
            oneDnn(WeightedSum.class, ElementwiseKernels::weightedSum),
            oneDnn(GlobalAveragePool.class, PoolingKernels::globalAverage),
            oneDnn(GlobalAveragePool.Backward.class, PoolingKernels::globalAverageBackward),
            oneDnn(Reshape.class, CopyKernels::reshape),
            hadal(Norm.class, HadalKernels::norm),
            hadal(AdamW.class, HadalKernels::adamw),
            hadal(Sgd.class, HadalKernels::sgd),
            hadal(CrossEntropy.class, HadalKernels::crossEntropy),
            hadal(CrossEntropy.Backward.class, HadalKernels::crossEntropyBackward));

    private interface Maker<O extends Op> {
        Kernel make(O op, Request request);
    }

    private static <O extends Op> Row<O> oneDnn(Class<O> op, Maker<O> maker) {
        return new Row<>(op, (o, request) -> Optional.of(maker.make(o, request)));
    }

    private static <O extends Op> Row<O> hadal(Class<O> op, Maker<O> maker) {
        return new Row<>(
                op, (o, request) -> Library.get().hasHadal() ? Optional.of(maker.make(o, request)) : Optional.empty());
    }

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
        List<Type> types = inputs.stream().map(Operand::type).toList();
        if (!op.infer(types).equals(outputs)) {
            throw new IllegalArgumentException(op + " of " + types + " gives " + op.infer(types) + ", not " + outputs);
        }
        if (!(op instanceof Norm) && types.stream().anyMatch(t -> t.shape().size() == 0)) {
            return Optional.of(CopyKernels.zeros(types, outputs));
        }
        Optional<Row<?>> row = TABLE.stream().filter(r -> r.op().isInstance(op)).findFirst();
        if (row.isEmpty()) {
            return Optional.empty();
        }
        // oneDNN cuts the work for the threads that the preparing thread may use.
        Library.get().useThreads(threads);
        try (Descriptors descriptors = new Descriptors()) {
            return row.get().prepare(op, new Request(inputs, outputs, descriptors));
        } catch (Status.UnimplementedException e) {
            return Optional.empty();
        } catch (IllegalStateException e) {
            throw new IllegalStateException("no kernel for " + op + " of " + text(inputs) + ": " + e.getMessage(), e);
        }
    }

    private static String text(List<Operand> operands) {
        return operands.stream()
                .map(o -> o.type() + (o.layout() == null ? "" : " in " + o.layout()))
                .collect(Collectors.joining(", "));
    }

    @Override
    public Kernel reorder(Layout from, Layout to) {
        return CopyKernels.reorder(from, to);
    }

    @Override
    public Memory allocate(String pool, long bytes) {
        Library.get();
        return NativeMemory.allocate(bytes);
    }

    @Override
    public Kernel.Bound sequence(List<Kernel.Bound> steps, int threads) {
        Kernel.Bound all = Backend.super.sequence(steps, threads);
        Library library = Library.get();
        return () -> {
            library.useThreads(threads);
            all.run();
        };
    }
}
