package dev.hadal.op;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Memory;
import dev.hadal.backend.Operand;
import dev.hadal.backend.Region;
import dev.hadal.backend.jvm.HeapMemory;
import dev.hadal.backend.jvm.JvmBackend;
import dev.hadal.backend.jvm.Reference;
import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.tensor.DType;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** The reference with a bug: a backend whose kernels, of one class of ops, are not quite right. */
record Mutant(String bug, Class<? extends Op> victim, Formulas formulas, Function<Kernel, @Nullable Kernel> kernels)
        implements Backend {

    /** Changes an op's formula. */
    interface Formulas {
        Formula of(Op op, List<Type> in, List<Type> out, Formula right);
    }

    /** A bug in what is computed. */
    static <O extends Op> Mutant formula(String bug, Class<O> victim, Formulas formulas) {
        return new Mutant(bug, victim, formulas, k -> k);
    }

    /** A bug in how a kernel keeps to its contract. */
    static <O extends Op> Mutant kernel(String bug, Class<O> victim, Function<Kernel, @Nullable Kernel> kernels) {
        return new Mutant(bug, victim, (op, in, out, right) -> right, kernels);
    }

    private static final JvmBackend REFERENCE = JvmBackend.reference();

    @Override
    public String name() {
        return "mutant (" + bug + ")";
    }

    @Override
    public int rank() {
        return 0;
    }

    @Override
    public Availability availability() {
        return Availability.yes("has a bug: " + bug);
    }

    @Override
    public Optional<Kernel> prepare(Op op, List<Operand> inputs, List<Type> outputs, int threads) {
        if (op.getClass() != victim) {
            return REFERENCE.prepare(op, inputs, outputs, threads);
        }
        List<Type> in = inputs.stream().map(Operand::type).toList();
        Formula right = Reference.formula(op, in, outputs).orElseThrow();
        return Optional.ofNullable(kernels.apply(new FormulaKernel(in, outputs, formulas.of(op, in, outputs, right))));
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

    @Override
    public String toString() {
        return Tally.nameOf(victim) + ": " + bug;
    }

    /** A formula as a kernel on Java arrays. */
    private record FormulaKernel(List<Type> in, List<Type> out, Formula formula) implements Kernel {
        @Override
        public List<Layout> inputs() {
            return in.stream().map(Layout::plain).toList();
        }

        @Override
        public List<Layout> outputs() {
            return out.stream().map(Layout::plain).toList();
        }

        @Override
        public String implementation() {
            return "mutant";
        }

        @Override
        public Bound bind(List<Region> inputs, List<Region> outputs, Region scratch) {
            return () -> {
                double[][] x = inputs.stream().map(FormulaKernel::read).toArray(double[][]::new);
                double[][] y =
                        out.stream().map(t -> new double[t.shape().size()]).toArray(double[][]::new);
                formula.run(x, y);
                for (int o = 0; o < y.length; o++) {
                    float[] memory = ((HeapMemory) outputs.get(o).memory()).floats();
                    int offset = (int) (outputs.get(o).offset() / 4);
                    for (int i = 0; i < y[o].length; i++) {
                        memory[offset + i] = (float) y[o][i];
                    }
                }
            };
        }

        private static double[] read(Region region) {
            HeapMemory memory = (HeapMemory) region.memory();
            Type type = region.layout().type();
            double[] values = new double[type.shape().size()];
            int offset = (int) (region.offset() / 4);
            for (int i = 0; i < values.length; i++) {
                values[i] = type.dtype() == DType.F32 ? memory.floats()[offset + i] : memory.ints()[offset + i];
            }
            return values;
        }
    }
}
