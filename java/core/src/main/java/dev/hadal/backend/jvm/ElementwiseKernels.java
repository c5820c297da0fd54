package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.HeapKernel.Slice;
import dev.hadal.backend.jvm.simd.Loops;
import dev.hadal.backend.jvm.simd.Runs;
import dev.hadal.graph.Type;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Activation;
import dev.hadal.op.Reshape;
import dev.hadal.tensor.DType;
import java.util.List;

/** What is computed element by element, chunk after chunk. */
final class ElementwiseKernels {

    static void add(OpTable<OpTable.Job, Kernel> table) {
        table.put(WeightedSum.class, (op, j) -> weightedSum(op, j.in(), j.out(), j.machine()));
        table.put(Activation.class, (op, j) -> activation(op, j.in(), j.out(), j.machine()));
        table.put(Activation.Backward.class, (op, j) -> activationBackward(op, j.in(), j.out(), j.machine()));
        table.put(Reshape.class, (op, j) -> reshape(j.in(), j.out()));
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

    private static void add(Loops loops, Runs runs, int at, float a, Slice x, float b, Slice y, Slice z) {
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

    static Kernel activation(Activation op, List<Type> in, List<Type> out, Machine machine) {
        String name = op.toString();
        HeapKernel kernel = switch (op.function()) {
            case RELU ->
                chunked(
                        name,
                        in,
                        out,
                        machine,
                        (x, y) -> (loops, runs, at) -> loops.relu(
                                runs.length(), x[0].floats(), x[0].offset() + at, y.floats(), y.offset() + at));
            case SIGMOID ->
                chunked(
                        name,
                        in,
                        out,
                        machine,
                        (x, y) -> (loops, runs, at) ->
                                sigmoid(runs.length(), x[0].floats(), x[0].offset() + at, y.floats(), y.offset() + at));
            case TANH ->
                chunked(
                        name,
                        in,
                        out,
                        machine,
                        (x, y) -> (loops, runs, at) ->
                                tanh(runs.length(), x[0].floats(), x[0].offset() + at, y.floats(), y.offset() + at));
        };
        return kernel.withInPlace(0);
    }

    private static void sigmoid(int n, float[] x, int xAt, float[] y, int yAt) {
        for (int i = 0; i < n; i++) {
            y[yAt + i] = (float) (1 / (1 + Math.exp(-x[xAt + i])));
        }
    }

    private static void tanh(int n, float[] x, int xAt, float[] y, int yAt) {
        for (int i = 0; i < n; i++) {
            y[yAt + i] = (float) Math.tanh(x[xAt + i]);
        }
    }

    /** dx = f′(y)·dy; it may lie over dy. */
    static Kernel activationBackward(Activation.Backward op, List<Type> in, List<Type> out, Machine machine) {
        HeapKernel kernel = chunked(op.toString(), in, out, machine, (x, dx) -> {
            Slice y = x[0];
            Slice dy = x[1];
            return (loops, runs, at) -> {
                int n = runs.length();
                int yAt = y.offset() + at;
                int dyAt = dy.offset() + at;
                int dxAt = dx.offset() + at;
                switch (op.function()) {
                    case RELU -> loops.reluBackward(n, y.floats(), yAt, dy.floats(), dyAt, dx.floats(), dxAt);
                    case SIGMOID -> sigmoidBackward(n, y.floats(), yAt, dy.floats(), dyAt, dx.floats(), dxAt);
                    case TANH -> tanhBackward(n, y.floats(), yAt, dy.floats(), dyAt, dx.floats(), dxAt);
                }
            };
        });
        return kernel.withInPlace(1);
    }

    private static void sigmoidBackward(int n, float[] y, int yAt, float[] dy, int dyAt, float[] dx, int dxAt) {
        for (int i = 0; i < n; i++) {
            float yi = y[yAt + i];
            dx[dxAt + i] = dy[dyAt + i] * yi * (1 - yi);
        }
    }

    private static void tanhBackward(int n, float[] y, int yAt, float[] dy, int dyAt, float[] dx, int dxAt) {
        for (int i = 0; i < n; i++) {
            float yi = y[yAt + i];
            dx[dxAt + i] = dy[dyAt + i] * (1 - yi * yi);
        }
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
    private interface Chunk {
        void run(Loops loops, Runs runs, int at);
    }

    private interface Binding {
        Chunk bind(Slice[] in, Slice out);
    }

    private static HeapKernel chunked(String name, List<Type> in, List<Type> out, Machine machine, Binding binding) {
        Chunks chunks = new Chunks(out.get(0).shape().size());
        Machine sized = machine.forWork(out.get(0).shape().size());
        return new HeapKernel("java " + name + " (" + machine.simd().name() + ")", in, out, (x, y, scratch) -> {
            Loops[] loops = sized.perLane(new Loops[0], sized.simd()::loops);
            Chunk chunk = binding.bind(x, y[0]);
            Workers.Body body = (task, lane) -> chunk.run(loops[lane], chunks.runs(task), chunks.start(task));
            return () -> sized.forEach(chunks.count(), body);
        });
    }

    private ElementwiseKernels() {}
}
