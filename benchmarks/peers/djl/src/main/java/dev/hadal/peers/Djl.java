package dev.hadal.peers;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Blocks;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.core.Linear;
import ai.djl.nn.pooling.Pool;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.GradientCollector;
import ai.djl.training.Trainer;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;

/** DJL with its PyTorch engine. Results are closed one by one, which is faster than a manager for each step. */
public final class Djl {
    private Djl() {}

    public static void main(String[] args) throws Exception {
        Engine engine = Engine.getInstance();
        Stopwatch stopwatch =
                new Stopwatch("DJL " + Engine.getDjlVersion() + ", PyTorch " + engine.getVersion(), args[0]);
        try (NDManager manager = NDManager.newBaseManager()) {
            switch (args[0]) {
                case "mlp-f32" -> train(stopwatch, manager, mlp(), Work.mlp(), 784);
                case "cnn-f32" -> train(stopwatch, manager, cnn(), Work.cnn(), 1, 28, 28);
                case "adam" -> {
                    NDArray w = manager.create(Work.random(Work.WEIGHTS));
                    NDArray gradient = manager.create(Work.random(Work.WEIGHTS));
                    Optimizer adam = adam();
                    stopwatch.time(() -> {
                        adam.update("w", w, gradient);
                        return null;
                    });
                }
                case "add" -> {
                    NDArray a = manager.create(new float[] {1, 2});
                    NDArray b = manager.create(new float[] {3, 4});
                    stopwatch.time(() -> {
                        a.add(b).close();
                        return null;
                    });
                }
                case "matmul16" -> {
                    NDArray a = manager.create(Work.random(256), new Shape(16, 16));
                    stopwatch.time(() -> {
                        a.dot(a).close();
                        return null;
                    });
                }
                default -> throw new IllegalArgumentException(args[0]);
            }
        }
    }

    private static Block mlp() {
        return new SequentialBlock()
                .add(Linear.builder().setUnits(1024).build())
                .add(Activation::relu)
                .add(Linear.builder().setUnits(1024).build())
                .add(Activation::relu)
                .add(Linear.builder().setUnits(10).build());
    }

    private static Block cnn() {
        Shape three = new Shape(3, 3);
        Shape two = new Shape(2, 2);
        return new SequentialBlock()
                .add(Conv2d.builder().setKernelShape(three).setFilters(32).build())
                .add(Activation::relu)
                .add(Conv2d.builder().setKernelShape(three).setFilters(64).build())
                .add(Activation::relu)
                .add(Pool.maxPool2dBlock(two, two))
                .add(Blocks.batchFlattenBlock())
                .add(Linear.builder().setUnits(128).build())
                .add(Activation::relu)
                .add(Linear.builder().setUnits(10).build());
    }

    private static Optimizer adam() {
        return Optimizer.adam()
                .optLearningRateTracker(Tracker.fixed((float) Work.RATE))
                .build();
    }

    private static void train(Stopwatch stopwatch, NDManager manager, Block network, Work work, long... sample)
            throws Exception {
        Shape one = new Shape(sample);
        Shape images = new Shape(work.batch()).addAll(one);
        NDArray[] x = new NDArray[work.images().length];
        NDArray[] target = new NDArray[x.length];
        for (int b = 0; b < x.length; b++) {
            x[b] = manager.create(work.images()[b], images);
            target[b] = manager.create(work.classes()[b]);
        }
        Loss crossEntropy = Loss.softmaxCrossEntropyLoss();
        DefaultTrainingConfig config = new DefaultTrainingConfig(crossEntropy)
                .optDevices(new Device[] {Device.cpu()})
                .optOptimizer(adam());
        int[] step = {0};
        try (Model model = Model.newInstance("peer")) {
            model.setBlock(network);
            try (Trainer trainer = model.newTrainer(config)) {
                trainer.initialize(images);
                stopwatch.train(() -> {
                    int b = step[0]++ % x.length;
                    float value;
                    try (GradientCollector collector = trainer.newGradientCollector()) {
                        NDList y = trainer.forward(new NDList(x[b]));
                        NDArray loss = crossEntropy.evaluate(new NDList(target[b]), y);
                        collector.backward(loss);
                        value = loss.getFloat();
                        loss.close();
                        y.close();
                    }
                    trainer.step();
                    return value;
                });
            }
        }
    }
}
