package dev.hadal.cli;

import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.flatten;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.maxPool2d;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.sequential;

import dev.hadal.backend.Backends;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.nn.Layer;
import dev.hadal.op.Activation;
import dev.hadal.op.BatchNorm;
import dev.hadal.op.Convolution;
import dev.hadal.op.CrossEntropy;
import dev.hadal.op.Dropout;
import dev.hadal.op.Gather;
import dev.hadal.op.Hyper;
import dev.hadal.op.LayerNorm;
import dev.hadal.op.MatMul;
import dev.hadal.op.Mixed;
import dev.hadal.op.Pool;
import dev.hadal.op.Pooling;
import dev.hadal.op.Recurrent;
import dev.hadal.op.RmsNorm;
import dev.hadal.op.Softmax;
import dev.hadal.op.SparseMatMul;
import dev.hadal.op.Transpose;
import dev.hadal.op.Window;
import dev.hadal.optim.Clip;
import dev.hadal.optim.Optimizer;
import dev.hadal.run.Plan;
import dev.hadal.run.Session;
import dev.hadal.run.Store;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import dev.hadal.train.Trainer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Work to be timed on any backend: a few ops, whose operands and results lie as the kernels want them, as they do in the
 * middle of a network; or a whole training step. All values are random, since zeros read too fast.
 */
public final class Workload {
    private static final Convolution CONVOLUTION = new Convolution(Window.of(1, 1, 1), 1);
    private static final List<DType> FACTORS = List.of(DType.F32, DType.BF16);
    private static final int FLOAT = Float.BYTES;
    /** As they come in residual networks for large images. */
    private static final List<Shape> IMAGES =
            List.of(Shape.of(8, 64, 56, 56), Shape.of(8, 128, 28, 28), Shape.of(8, 256, 14, 14));

    private final String name;
    private final String size;
    private final DType type;
    private final Cost cost;
    private final Function<Backends, Ready> preparation;

    /**
     * What a run takes at least, wherever it runs.
     *
     * @param flops additions and multiplications; 0 where the bytes decide
     * @param bytes to be read and written, once each; 0 where the arithmetic decides
     */
    public record Cost(double flops, double bytes) {
        static Cost flops(double flops) {
            return new Cost(flops, 0);
        }

        static Cost bytes(double bytes) {
            return new Cost(0, bytes);
        }

        /** Not known, as of a whole network. */
        static final Cost UNKNOWN = new Cost(0, 0);
    }

    private Workload(String name, String size, DType type, Cost cost, Function<Backends, Ready> preparation) {
        this.name = name;
        this.size = size;
        this.type = type;
        this.cost = cost;
        this.preparation = preparation;
    }

    private static Workload ops(String name, String size, Cost cost, Consumer<Ops> body) {
        return ops(name, size, DType.F32, cost, body);
    }

    private static Workload ops(String name, String size, DType type, Cost cost, Consumer<Ops> body) {
        return new Workload(name, size, type, cost, backends -> prepare(type, body, backends));
    }

    /** What is computed. */
    public String name() {
        return name;
    }

    /** On operands of which shapes. */
    public String size() {
        return size;
    }

    /** Of what is multiplied: f32 or bf16. */
    public DType type() {
        return type;
    }

    /** What it takes at least. */
    public Cost cost() {
        return cost;
    }

    @Override
    public String toString() {
        return name + " " + size + (type == DType.F32 ? "" : " bf16");
    }

    // ---- kernels ----

    /** The product of two square matrices. */
    public static Workload gemm(int n, DType type) {
        return ops("matmul", n + "×" + n + "×" + n, type, Cost.flops(2.0 * n * n * n), r -> {
            Value a = r.operand("a", Shape.of(n, n));
            Value b = r.operand("b", Shape.of(n, n));
            r.append(new MatMul(false, false), type, a, b);
        });
    }

    /** Rows of values times a square matrix of weights, as in a linear layer. */
    public static Workload dense(int rows, int width, DType type) {
        return ops("dense", rows + "×" + width + "×" + width, type, Cost.flops(2.0 * rows * width * width), r -> {
            Value x = r.operand("x", Shape.of(rows, width));
            Value w = r.operand("w", Shape.of(width, width));
            r.append(new MatMul(false, true), DType.F32, x, w);
        });
    }

    /** The same with weights of which only that share is kept, in blocks of so many outputs of one input. */
    public static Workload sparse(int rows, int width, int height, double kept, DType type) {
        int perRow = (int) Math.max(1, Math.round(kept * width));
        int blockRows = width / height;
        String size =
                String.format(Locale.ROOT, "%d×%d×%d, %.3g%% in blocks of %d", rows, width, width, 100 * kept, height);
        return ops("sparse", size, type, Cost.flops(2.0 * rows * perRow * width), r -> {
            int[] starts = new int[blockRows + 1];
            Arrays.setAll(starts, row -> row * perRow);
            Value x = r.operand("x", Shape.of(rows, width));
            Value values = r.operand("values", Shape.of(blockRows * perRow, height));
            Value columns = r.fixed("columns", columns(blockRows, perRow, width));
            r.append(new SparseMatMul(width), DType.F32, x, values, columns, r.fixed("starts", starts));
        });
    }

    /** So many of the columns for each row, at random and in order. */
    private static int[] columns(int rows, int perRow, int width) {
        int[] columns = new int[rows * perRow];
        Philox random = new Philox(5, Philox.streamOf("columns"));
        long draws = 0;
        for (int row = 0; row < rows; row++) {
            int left = perRow;
            for (int k = 0; k < width; k++) {
                if (random.uniform(draws++) * (width - k) < left) {
                    columns[(row + 1) * perRow - left--] = k;
                }
            }
        }
        return columns;
    }

    /** 3×3 kernels over 32 images of 28×28, with as many channels in as out. */
    public static Workload convolution(int channels) {
        return convolution(images(channels), DType.F32);
    }

    /** 3×3 kernels, padded, with as many channels in as out. */
    public static Workload convolution(Shape images, DType type) {
        return ops("convolution 3×3", images.toString(), type, Cost.flops(flops(images)), r -> {
            Value x = r.operand("x", images);
            Value w = r.operand("w", kernels(images));
            r.append(CONVOLUTION, type, x, w);
        });
    }

    /** The gradient of the images. */
    public static Workload convolutionBackwardData(Shape images, DType type) {
        return ops("convolution 3×3, backward data", images.toString(), type, Cost.flops(flops(images)), r -> {
            Value w = r.operand("w", kernels(images));
            Value dy = r.operand("dy", images);
            r.append(new Convolution.BackwardData(CONVOLUTION, images), type, dy, w);
        });
    }

    /** The gradient of the kernels. */
    public static Workload convolutionBackwardWeights(Shape images, DType type) {
        return ops("convolution 3×3, backward weights", images.toString(), type, Cost.flops(flops(images)), r -> {
            Value x = r.operand("x", images);
            Value dy = r.operand("dy", images);
            r.append(new Convolution.BackwardWeights(CONVOLUTION, kernels(images)), DType.F32, x, dy);
        });
    }

    /** Both gradients. */
    public static Workload convolutionBackward(int channels) {
        Shape images = images(channels);
        return ops("convolution 3×3, backward", images.toString(), Cost.flops(2 * flops(images)), r -> {
            Value x = r.operand("x", images);
            Value w = r.operand("w", kernels(images));
            Value dy = r.operand("dy", images);
            new Convolution.BackwardData(CONVOLUTION, images).of(dy, w);
            new Convolution.BackwardWeights(CONVOLUTION, kernels(images)).of(x, dy);
        });
    }

    /** Batch norm in training, forward and backward: x is read twice for y, x and dy twice for dx. */
    public static Workload batchNorm(int channels) {
        Shape images = images(channels);
        return ops("batch norm, both ways", images.toString(), Cost.bytes(8.0 * FLOAT * images.size()), r -> {
            float epsilon = 1e-5f;
            Value x = r.operand("x", images);
            Value dy = r.operand("dy", images);
            Value scale = r.operand("scale", Shape.of(channels));
            Value bias = r.operand("bias", Shape.of(channels));
            List<Value> y = new BatchNorm.Training(epsilon).call(x, scale, bias);
            new BatchNorm.Backward(epsilon).of(x, dy, scale, y.get(1), y.get(2));
        });
    }

    /** Layer norm of rows. */
    public static Workload layerNorm(int rows, int columns) {
        Shape x = Shape.of(rows, columns);
        return ops("layer norm", x.toString(), Cost.bytes(2.0 * FLOAT * x.size()), r -> {
            Value scale = r.operand("scale", Shape.of(columns));
            Value bias = r.operand("bias", Shape.of(columns));
            Value in = r.operand("x", x);
            new LayerNorm(1, 1e-5f).call(in, scale, bias);
        });
    }

    /** All gradients of layer norm. */
    public static Workload layerNormBackward(int rows, int columns) {
        Shape x = Shape.of(rows, columns);
        return ops("layer norm, backward", x.toString(), Cost.bytes(3.0 * FLOAT * x.size()), r -> {
            Value in = r.operand("x", x);
            Value dy = r.operand("dy", x);
            Value scale = r.operand("scale", Shape.of(columns));
            Value mean = r.operand("mean", Shape.of(rows));
            Value variance = r.operand("variance", Shape.of(rows));
            new LayerNorm.Backward(1, 1e-5f).call(in, dy, scale, mean, variance);
        });
    }

    /** Softmax of rows. */
    public static Workload softmax(int rows, int columns) {
        Shape x = Shape.of(rows, columns);
        return ops(
                "softmax",
                x.toString(),
                Cost.bytes(2.0 * FLOAT * x.size()),
                r -> new Softmax(-1, false).of(r.operand("x", x)));
    }

    /** An activation function. */
    public static Workload activation(Activation.Function function, int rows, int columns) {
        Shape x = Shape.of(rows, columns);
        String name = function.name().toLowerCase(Locale.ROOT).replace('_', ' ');
        return ops(
                name,
                x.toString(),
                Cost.bytes(2.0 * FLOAT * x.size()),
                r -> new Activation(function).of(r.operand("x", x)));
    }

    /** One fused update: four values are read for each weight, three written. */
    public static Workload adamw(int weights) {
        return ops("AdamW", String.format(Locale.ROOT, "%,d", weights), Cost.bytes(7.0 * FLOAT * weights), r -> {
            Shape flat = Shape.of(weights);
            Value w = r.operand("w", flat);
            Value g = r.operand("g", flat);
            Value m = r.operand("m", flat);
            Value v = r.operand("v", flat);
            Value norm = r.operand("norm", Shape.SCALAR);
            List<Value> updated = Optimizer.adamw().rule().update(w, g, List.of(m, v), norm, r.hyper());
            r.commit(w, updated.get(0));
            r.commit(m, updated.get(1));
            r.commit(v, updated.get(2));
        });
    }

    /** Layer norm without the mean. */
    public static Workload rmsNorm(int rows, int columns) {
        Shape x = Shape.of(rows, columns);
        return ops("RMS norm", x.toString(), Cost.bytes(2.0 * FLOAT * x.size()), r -> {
            Value scale = r.operand("scale", Shape.of(columns));
            new RmsNorm(1, 1e-5f).call(r.operand("x", x), scale);
        });
    }

    /** The gradient of softmax. */
    public static Workload softmaxBackward(int rows, int columns) {
        Shape x = Shape.of(rows, columns);
        return ops("softmax, backward", x.toString(), Cost.bytes(3.0 * FLOAT * x.size()), r -> {
            Value y = r.operand("y", x);
            new Softmax.Backward(new Softmax(-1, false)).of(y, r.operand("dy", x));
        });
    }

    /** The loss of classifiers, with the probabilities that its gradient needs. */
    public static Workload crossEntropy(int rows, int classes) {
        Shape x = Shape.of(rows, classes);
        return ops("cross-entropy", x.toString(), Cost.bytes(2.0 * FLOAT * x.size()), r -> {
            Value labels = r.indices("labels", Shape.of(rows), classes);
            new CrossEntropy(0).call(r.operand("x", x), labels);
        });
    }

    /** The maxima of 2×2 pixels, and where they lie. */
    public static Workload maxPool(int channels) {
        Shape images = images(channels);
        return ops("max pool 2×2", images.toString(), Cost.bytes(1.5 * FLOAT * images.size()), r -> {
            Window halving = Window.of(2, 0, 1);
            new Pool(Pooling.Function.MAX, 2, 2, halving).call(r.operand("x", images));
        });
    }

    /** Dropout in training. */
    public static Workload dropout(int rows, int columns) {
        Shape x = Shape.of(rows, columns);
        return ops("dropout", x.toString(), Cost.bytes(2.0 * FLOAT * x.size()), r -> {
            Value random = r.indices("random", Shape.of(4), 1 << 20);
            new Dropout.Training(0.1f, "dropout").of(r.operand("x", x), random);
        });
    }

    /** The embeddings of tokens out of a vocabulary of 32,000. */
    public static Workload embedding(int tokens, int width) {
        Shape table = Shape.of(32_000, width);
        double bytes = 2.0 * FLOAT * tokens * width;
        return ops("embedding", tokens + " of " + table, Cost.bytes(bytes), r -> {
            Value indices = r.indices("indices", Shape.of(tokens), table.get(0));
            new Gather(0).of(r.operand("x", table), indices);
        });
    }

    /** A matrix with its axes exchanged. */
    public static Workload transpose(int rows, int columns) {
        Shape x = Shape.of(rows, columns);
        return ops(
                "transpose",
                x.toString(),
                Cost.bytes(2.0 * FLOAT * x.size()),
                r -> new Transpose(List.of(1, 0)).of(r.operand("x", x)));
    }

    /** An LSTM of as many units as inputs. */
    public static Workload lstm(int n, int steps, int units) {
        Shape x = Shape.of(n, steps, units);
        double flops = 2.0 * x.size() * 8 * units;
        return ops("LSTM", x.toString(), Cost.flops(flops), r -> {
            Shape weights = Shape.of(4 * units, units);
            Shape bias = Shape.of(4 * units);
            new Recurrent(Recurrent.Cell.LSTM, false, false, false)
                    .call(
                            r.operand("x", x),
                            r.operand("weight_ih", weights),
                            r.operand("weight_hh", weights),
                            r.operand("bias_ih", bias),
                            r.operand("bias_hh", bias));
        });
    }

    private static Shape images(int channels) {
        return Shape.of(32, channels, 28, 28);
    }

    private static Shape kernels(Shape images) {
        return Shape.of(images.get(1), images.get(1), 3, 3);
    }

    /** The taps of an edge that lie outside the image are not counted. */
    private static double flops(Shape images) {
        double taps = (3.0 * images.get(2) - 2) * (3.0 * images.get(3) - 2);
        return 2.0 * images.get(0) * images.get(1) * images.get(1) * taps;
    }

    // ---- training steps ----

    /** A training step, Adam included, of a perceptron 784-1024-1024-10 on 128 samples. */
    public static Workload mlp(DType type) {
        Layer network = sequential(linear(1024), relu(), linear(1024), relu(), linear(10));
        double products = 784.0 * 1024 + 1024.0 * 1024 + 1024.0 * 10;
        Cost cost = Cost.flops(2 * 128 * (3 * products - 784.0 * 1024));
        return training("training step, MLP 784-1024-1024-10", network, Shape.of(784), 128, type, cost);
    }

    /** A training step, Adam included, of a convolutional network on 64 images. */
    public static Workload cnn(DType type) {
        Layer network = sequential(
                conv2d(32, 3), relu(), conv2d(64, 3), relu(), maxPool2d(2), flatten(), linear(128), relu(), linear(10));
        double first = 26.0 * 26 * 9 * 32;
        double others = 24.0 * 24 * 9 * 32 * 64 + 9216.0 * 128 + 128.0 * 10;
        return training(
                "training step, CNN 32-64-128-10",
                network,
                Shape.of(1, 28, 28),
                64,
                type,
                Cost.flops(2 * 64 * (2 * first + 3 * others)));
    }

    /** The same on random samples of ten classes. */
    private static Workload training(String name, Layer network, Shape sample, int batch, DType type, Cost cost) {
        int[] classes = new int[batch];
        Philox random = new Philox(2, 0);
        for (int i = 0; i < batch; i++) {
            classes[i] = (int) (10 * random.uniform(i));
        }
        Tensor x = random("x", Type.f32(sample.prepend(batch)));
        Workload step = training(network, sample, x, Tensor.of(Shape.of(batch), classes), type);
        return new Workload(name, step.size, type, cost, step.preparation);
    }

    /** A training step of any network that classifies, Adam included. */
    static Workload training(Layer network, Shape sample, Tensor x, Tensor target, DType type) {
        int batch = x.shape().get(0);
        return new Workload("training step", "batch of " + batch, type, Cost.UNKNOWN, backends -> {
            Trainer.Builder builder = Trainer.of(network, sample)
                    .optimizer(Optimizer.adam())
                    .batch(batch)
                    .backends(backends);
            Trainer trainer = (type == DType.BF16 ? builder.bf16() : builder).build();
            return new Ready(trainer.plan(), () -> trainer.step(x, target), trainer::close);
        });
    }

    // ---- timed ----

    /** The times on each of the sides, in turns; {@link Timing#NONE} where one declines. */
    List<Timing> times(List<Backends> sides, double seconds) {
        List<@Nullable Ready> ready = new ArrayList<>();
        try {
            for (Backends side : sides) {
                ready.add(prepareIfPossible(side));
            }
            List<Runnable> bodies = ready.stream()
                    .filter(Objects::nonNull)
                    .<Runnable>map(r -> r::run)
                    .toList();
            Iterator<Timing> times = Timing.inTurns(bodies, seconds).iterator();
            return ready.stream()
                    .map(r -> r == null ? Timing.NONE : times.next())
                    .toList();
        } finally {
            ready.stream().filter(Objects::nonNull).forEach(Ready::close);
        }
    }

    private @Nullable Ready prepareIfPossible(Backends side) {
        try {
            return prepare(side);
        } catch (IllegalStateException declined) {
            return null;
        }
    }

    // ---- all of them ----

    /** Every kind of work, on operands from small to large, so that the sizes at which Java is as fast show, too. */
    static List<Workload> all() {
        List<Workload> all = new ArrayList<>();
        for (int n : new int[] {16, 64, 128, 256, 512, 1024, 2048}) {
            all.add(gemm(n, DType.F32));
            all.add(gemm(n, DType.BF16));
        }
        for (int channels : new int[] {8, 32, 64}) {
            all.add(convolution(channels));
            all.add(convolutionBackward(channels));
            all.add(batchNorm(channels));
            all.add(maxPool(channels));
        }
        for (Shape images : IMAGES) {
            for (DType type : FACTORS) {
                all.add(convolution(images, type));
                all.add(convolutionBackwardData(images, type));
                all.add(convolutionBackwardWeights(images, type));
            }
        }
        for (int rows : new int[] {16, 256, 2048}) {
            all.add(layerNorm(rows, 1024));
            all.add(layerNormBackward(rows, 1024));
            all.add(rmsNorm(rows, 1024));
            all.add(softmax(rows, 1024));
            all.add(softmaxBackward(rows, 1024));
            all.add(crossEntropy(rows, 1024));
            all.add(activation(Activation.Function.RELU, rows, 1024));
            all.add(activation(Activation.Function.GELU, rows, 1024));
            all.add(activation(Activation.Function.SILU, rows, 1024));
            all.add(dropout(rows, 1024));
            all.add(transpose(rows, 1024));
            all.add(embedding(rows, 256));
        }
        for (DType type : FACTORS) {
            all.add(dense(256, 1024, type));
            for (int height : new int[] {1, 8, 16, 32}) {
                all.add(sparse(256, 1024, height, 0.1, type));
            }
        }
        for (int units : new int[] {32, 128, 512}) {
            all.add(lstm(32, 32, units));
        }
        for (int weights : new int[] {1_000, 100_000, 1_000_000, 10_000_000}) {
            all.add(adamw(weights));
        }
        for (DType type : FACTORS) {
            all.add(mlp(type));
            all.add(cnn(type));
        }
        return all;
    }

    /** What {@code hadal bench} measures. */
    static List<Workload> few() {
        List<Workload> few = new ArrayList<>();
        for (int n : new int[] {16, 128, 512, 1024, 2048}) {
            FACTORS.forEach(type -> few.add(gemm(n, type)));
        }
        for (DType type : FACTORS) {
            IMAGES.forEach(images -> few.add(convolution(images, type)));
            IMAGES.forEach(images -> few.add(convolutionBackwardData(images, type)));
            IMAGES.forEach(images -> few.add(convolutionBackwardWeights(images, type)));
        }
        few.add(batchNorm(32));
        few.add(maxPool(32));
        few.add(layerNorm(2048, 1024));
        few.add(layerNormBackward(2048, 1024));
        few.add(softmax(2048, 1024));
        few.add(activation(Activation.Function.RELU, 2048, 1024));
        few.add(activation(Activation.Function.GELU, 2048, 1024));
        few.add(embedding(2048, 256));
        few.add(lstm(32, 32, 128));
        FACTORS.forEach(type -> few.add(dense(256, 1024, type)));
        few.add(sparse(256, 1024, 1, 0.1, DType.F32));
        few.add(sparse(256, 1024, 8, 0.1, DType.F32));
        few.add(sparse(256, 1024, 32, 0.1, DType.BF16));
        for (int weights : new int[] {1_000, 100_000, 10_000_000}) {
            few.add(adamw(weights));
        }
        for (DType type : FACTORS) {
            few.add(mlp(type));
            few.add(cnn(type));
        }
        return few;
    }

    /**
     * The one of that name and size, such as {@code matmul 512×512×512}.
     *
     * @throws IllegalArgumentException if there is none; the message lists them all
     */
    public static Workload named(String text) {
        return all().stream()
                .filter(w -> w.toString().equals(text))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no workload '" + text + "', only " + all()));
    }

    // ---- made ready ----

    /**
     * Compiles the work for these backends.
     *
     * @throws IllegalStateException if the first backend declines a part of it
     */
    public Ready prepare(Backends backends) {
        return preparation.apply(backends.required());
    }

    private static Ready prepare(DType type, Consumer<Ops> body, Backends backends) {
        Ops ops = new Ops(type);
        body.accept(ops);
        Plan plan = Plan.compile(ops.graph, backends, new Plan.Options(null, Map.of(), true));
        Store store = new Store();
        Runnable close = () -> {
            plan.close();
            store.close();
        };
        try {
            return new Ready(plan, ops.session(plan, store)::run, close);
        } catch (RuntimeException | Error e) {
            close.run();
            throw e;
        }
    }

    /**
     * Compiled work, with its memory.
     *
     * @param plan what runs
     * @param body runs it once
     */
    public record Ready(Plan plan, Runnable body, Runnable release) implements AutoCloseable {
        /** Does the work once. */
        public void run() {
            body.run();
        }

        @Override
        public void close() {
            release.run();
        }
    }

    /** The graph of the ops. What nobody reads is computed, too, and lies as its kernel wrote it. */
    private static final class Ops {
        final Graph graph = new Graph();
        private final Map<String, int[]> indices = new LinkedHashMap<>();
        private final DType type;
        private boolean updates;

        Ops(DType type) {
            this.type = type;
        }

        Value operand(String name, Shape shape) {
            return graph.leaf(Role.WEIGHT, name, new Type(type, shape));
        }

        /** An op on operands that may be bf16, and its only result. */
        void append(Op op, DType result, Value... operands) {
            (type == DType.F32 ? op : new Mixed(op, List.of(result))).of(operands);
        }

        /** Whole numbers from 0 to below the bound. */
        Value indices(String name, Shape shape, int bound) {
            Philox random = new Philox(3, Philox.streamOf(name));
            int[] values = new int[shape.size()];
            for (int i = 0; i < values.length; i++) {
                values[i] = (int) (bound * random.uniform(i));
            }
            return fixed(name, shape, values);
        }

        /** These numbers. */
        Value fixed(String name, int... values) {
            return fixed(name, Shape.of(values.length), values);
        }

        private Value fixed(String name, Shape shape, int... values) {
            indices.put(name, values);
            return graph.leaf(Role.INPUT, name, new Type(DType.I32, shape));
        }

        Value hyper() {
            updates = true;
            return graph.leaf(Role.SCALAR, "hyper", Hyper.TYPE);
        }

        void commit(Value operand, Value value) {
            graph.commit(operand, value);
        }

        Session session(Plan plan, Store store) {
            Map<String, Store.Placement> placed = new LinkedHashMap<>(plan.stored());
            store.add("operands", placed);
            placed.forEach((name, placement) ->
                    store.write(name, random(name, placement.layout().type())));
            Session session = plan.session(store);
            indices.forEach(session::write);
            if (updates) {
                float[] hyper = new float[Hyper.TYPE.shape().size()];
                Optimizer.adamw().settings("w", Shape.of(1, 1)).fill(hyper, 1, 1e-3, Clip.globalNorm(1));
                session.write("hyper", hyper);
            }
            return session;
        }
    }

    /** Uniform in [0, 1), since a second moment is never negative. */
    private static Tensor random(String name, Type type) {
        Philox random = new Philox(1, Philox.streamOf(name));
        Tensor tensor = Tensor.zeros(DType.F32, type.shape());
        for (int i = 0; i < tensor.floats().length; i++) {
            tensor.floats()[i] = random.uniform(i);
        }
        return type.dtype() == DType.BF16 ? tensor.narrowed() : tensor;
    }
}
