package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.simd.Loops;
import dev.hadal.backend.jvm.simd.Runs;
import dev.hadal.graph.Type;
import dev.hadal.op.BatchNorm;
import dev.hadal.op.Bias;
import dev.hadal.tensor.Shape;
import java.util.List;

/** Batch normalization and biases, channel by channel. */
final class NormKernels {

    static void add(OpTable<OpTable.Job, Kernel> table) {
        table.put(Bias.Backward.class, (op, j) -> biasBackward(j.in(), j.out(), j.machine()));
        table.put(BatchNorm.class, (op, j) -> inference(op, j.in(), j.out(), j.machine()));
        table.put(BatchNorm.Training.class, (op, j) -> training(op, j.in(), j.out(), j.machine()));
        table.put(BatchNorm.Backward.class, (op, j) -> backward(op, j.in(), j.out(), j.machine()));
    }

    /** y = γ/√(σ² + ε)·(x − μ) + β */
    static Kernel inference(BatchNorm op, List<Type> in, List<Type> out, Machine machine) {
        return PerChannel.kernel("batch norm", in, out, machine, (channels, x, y) -> (loops, sums, c) -> {
                    double a = x[1].get(c) / Math.sqrt(x[4].get(c) + op.epsilon());
                    channels.scale(loops, c, a, x[0], x[3].get(c), x[2].get(c), y[0]);
                })
                .withInPlace(0);
    }

    /**
     * The same with the batch's own μ and σ². Both come from one pass over x, in which x is taken relative to the mean
     * x̄ of the channel in the first image: with m values, μ = x̄ + Σ(x − x̄)/m and σ² = Σ(x − x̄)²/m − (μ − x̄)². As x̄
     * is the mean of a share 1/N of all values, (μ − x̄)² ≤ N·σ², so that the difference cannot lose more than log₂ N
     * bits, however far the mean is from zero.
     */
    static Kernel training(BatchNorm.Training op, List<Type> in, List<Type> out, Machine machine) {
        return PerChannel.kernel("batch norm training", in, out, machine, (channels, x, y) -> (loops, sums, c) -> {
                    float near = channels.firstMean(loops, sums, c, x[0]);
                    channels.moments(loops, sums, c, x[0], near);
                    double difference = sums[0] / channels.values();
                    double mean = near + difference;
                    double variance = Math.max(0, sums[1] / channels.values() - difference * difference);
                    y[1].set(c, (float) mean);
                    y[2].set(c, (float) variance);
                    double a = x[1].get(c) / Math.sqrt(variance + op.epsilon());
                    float rounded = (float) mean;
                    channels.scale(loops, c, a, x[0], rounded, x[2].get(c) - a * (mean - rounded), y[0]);
                })
                .withInPlace(0);
    }

    /** With ρ = 1/√(σ² + ε): dβ = Σdy, dγ = ρ·Σ(x − μ)·dy, dx = γ·ρ·(dy − dβ/m − ρ·(x − μ)·dγ/m). */
    static Kernel backward(BatchNorm.Backward op, List<Type> in, List<Type> out, Machine machine) {
        return PerChannel.kernel("batch norm backward", in, out, machine, (channels, x, y) -> (loops, sums, c) -> {
                    double m = channels.values();
                    float mean = x[3].get(c);
                    double rho = 1 / Math.sqrt(x[4].get(c) + op.epsilon());
                    channels.products(loops, sums, c, x[0], mean, x[1]);
                    double dbias = sums[0];
                    double dscale = rho * sums[1];
                    y[1].set(c, (float) dscale);
                    y[2].set(c, (float) dbias);
                    double a = x[2].get(c) * rho;
                    channels.combine(loops, c, a, x[1], -a * rho * dscale / m, x[0], mean, -a * dbias / m, y[0]);
                })
                .withInPlace(1);
    }

    /** y = x + b; where a channel is one value of each row, row by row. */
    static Kernel bias(List<Type> in, List<Type> out, Machine machine) {
        Shape shape = in.get(0).shape();
        HeapKernel kernel = shape.sizeFrom(2) == 1
                ? rowBias(shape, in, out, machine)
                : PerChannel.kernel(
                        "bias",
                        in,
                        out,
                        machine,
                        (channels, x, y) ->
                                (loops, sums, c) -> channels.scale(loops, c, 1, x[0], 0, x[1].get(c), y[0]));
        return kernel.withInPlace(0);
    }

    private static HeapKernel rowBias(Shape shape, List<Type> in, List<Type> out, Machine machine) {
        Machine sized = machine.forWork(shape.size());
        String name = "java bias (" + machine.simd().name() + ")";
        return new HeapKernel(name, in, out, new RowBias(shape.get(0), Runs.of(shape.get(1)), sized));
    }

    private record RowBias(int rows, Runs row, Machine machine) implements HeapKernel.Body {
        @Override
        public Runnable bind(Span[] in, Span[] out, Span scratch) {
            return new RowBiasRun(this, machine.loops(), in[0], in[1], out[0]);
        }
    }

    @SuppressWarnings("ArrayRecordComponent") // one per lane
    private record RowBiasRun(RowBias of, Loops[] loops, Span x, Span b, Span y) implements Runnable, Workers.Body {
        @Override
        public void run() {
            of.machine.forEach(of.rows, this);
        }

        @Override
        public void run(int n, int lane) {
            int at = n * of.row.length();
            int xAt = x.offset() + at;
            int yAt = y.offset() + at;
            loops[lane].combine(of.row, 1, x.floats(), xAt, 1, b.floats(), b.offset(), 0, 0, y.floats(), yAt);
        }
    }

    /** db = Σdy */
    static Kernel biasBackward(List<Type> in, List<Type> out, Machine machine) {
        return PerChannel.kernel("bias backward", in, out, machine, (channels, x, y) -> (loops, sums, c) -> {
            channels.moments(loops, sums, c, x[0], 0);
            y[0].set(c, (float) sums[0]);
        });
    }

    private NormKernels() {}
}
