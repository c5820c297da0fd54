package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.simd.Loops;
import dev.hadal.backend.jvm.simd.Runs;
import dev.hadal.graph.Type;
import dev.hadal.graph.WeightedSum;
import dev.hadal.tensor.DType;
import java.util.List;

/** What is computed element by element, chunk after chunk. */
final class ElementwiseKernels {

    static void add(OpTable<OpTable.Job, Kernel> table) {
        table.put(WeightedSum.class, (op, j) -> weightedSum(op, j.in(), j.out(), j.machine()));
    }

    /** y = Σᵢ sᵢ·xᵢ, two terms at a time. With more than two, a result in place might overwrite a later term. */
    static Kernel weightedSum(WeightedSum op, List<Type> in, List<Type> out, Machine machine) {
        int terms = in.size();
        float[] s = new float[terms];
        for (int i = 0; i < terms; i++) {
            s[i] = op.scales().get(i);
        }
        HeapKernel kernel = chunked("sum", in, out, machine, (x, y) -> (loops, runs, at) -> {
            if (terms == 1) {
                loops.scale(runs, s[0], x[0].floats(), x[0].offset() + at, 0, 0, y.floats(), y.offset() + at);
                return;
            }
            add(loops, runs, at, s[0], x[0], s[1], x[1], y);
            for (int i = 2; i < terms; i++) {
                add(loops, runs, at, 1, y, s[i], x[i], y);
            }
        });
        return terms > 2 ? kernel : kernel.withInPlace(0);
    }

    private static void add(Loops loops, Runs runs, int at, float a, Span x, float b, Span y, Span z) {
        loops.combine(
                runs,
                a,
                x.floats(),
                x.offset() + at,
                b,
                y.floats(),
                y.offset() + at,
                0,
                0,
                z.floats(),
                z.offset() + at);
    }

    /** Nothing to do in place; else a copy. */
    static Kernel reshape(List<Type> in, List<Type> out) {
        boolean floats = in.get(0).dtype() == DType.F32;
        HeapKernel kernel = new HeapKernel("java copy", in, out, (x, y, scratch) -> {
            Object from = floats ? x[0].floats() : x[0].ints();
            Object to = floats ? y[0].floats() : y[0].ints();
            int fromAt = x[0].offset();
            int toAt = y[0].offset();
            int size = x[0].size();
            return () -> {
                if (from != to || fromAt != toAt) {
                    System.arraycopy(from, fromAt, to, toAt, size);
                }
            };
        });
        return kernel.withInPlace(0);
    }

    /** What a chunk's elements become, once operands and result are bound. */
    interface Chunk {
        void run(Loops loops, Runs runs, int at);
    }

    interface Binding {
        Chunk bind(Span[] in, Span out);
    }

    static HeapKernel chunked(String name, List<Type> in, List<Type> out, Machine machine, Binding binding) {
        Chunks chunks = new Chunks(out.get(0).shape().size());
        Machine sized = machine.forWork(out.get(0).shape().size());
        String implementation = "java " + name + " (" + machine.simd().name() + ")";
        return new HeapKernel(implementation, in, out, new Chunked(chunks, sized, binding));
    }

    // Records in place of lambdas, here and where a perceptron's kernels are: for a fast start, see ARCHITECTURE.md.
    private record Chunked(Chunks chunks, Machine machine, Binding binding) implements HeapKernel.Body {
        @Override
        public Runnable bind(Span[] x, Span[] y, Span scratch) {
            return new Run(chunks, machine, machine.loops(), binding.bind(x, y[0]));
        }
    }

    @SuppressWarnings("ArrayRecordComponent") // one per lane
    private record Run(Chunks chunks, Machine machine, Loops[] loops, Chunk chunk) implements Runnable, Workers.Body {
        @Override
        public void run() {
            machine.forEach(chunks.count(), this);
        }

        @Override
        public void run(int task, int lane) {
            chunk.run(loops[lane], chunks.runs(task), chunks.start(task));
        }
    }

    private ElementwiseKernels() {}
}
