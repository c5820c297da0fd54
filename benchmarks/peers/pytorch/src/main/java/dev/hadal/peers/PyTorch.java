package dev.hadal.peers;

import static org.bytedeco.pytorch.global.torch.clear_cache;
import static org.bytedeco.pytorch.global.torch.cross_entropy_loss;
import static org.bytedeco.pytorch.global.torch.load;
import static org.bytedeco.pytorch.global.torch.max_pool2d;
import static org.bytedeco.pytorch.global.torch.rand;
import static org.bytedeco.pytorch.global.torch.relu;
import static org.bytedeco.pytorch.global.torch.set_autocast_dtype;
import static org.bytedeco.pytorch.global.torch.set_autocast_enabled;
import static org.bytedeco.pytorch.global.torch.set_num_threads;
import static org.bytedeco.pytorch.global.torch.tensor;

import java.util.concurrent.Callable;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Adam;
import org.bytedeco.pytorch.AdamOptions;
import org.bytedeco.pytorch.Conv2dImpl;
import org.bytedeco.pytorch.Conv2dOptions;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.JitModule;
import org.bytedeco.pytorch.LinearImpl;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch.DeviceType;
import org.bytedeco.pytorch.global.torch.MemoryFormat;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** PyTorch's C++ API through bytedeco's presets. A scope around each call frees what it made. */
public final class PyTorch {
    private PyTorch() {}

    public static void main(String[] args) throws Exception {
        set_num_threads(1);
        Stopwatch stopwatch = new Stopwatch("bytedeco PyTorch 2.10.0", args[0]);
        switch (args[0]) {
            case "mlp-f32" -> train(stopwatch, new Mlp(), Work.mlp(), false, 784);
            case "mlp-bf16" -> train(stopwatch, new Mlp(), Work.mlp(), true, 784);
            case "cnn-f32" -> train(stopwatch, new Cnn(), Work.cnn(), false, 1, 28, 28);
            case "cnn-bf16" -> train(stopwatch, new Cnn(), Work.cnn(), true, 1, 28, 28);
            case "resnet50-1-bf16" -> resnet50(stopwatch, args[1], 1);
            case "resnet50-8-bf16" -> resnet50(stopwatch, args[1], 8);
            case "adam" -> adam(stopwatch);
            case "add" -> {
                try (NoGradGuard inference = new NoGradGuard()) {
                    Tensor a = tensor(1f, 2f);
                    Tensor b = tensor(3f, 4f);
                    stopwatch.time(scoped(() -> a.add(b)));
                }
            }
            case "matmul16" -> {
                try (NoGradGuard inference = new NoGradGuard()) {
                    Tensor a = tensor(Work.random(256)).reshape(16, 16);
                    stopwatch.time(scoped(() -> a.mm(a)));
                }
            }
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    private static <T> Callable<T> scoped(Callable<T> call) {
        return () -> {
            try (PointerScope scope = new PointerScope()) {
                return call.call();
            }
        };
    }

    private abstract static class Network extends Module {
        abstract Tensor apply(Tensor x);
    }

    private static final class Mlp extends Network {
        private final LinearImpl l1 = register_module("l1", new LinearImpl(784, 1024));
        private final LinearImpl l2 = register_module("l2", new LinearImpl(1024, 1024));
        private final LinearImpl l3 = register_module("l3", new LinearImpl(1024, 10));

        @Override
        Tensor apply(Tensor x) {
            return l3.forward(relu(l2.forward(relu(l1.forward(x)))));
        }
    }

    private static final class Cnn extends Network {
        private final Conv2dImpl c1 = register_module("c1", conv(1, 32));
        private final Conv2dImpl c2 = register_module("c2", conv(32, 64));
        private final LinearImpl l1 = register_module("l1", new LinearImpl(9216, 128));
        private final LinearImpl l2 = register_module("l2", new LinearImpl(128, 10));

        private static Conv2dImpl conv(long in, long out) {
            return new Conv2dImpl(new Conv2dOptions(in, out, new LongPointer(3, 3)));
        }

        @Override
        Tensor apply(Tensor x) {
            Tensor pooled = max_pool2d(relu(c2.forward(relu(c1.forward(x)))), 2, 2);
            return l2.forward(relu(l1.forward(pooled.flatten(1, -1))));
        }
    }

    private static void train(Stopwatch stopwatch, Network network, Work work, boolean bf16, long... sample)
            throws Exception {
        Tensor[] x = new Tensor[work.images().length];
        Tensor[] target = new Tensor[x.length];
        long[] shape = new long[sample.length + 1];
        shape[0] = work.batch();
        System.arraycopy(sample, 0, shape, 1, sample.length);
        for (int b = 0; b < x.length; b++) {
            Tensor images = tensor(work.images()[b]).reshape(shape);
            x[b] = sample.length == 3 ? images.contiguous(MemoryFormat.ChannelsLast) : images;
            target[b] = tensor(work.classes()[b]).to(ScalarType.Long);
        }
        Adam adam = new Adam(network.parameters(), new AdamOptions(Work.RATE));
        int[] step = {0};
        stopwatch.train(scoped(() -> {
            int b = step[0]++ % x.length;
            adam.zero_grad();
            if (bf16) {
                set_autocast_dtype(DeviceType.CPU, ScalarType.BFloat16);
                set_autocast_enabled(DeviceType.CPU, true);
            }
            Tensor y = network.apply(x[b]);
            if (bf16) {
                set_autocast_enabled(DeviceType.CPU, false);
                clear_cache(); // the bf16 copies of the weights
            }
            Tensor loss = cross_entropy_loss(y.to(ScalarType.Float), target[b]);
            loss.backward();
            adam.step();
            return loss.item_float();
        }));
    }

    /** What resnet50.py wrote. */
    private static void resnet50(Stopwatch stopwatch, String file, int batch) throws Exception {
        try (NoGradGuard inference = new NoGradGuard()) {
            JitModule network = load(file);
            network.eval();
            Tensor x = rand(batch, 3, 224, 224).to(ScalarType.BFloat16).contiguous(MemoryFormat.ChannelsLast);
            stopwatch.time(scoped(() -> network.forward(new IValueVector(new IValue(x)))));
        }
    }

    private static void adam(Stopwatch stopwatch) throws Exception {
        Tensor w = rand(Work.WEIGHTS).set_requires_grad(true);
        w.mutable_grad().put(rand(Work.WEIGHTS));
        Adam adam = new Adam(new TensorVector(w), new AdamOptions(Work.RATE));
        stopwatch.time(scoped(adam::step));
    }
}
