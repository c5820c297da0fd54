package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Region;
import dev.hadal.backend.jvm.simd.PlainSimd;
import dev.hadal.backend.jvm.simd.SimdChoice;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Activation;
import dev.hadal.op.Adam;
import dev.hadal.op.BatchNorm;
import dev.hadal.op.Convolution;
import dev.hadal.op.Dropout;
import dev.hadal.op.Hyper;
import dev.hadal.op.LayerNorm;
import dev.hadal.op.Lion;
import dev.hadal.op.MatMul;
import dev.hadal.op.NAdam;
import dev.hadal.op.Norm;
import dev.hadal.op.Pool;
import dev.hadal.op.Pooling;
import dev.hadal.op.RmsProp;
import dev.hadal.op.Sgd;
import dev.hadal.op.Window;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Times the fast kernels, quickly: {@code KernelTimings [threads] [plain] [part of a name]}. A tool for tuning; what the
 * project claims is measured by its benchmarks.
 */
final class KernelTimings {
    private static final long WARM_UP = Long.getLong("warm", 2) * 1_000_000_000L;
    private static final long NANOS = 1_000_000_000L;

    private static final com.sun.management.ThreadMXBean BEAN =
            (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();

    private final Machine machine;
    private final String filter;

    private KernelTimings(Machine machine, String filter) {
        this.machine = machine;
        this.filter = filter;
    }

    public static void main(String[] args) {
        List<String> rest = new ArrayList<>(List.of(args));
        int threads = !rest.isEmpty() && rest.get(0).matches("\\d+") ? Integer.parseInt(rest.remove(0)) : 1;
        boolean plain = rest.remove("plain");
        Machine machine =
                new Machine(plain ? new PlainSimd() : SimdChoice.best().simd(), Workers.shared(), threads);
        System.out.println(SimdChoice.best().detail() + "; Java " + Runtime.version() + ", " + threads + " threads");
        new KernelTimings(machine, String.join(" ", rest)).all();
    }

    private void all() {
        for (int n : new int[] {128, 256, 512, 1024, 2048}) {
            time("gemm " + n, new MatMul(false, false), 2.0 * n * n * n, Type.f32(n, n), Type.f32(n, n));
        }
        time("mlp forward", new MatMul(false, true), 2.0 * 128 * 1024 * 784, Type.f32(128, 784), Type.f32(1024, 784));
        time("mlp data", new MatMul(false, false), 2.0 * 128 * 1024 * 784, Type.f32(128, 1024), Type.f32(1024, 784));
        time("mlp weights", new MatMul(true, false), 2.0 * 128 * 1024 * 784, Type.f32(128, 1024), Type.f32(128, 784));
        time("mlp one row", new MatMul(false, true), 2.0 * 1024 * 784, Type.f32(1, 784), Type.f32(1024, 784));
        time("mlp one row, plain b", new MatMul(false, false), 2.0 * 1024 * 784, Type.f32(1, 784), Type.f32(784, 1024));
        convolution(2, 3, 5, 9, 3, 1, 1);
        convolution(16, 4, 8, 8, 3, 1, 1);
        convolution(64, 1, 8, 28, 3, 1, 1);
        convolution(64, 8, 8, 28, 3, 1, 1);
        convolution(64, 8, 16, 28, 3, 2, 1);
        convolution(64, 16, 16, 14, 3, 1, 1);
        convolution(64, 32, 32, 7, 3, 1, 1);
        convolution(64, 8, 16, 28, 1, 2, 1);
        convolution(64, 16, 16, 28, 3, 1, 1);
        convolution(64, 32, 32, 14, 3, 1, 1);
        convolution(64, 64, 64, 7, 3, 1, 1);
        convolution(8, 64, 64, 56, 3, 1, 1);
        convolution(8, 128, 128, 28, 3, 1, 1);
        convolution(8, 256, 256, 14, 3, 1, 1);
        convolution(8, 512, 512, 7, 3, 1, 1);
        convolution(8, 256, 1024, 14, 1, 1, 1);
        convolution(8, 3, 64, 224, 7, 2, 1);
        convolution(1, 256, 256, 14, 3, 1, 1);
        convolution(32, 64, 64, 28, 3, 1, 64);
        convolution(32, 64, 64, 28, 3, 2, 64);
        convolution(32, 64, 64, 7, 3, 1, 64);
        convolution(32, 64, 64, 28, 3, 1, 32);
        convolution(32, 64, 64, 28, 3, 1, 16);
        for (Pooling.Function f : Pooling.Function.values()) {
            pool(f, 2, 2, 28);
            pool(f, 3, 2, 28);
            pool(f, 3, 1, 28);
        }
        norm(Type.f32(16, 8, 8, 8));
        norm(Type.f32(16, 8, 3, 3));
        norm(Type.f32(64, 8, 28, 28));
        norm(Type.f32(64, 64, 28, 28));
        norm(Type.f32(64, 32, 7, 7));
        norm(Type.f32(128, 1024));
        Type x2 = Type.f32(2048, 1024);
        Type scale = Type.f32(1024);
        Type groups = new LayerNorm(1, 1e-5f).infer(List.of(x2, scale, scale)).get(1);
        time("layer norm", new LayerNorm(1, 1e-5f), x2.shape().size(), x2, scale, scale);
        time("layer norm backward", new LayerNorm.Backward(1, 1e-5f), x2.shape().size(), x2, x2, scale, groups, groups);
        for (Activation.Function f : Activation.Function.values()) {
            time("activation " + f, new Activation(f), 1e6, Type.f32(1_000_000));
            time(
                    "activation " + f + " backward",
                    new Activation.Backward(f),
                    1e6,
                    Type.f32(1_000_000),
                    Type.f32(1_000_000));
        }
        for (int n : new int[] {1000, 64 * 8 * 784, 64 * 64 * 784}) {
            Type x = Type.f32(n);
            time("relu " + n, new Activation(Activation.Function.RELU), n, x);
            time("relu backward " + n, new Activation.Backward(Activation.Function.RELU), n, x, x);
            time("sigmoid " + n, new Activation(Activation.Function.SIGMOID), n, x);
            time("sum of two " + n, new WeightedSum(List.of(1f, 1f)), n, x, x);
            time("sum of three " + n, new WeightedSum(List.of(1f, 1f, 1f)), n, x, x, x);
            time("norm " + n, new Norm(), n, x);
            time("dropout " + n, new Dropout.Training(0.1f, "dropout"), n, x, Type.i32(4));
        }
        for (int n : new int[] {1000, 100_000, 10_000_000}) {
            Type w = Type.f32(n);
            Type norm = Type.f32(Shape.SCALAR);
            time("adamw " + n, new Adam(0.9f, 0.999f, 1e-8f, false), n, w, w, w, w, norm, Hyper.TYPE);
            time("sgd " + n, new Sgd(0.9f, false), n, w, w, w, norm, Hyper.TYPE);
            time("rmsprop " + n, new RmsProp(0.9f, 1e-8f, 0.9f, true), n, w, w, w, w, w, norm, Hyper.TYPE);
            time("sgd without momentum " + n, new Sgd(0, false), n, w, w, norm, Hyper.TYPE);
            time("nadam " + n, new NAdam(0.9f, 0.999f, 1e-8f, 0.004f), n, w, w, w, w, norm, Hyper.TYPE);
            time("lion " + n, new Lion(0.9f, 0.99f), n, w, w, w, norm, Hyper.TYPE);
        }
    }

    private void convolution(int batch, int in, int out, int size, int kernel, int stride, int groups) {
        Convolution op = new Convolution(Window.of(stride, kernel / 2, 1), groups);
        Type x = Type.f32(batch, in, size, size);
        Type w = Type.f32(out, in / groups, kernel, kernel);
        Type y = op.infer(List.of(x, w)).get(0);
        double flops = 2.0 * y.shape().size() * w.shape().sizeFrom(1);
        String name = "conv " + batch + "x" + in + "→" + out + " " + size + "² " + kernel + "x" + kernel + " s" + stride
                + (groups > 1 ? " g" + groups : "");
        time(name + " forward", op, flops, x, w);
        time(name + " data", new Convolution.BackwardData(op, x.shape()), flops, y, w);
        time(name + " weights", new Convolution.BackwardWeights(op, w.shape()), flops, x, y);
    }

    private void pool(Pooling.Function function, int kernel, int stride, int size) {
        Pool op = new Pool(function, kernel, kernel, Window.of(stride, kernel / 2 * (kernel % 2), 1));
        Type x = Type.f32(32, 64, size, size);
        List<Type> y = op.infer(List.of(x));
        String name = op.text() + " " + size + "² " + kernel + "x" + kernel + " s" + stride;
        time(name + " forward", op, x.shape().size(), x);
        if (function == Pooling.Function.MAX) {
            time(
                    name + " backward",
                    new Pooling.MaxBackward(op, x.shape()),
                    x.shape().size(),
                    y.get(0),
                    y.get(1));
        } else {
            time(
                    name + " backward",
                    new Pooling.AverageBackward(op, x.shape()),
                    x.shape().size(),
                    y.get(0));
        }
    }

    private void norm(Type x) {
        Type c = Type.f32(x.shape().get(1));
        int n = x.shape().size();
        time("bn training " + x, new BatchNorm.Training(1e-5f), n, x, c, c);
        time("bn backward " + x, new BatchNorm.Backward(1e-5f), n, x, x, c, c, c);
        time("bn inference " + x, new BatchNorm(1e-5f, 0.1f), n, x, c, c, c, c);
    }

    /** Times an op, and prints units per nanosecond: GFLOP/s, or values. */
    private void time(String name, Op op, double units, Type... in) {
        if (!name.contains(filter)) {
            return;
        }
        List<Type> types = List.of(in);
        Kernel kernel = FastKernels.prepare(op, types, op.infer(types), machine).orElse(null);
        if (kernel == null) {
            System.out.printf("%-42s declined%n", name);
            return;
        }
        Kernel.Bound bound = bind(kernel);
        repeat(bound, WARM_UP);
        long allocated = BEAN.getCurrentThreadAllocatedBytes();
        List<Long> times = repeat(bound, NANOS);
        allocated = (BEAN.getCurrentThreadAllocatedBytes() - allocated) / times.size();
        long[] sorted = times.stream().mapToLong(t -> t).sorted().toArray();
        long best = sorted[0];
        long median = sorted[sorted.length / 2];
        System.out.printf(
                "%-42s best %9.1f µs %7.2f/ns (%.3f ns)   median %9.1f µs %7.2f/ns   %s%s%n",
                name,
                best / 1e3,
                units / best,
                best / units,
                median / 1e3,
                units / median,
                kernel.implementation(),
                allocated > 1000 ? ", " + allocated + " bytes" : "");
    }

    /** On one thread, what counts is the time that it ran: others may want the machine, too. */
    private List<Long> repeat(Kernel.Bound bound, long nanos) {
        List<Long> times = new ArrayList<>();
        long start = System.nanoTime();
        while (System.nanoTime() - start < nanos || times.size() < 10) {
            long before = now();
            bound.run();
            times.add(now() - before);
        }
        return times;
    }

    private long now() {
        return machine.threads() == 1 ? BEAN.getCurrentThreadCpuTime() : System.nanoTime();
    }

    private static Kernel.Bound bind(Kernel kernel) {
        List<Layout> layouts = new ArrayList<>(kernel.inputs());
        layouts.addAll(kernel.outputs());
        List<Region> regions = new ArrayList<>();
        for (int i = 0; i < layouts.size(); i++) {
            int result = i - kernel.inputs().size();
            if (result >= 0 && kernel.inPlace(result) >= 0) {
                regions.add(regions.get(kernel.inPlace(result)));
                continue;
            }
            if (layouts.get(i).type().dtype() == DType.I32) {
                HeapMemory memory = HeapMemory.ofInts(layouts.get(i).bytes());
                Arrays.setAll(memory.ints(), l -> l % 50); // places in a plane of 7x8 or more
                regions.add(new Region(memory, 0, layouts.get(i)));
                continue;
            }
            HeapMemory memory = HeapMemory.ofFloats(layouts.get(i).bytes());
            Philox random = new Philox(1, i);
            float[] x = memory.floats();
            for (int l = 0; l < x.length; l++) {
                x[l] = random.uniform(l);
            }
            if (layouts.get(i).type().equals(Hyper.TYPE)) {
                Arrays.fill(x, 0.001f);
            }
            regions.add(new Region(memory, 0, layouts.get(i)));
        }
        HeapMemory scratch = HeapMemory.ofFloats(kernel.scratch());
        Region region = new Region(scratch, 0, Layout.plain(Type.f32((int) (kernel.scratch() / 4))));
        int inputs = kernel.inputs().size();
        return kernel.bind(regions.subList(0, inputs), regions.subList(inputs, regions.size()), region);
    }
}
