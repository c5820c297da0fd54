package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.HeapKernel.Slice;
import dev.hadal.backend.jvm.simd.Loops;
import dev.hadal.backend.jvm.simd.Runs;
import dev.hadal.graph.Type;
import dev.hadal.op.BatchNorm;
import dev.hadal.tensor.Shape;
import java.util.List;

/** Batch normalization and biases: one task per channel. */
final class NormKernels {

    /** y = γ/√(σ² + ε)·(x − μ) + β */
    static Kernel inference(BatchNorm op, List<Type> in, List<Type> out, Machine machine) {
        Channels channels = new Channels(in.get(0).shape());
        return perChannel("batch norm", in, out, machine, (x, y) -> (loops, sums, c) -> {
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
        Channels channels = new Channels(in.get(0).shape());
        double m = channels.values();
        return perChannel("batch norm training", in, out, machine, (x, y) -> (loops, sums, c) -> {
                    float near = channels.firstMean(loops, sums, c, x[0]);
                    channels.moments(loops, sums, c, x[0], near);
                    double difference = sums[0] / m;
                    double mean = near + difference;
                    double variance = Math.max(0, sums[1] / m - difference * difference);
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
        Channels channels = new Channels(in.get(0).shape());
        double m = channels.values();
        return perChannel("batch norm backward", in, out, machine, (x, y) -> (loops, sums, c) -> {
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

    /** y = x + b */
    static Kernel bias(List<Type> in, List<Type> out, Machine machine) {
        Channels channels = new Channels(in.get(0).shape());
        return perChannel(
                        "bias",
                        in,
                        out,
                        machine,
                        (x, y) -> (loops, sums, c) -> channels.scale(loops, c, 1, x[0], 0, x[1].get(c), y[0]))
                .withInPlace(0);
    }

    /** db = Σdy */
    static Kernel biasBackward(List<Type> in, List<Type> out, Machine machine) {
        Channels channels = new Channels(in.get(0).shape());
        return perChannel("bias backward", in, out, machine, (x, y) -> (loops, sums, c) -> {
            channels.moments(loops, sums, c, x[0], 0);
            y[0].set(c, (float) sums[0]);
        });
    }

    /** What happens in one channel, once operands and results are bound. */
    private interface Channel {
        void run(Loops loops, double[] sums, int channel);
    }

    private interface Binding {
        Channel bind(Slice[] in, Slice[] out);
    }

    private static HeapKernel perChannel(String name, List<Type> in, List<Type> out, Machine machine, Binding binding) {
        Shape x = in.get(0).shape();
        Machine sized = machine.forWork(x.size());
        return new HeapKernel("java " + name + " (" + machine.simd().name() + ")", in, out, (from, to, scratch) -> {
            Loops[] loops = sized.perLane(new Loops[0], sized.simd()::loops);
            double[][] sums = sized.perLane(new double[0][], () -> new double[2]);
            Channel channel = binding.bind(from, to);
            Workers.Body body = (task, lane) -> channel.run(loops[lane], sums[lane], task);
            return () -> sized.forEach(x.get(1), body);
        });
    }

    /** Where each channel's values lie in [N,C,…]. */
    private static final class Channels {
        private final Runs runs;
        private final Runs first;

        Channels(Shape x) {
            runs = new Runs(x.get(0), x.sizeFrom(1), x.sizeFrom(2));
            first = Runs.of(runs.length());
        }

        /** How many values a channel has. */
        double values() {
            return (double) runs.count() * runs.length();
        }

        private int at(Slice x, int channel) {
            return x.offset() + channel * runs.length();
        }

        float firstMean(Loops loops, double[] sums, int channel, Slice x) {
            sums[0] = 0;
            loops.moments(first, x.floats(), at(x, channel), 0, sums);
            return (float) (sums[0] / runs.length());
        }

        void moments(Loops loops, double[] sums, int channel, Slice x, float s) {
            sums[0] = 0;
            sums[1] = 0;
            loops.moments(runs, x.floats(), at(x, channel), s, sums);
        }

        void products(Loops loops, double[] sums, int channel, Slice x, float s, Slice y) {
            sums[0] = 0;
            sums[1] = 0;
            loops.products(runs, x.floats(), at(x, channel), s, y.floats(), at(y, channel), sums);
        }

        void scale(Loops loops, int channel, double a, Slice x, float s, double c, Slice z) {
            loops.scale(runs, (float) a, x.floats(), at(x, channel), s, (float) c, z.floats(), at(z, channel));
        }

        void combine(Loops loops, int channel, double a, Slice x, double b, Slice y, float s, double c, Slice z) {
            loops.combine(
                    runs,
                    (float) a,
                    x.floats(),
                    at(x, channel),
                    (float) b,
                    y.floats(),
                    at(y, channel),
                    s,
                    (float) c,
                    z.floats(),
                    at(z, channel));
        }
    }

    private NormKernels() {}
}
