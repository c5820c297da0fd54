package dev.hadal.onednn;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Operand;
import dev.hadal.backend.Region;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Activation;
import dev.hadal.op.BatchNorm;
import dev.hadal.op.Convolution;
import dev.hadal.op.GlobalAveragePool;
import dev.hadal.op.MatMul;
import dev.hadal.op.Window;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * Not a test: what the kernels of a ResNet-20 take on this machine, the best of many runs. Each operand lies as the kernel
 * before would leave it: images with the channels innermost, weights as the kernel likes.
 *
 * <pre>mvn -q test-compile, then java -cp … dev.hadal.onednn.KernelTimings [threads [batch]]</pre>
 */
final class KernelTimings {
    private static final int RUNS = 40;
    private static final OneDnnBackend BACKEND = new OneDnnBackend();
    private static final Random RANDOM = new Random(1);

    private final int threads;
    private final int batch;

    private KernelTimings(int threads, int batch) {
        this.threads = threads;
        this.batch = batch;
    }

    public static void main(String[] args) {
        KernelTimings timings = new KernelTimings(
                args.length > 0 ? Integer.parseInt(args[0]) : 1, args.length > 1 ? Integer.parseInt(args[1]) : 64);
        System.out.println(BACKEND.availability().detail());
        timings.convolution(1, 28, 8, 3, 1);
        timings.convolution(8, 28, 8, 3, 1);
        timings.convolution(8, 28, 16, 3, 2);
        timings.convolution(8, 28, 16, 1, 2);
        timings.convolution(16, 14, 16, 3, 1);
        timings.convolution(16, 14, 32, 3, 2);
        timings.convolution(32, 7, 32, 3, 1);
        timings.convolution(64, 14, 64, 3, 1);
        timings.convolution(128, 14, 128, 3, 1);
        timings.images(8, 28);
        timings.images(16, 14);
        timings.images(32, 7);
        timings.products(32, 10);
        timings.products(1024, 1024);
    }

    private void convolution(int channels, int size, int out, int window, int stride) {
        Convolution op = new Convolution(Window.of(stride, window / 2, 1), 1);
        Type x = Type.f32(batch, channels, size, size);
        Type w = Type.f32(out, channels, window, window);
        Type y = op.infer(List.of(x, w)).get(0);
        double flops = 2.0 * y.shape().size() * channels * window * window;
        System.out.printf("%s of %s, %s%n", op, x, w);
        time(op, flops, "GFLOP/s", x, w);
        time(new Convolution.BackwardData(op, x.shape()), flops, "GFLOP/s", y, w);
        time(new Convolution.BackwardWeights(op, w.shape()), flops, "GFLOP/s", x, y);
    }

    private void images(int channels, int size) {
        Type x = Type.f32(batch, channels, size, size);
        Type c = Type.f32(channels);
        System.out.println(x);
        time(new BatchNorm.Training(1e-5f), 3.0 * x.bytes(), "GB/s", x, c, c);
        time(new BatchNorm.Backward(1e-5f), 5.0 * x.bytes(), "GB/s", x, x, c, c, c);
        time(new BatchNorm(1e-5f, 0.1f), 2.0 * x.bytes(), "GB/s", x, c, c, c, c);
        time(new Activation(Activation.Function.RELU), 2.0 * x.bytes(), "GB/s", x);
        time(new Activation.Backward(Activation.Function.RELU), 3.0 * x.bytes(), "GB/s", x, x);
        time(new WeightedSum(List.of(1f, 1f)), 3.0 * x.bytes(), "GB/s", x, x);
        time(new WeightedSum(List.of(1f, 1f, 1f)), 4.0 * x.bytes(), "GB/s", x, x, x);
        time(new GlobalAveragePool(), 1.0 * x.bytes(), "GB/s", x);
        time(new GlobalAveragePool.Backward(x.shape()), 1.0 * x.bytes(), "GB/s", Type.f32(batch, channels, 1, 1));
    }

    private void products(int k, int n) {
        Shape a = Shape.of(batch, k);
        double flops = 2.0 * batch * k * n;
        System.out.printf("[%d,%d] times [%d,%d]%n", batch, k, k, n);
        time(new MatMul(false, true), flops, "GFLOP/s", Type.f32(a), Type.f32(n, k));
        time(new MatMul(false, false), flops, "GFLOP/s", Type.f32(batch, n), Type.f32(n, k));
        time(new MatMul(true, false), flops, "GFLOP/s", Type.f32(batch, n), Type.f32(a));
    }

    private void time(Op op, double work, String unit, Type... types) {
        List<Operand> operands = new ArrayList<>();
        for (Type type : types) {
            boolean weight = op instanceof Convolution && !operands.isEmpty();
            operands.add(new Operand(type, weight ? null : OneDnnLayout.channelsLast(type)));
        }
        List<NativeMemory> held = new ArrayList<>();
        try (Kernel kernel =
                BACKEND.prepare(op, operands, op.infer(List.of(types)), threads).orElseThrow()) {
            List<Region> in = kernel.inputs().stream().map(l -> random(l, held)).toList();
            List<Region> out =
                    kernel.outputs().stream().map(l -> random(l, held)).toList();
            Region scratch = random(Layout.plain(Type.f32((int) (kernel.scratch() / 4 + 1))), held);
            try (Kernel.Bound bound = kernel.bind(in, out, scratch);
                    Kernel.Bound run = BACKEND.sequence(List.of(bound), threads)) {
                long best = Long.MAX_VALUE;
                for (int i = 0; i < RUNS; i++) {
                    long start = System.nanoTime();
                    run.run();
                    best = Math.min(best, System.nanoTime() - start);
                }
                System.out.printf(
                        "  %8.1f us  %7.1f %-8s %s %s -> %s%n",
                        best / 1e3, work / best, unit, kernel.implementation(), kernel.inputs(), kernel.outputs());
            }
        } finally {
            held.forEach(NativeMemory::close);
        }
    }

    private static Region random(Layout layout, List<NativeMemory> held) {
        float[] values = new float[(int) (layout.bytes() / Float.BYTES)];
        for (int i = 0; i < values.length; i++) {
            values[i] = RANDOM.nextFloat();
        }
        NativeMemory memory = NativeMemory.of(values);
        held.add(memory);
        return new Region(memory, 0, layout);
    }
}
