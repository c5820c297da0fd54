package dev.hadal.peers;

import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.flatten;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.maxPool2d;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.sequential;

import dev.hadal.backend.Backends;
import dev.hadal.cli.Workload;
import dev.hadal.graph.Op;
import dev.hadal.model.Model;
import dev.hadal.nn.Layer;
import dev.hadal.nn.ResNet;
import dev.hadal.op.Binary;
import dev.hadal.op.MatMul;
import dev.hadal.optim.Optimizer;
import dev.hadal.run.Kernels;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import dev.hadal.train.Trainer;
import java.nio.file.Path;

/** Hadal, native unless {@code -Dhadal.natives=off}. */
public final class Hadal {
    private static final Shape IMAGE = Shape.of(3, 224, 224);

    private Hadal() {}

    public static void main(String[] args) throws Exception {
        Stopwatch stopwatch = new Stopwatch("Hadal", args[0]);
        boolean bf16 = args[0].endsWith("-bf16");
        switch (args[0]) {
            case "mlp-f32", "mlp-bf16" -> train(stopwatch, layersOfMlp(), Shape.of(784), Work.mlp(), bf16);
            case "cnn-f32", "cnn-bf16" -> train(stopwatch, layersOfCnn(), Shape.of(1, 28, 28), Work.cnn(), bf16);
            case "adam" -> {
                try (Workload.Ready adam = Workload.adamw(Work.WEIGHTS).prepare(oneThread())) {
                    stopwatch.time(() -> {
                        adam.run();
                        return null;
                    });
                }
            }
            case "add" -> {
                Tensor a = Tensor.of(Shape.of(2), 1f, 2f);
                Tensor b = Tensor.of(Shape.of(2), 3f, 4f);
                call(stopwatch, new Binary(Binary.Function.ADD), a, b);
            }
            case "matmul16" -> {
                Tensor a = Tensor.of(Shape.of(16, 16), Work.random(256));
                call(stopwatch, new MatMul(false, false), a, a);
            }
            case "mlp1-f32" -> predict(stopwatch, Predictor.of(mlp(), oneThread()), Shape.of(1, 784));
            case "resnet50-1-f32" -> predict(stopwatch, Predictor.of(resnet50(), oneThread()), IMAGE.prepend(1));
            case "resnet50-8-f32" -> predict(stopwatch, Predictor.of(resnet50(), oneThread()), IMAGE.prepend(8));
            case "resnet50-1-bf16" -> predict(stopwatch, Predictor.bf16(resnet50(), oneThread()), IMAGE.prepend(1));
            case "resnet50-8-bf16" -> predict(stopwatch, Predictor.bf16(resnet50(), oneThread()), IMAGE.prepend(8));
            case "start" -> start(stopwatch, Path.of(args[1]), Backends.of("java"));
            case "start-native" -> start(stopwatch, Path.of(args[1]), Backends.of("onednn").required());
            case "write" -> mlp().save(Path.of(args[1]));
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    private static Layer layersOfMlp() {
        return sequential(linear(1024), relu(), linear(1024), relu(), linear(10));
    }

    private static Layer layersOfCnn() {
        return sequential(
                conv2d(32, 3), relu(), conv2d(64, 3), relu(), maxPool2d(2), flatten(), linear(128), relu(), linear(10));
    }

    private static Model mlp() {
        return layersOfMlp().model(Shape.of(784), 1);
    }

    private static Model resnet50() {
        return ResNet.resnet50(1000).model(IMAGE, 1);
    }

    private static Backends oneThread() {
        return Backends.automatic().withThreads(1).required();
    }

    private static void train(Stopwatch stopwatch, Layer network, Shape sample, Work work, boolean bf16)
            throws Exception {
        Tensor[] x = new Tensor[work.images().length];
        Tensor[] target = new Tensor[x.length];
        for (int b = 0; b < x.length; b++) {
            x[b] = Tensor.of(sample.prepend(work.batch()), work.images()[b]);
            target[b] = Tensor.of(Shape.of(work.batch()), work.classes()[b]);
        }
        int[] step = {0};
        Trainer.Builder builder = Trainer.of(network, sample)
                .optimizer(Optimizer.adam().rate(Work.RATE))
                .batch(work.batch())
                .backends(oneThread());
        if (bf16) {
            builder.bf16();
        }
        try (Trainer trainer = builder.build()) {
            stopwatch.train(() -> {
                int b = step[0]++ % x.length;
                trainer.step(x[b], target[b]);
                return trainer.loss();
            });
        }
    }

    private static void predict(Stopwatch stopwatch, Predictor network, Shape batch) throws Exception {
        Tensor x = Tensor.of(batch, Work.random(batch.size()));
        try (Predictor predictor = network) {
            stopwatch.time(() -> predictor.predict(x));
        }
    }

    private static void call(Stopwatch stopwatch, Op op, Tensor a, Tensor b) throws Exception {
        try (Kernels kernels = Kernels.of(Backends.automatic().withThreads(1))) {
            stopwatch.time(() -> kernels.run(op, a, b));
        }
    }

    private static void start(Stopwatch stopwatch, Path file, Backends backends) throws Exception {
        try (Predictor predictor = Predictor.of(Model.load(file), backends.withThreads(1))) {
            predictor.predict(Tensor.of(Shape.of(1, 784), Work.random(784)));
            stopwatch.started();
        }
    }
}
