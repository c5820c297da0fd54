package dev.hadal.model;

import dev.hadal.backend.jvm.Reference;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Activation;
import dev.hadal.op.BatchNorm;
import dev.hadal.op.Bias;
import dev.hadal.op.Concat;
import dev.hadal.op.Constant;
import dev.hadal.op.Convolution;
import dev.hadal.op.ConvolutionTranspose;
import dev.hadal.op.Dropout;
import dev.hadal.op.GlobalAveragePool;
import dev.hadal.op.MatMul;
import dev.hadal.op.Pool;
import dev.hadal.op.Pooling;
import dev.hadal.op.Reshape;
import dev.hadal.op.Softmax;
import dev.hadal.op.Transpose;
import dev.hadal.op.Window;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.IntToDoubleFunction;

/**
 * Small networks drawn from a seed, as real ones are and as they should not be: grouped, depthwise, strided, dilated and
 * transposed convolutions, matrix products, biases, batch norms, activations, residual sums, concatenations, pools,
 * reshapes, dropout; weights that are shared, or computed from others; values that several nodes read, that an output
 * shows, or that nobody needs; several outputs. Their values stay near one in size, so that errors tell.
 */
public final class RandomGraphs {
    private static final List<Activation.Function> FUNCTIONS = List.of(Activation.Function.values());
    private static final int SAMPLES = 2;

    private final Philox random;
    private long drawn;
    private final Graph graph = new Graph();
    private final Map<String, Tensor> values = new LinkedHashMap<>();
    private final List<Value> images = new ArrayList<>();
    private final List<Value> rows = new ArrayList<>();
    /** Weights by the op and the type, for those who share. */
    private final Map<List<Object>, Value> shared = new LinkedHashMap<>();

    private RandomGraphs(long seed) {
        random = new Philox(seed, Philox.streamOf("random graphs"));
    }

    /** The network of that seed; its inputs hold two samples. */
    public static Model model(long seed) {
        return new RandomGraphs(seed).build();
    }

    /** What its inputs could be, by name. */
    public static Map<String, Tensor> inputs(Model model, long seed) {
        RandomGraphs draw = new RandomGraphs(~seed);
        Map<String, Tensor> inputs = new LinkedHashMap<>();
        for (Value v : model.graph().leaves(Role.INPUT)) {
            inputs.put(Graph.leafOf(v).name(), draw.tensor(v.shape(), i -> draw.normal()));
        }
        return inputs;
    }

    // ---- draws ----

    private int below(int bound) {
        return random.below(bound, drawn++);
    }

    private boolean chance(int percent) {
        return below(100) < percent;
    }

    private double normal() {
        return random.normal(drawn++);
    }

    private double between(double low, double high) {
        return low + (high - low) * random.uniform(drawn++);
    }

    private <T> T one(List<T> list) {
        return list.get(below(list.size()));
    }

    private Tensor tensor(Shape shape, IntToDoubleFunction value) {
        float[] all = new float[shape.size()];
        for (int i = 0; i < all.length; i++) {
            all[i] = (float) value.applyAsDouble(i);
        }
        return Tensor.of(shape, all);
    }

    // ---- the network ----

    private Model build() {
        int channels = 1 + below(6);
        images.add(graph.leaf(Role.INPUT, "x", Type.f32(SAMPLES, channels, 4 + below(5), 4 + below(5))));
        rows.add(graph.leaf(Role.INPUT, "z", Type.f32(SAMPLES, 2 + below(6))));
        int layers = 5 + below(8);
        for (int i = 0; i < layers; i++) {
            String path = "layer" + i;
            graph.within(path, () -> {
                layer(path);
                return path;
            });
        }
        graph.output("y", head(images.get(images.size() - 1)));
        if (chance(60)) {
            graph.output("rows", rows.get(rows.size() - 1));
        }
        if (chance(25)) {
            graph.output("shown", one(images));
        }
        return new Model(graph, values);
    }

    private Value head(Value image) {
        Value y = new Reshape(List.of(0, -1)).of(new GlobalAveragePool().of(image));
        return chance(50) ? new Softmax(-1, false).of(linear("head", y, 3)) : y;
    }

    /** Mostly goes on from the last image; sometimes from an earlier one, which then has several readers. */
    private Value image() {
        return chance(80) ? images.get(images.size() - 1) : one(images);
    }

    private Value row() {
        return chance(80) ? rows.get(rows.size() - 1) : one(rows);
    }

    private void layer(String path) {
        switch (below(12)) {
            case 0, 1, 2 -> images.add(product(path, image()));
            case 3 -> images.add(residual(path, image()));
            case 4 -> images.add(residualOfTwo(path, image()));
            case 5 -> images.add(transposedConvolution(path, image()));
            case 6 -> images.add(concat(path, image()));
            case 7 -> images.add(pooled(image()));
            case 8 -> images.add(moved(path, image()));
            case 9 -> images.add(followed(path + ".alone", image()));
            default -> rows.add(linearLayer(path, row()));
        }
    }

    private Value product(String path, Value x) {
        int c = x.shape().get(1);
        return switch (below(4)) {
            case 0 -> convolution(path, x, c, 3, Window.of(1, 1, 1), c); // depthwise
            case 1 -> convolution(path, x, 2 + 2 * below(3), 1, Window.UNIT, 1);
            case 2 ->
                convolution(path, x, 2 * c > 12 ? c : 2 * c, 3, Window.of(1 + below(2), 1, 1), c % 2 == 0 ? 2 : 1);
            default -> convolution(path, x, 1 + below(6), 3, Window.of(1, 2, 2), 1);
        };
    }

    private Value convolution(String path, Value x, int out, int kernel, Window window, int groups) {
        int in = x.shape().get(1) / groups;
        Convolution op = new Convolution(window, groups);
        Value w = weight(op, path + ".weight", Shape.of(out, in, kernel, kernel), in * kernel * kernel);
        return followed(path, op.of(x, w));
    }

    private Value transposedConvolution(String path, Value x) {
        int in = x.shape().get(1);
        int groups = in % 2 == 0 && chance(50) ? 2 : 1;
        boolean large = x.shape().get(2) > 9 || x.shape().get(3) > 9;
        ConvolutionTranspose op = new ConvolutionTranspose(
                Window.of(large ? 1 : 2, 1, 1), groups, large ? 0 : below(2), large ? 0 : below(2));
        int out = 1 + below(3);
        Value w = weight(op, path + ".weight", Shape.of(in, out, 3, 3), 9 * in / groups);
        return followed(path, op.of(x, w));
    }

    /** y + f(y), in either order. */
    private Value residual(String path, Value x) {
        int c = x.shape().get(1);
        Value y = convolution(path + ".a", x, c, 3, Window.of(1, 1, 1), 1);
        Value z = conv1x1(path + ".b", y, c);
        Value sum = chance(50) ? WeightedSum.sum(List.of(x, z)) : WeightedSum.sum(List.of(z, x));
        return chance(70) ? activation(sum) : sum;
    }

    /** A block that projects its shortcut, so that both sides of the sum are products. */
    private Value residualOfTwo(String path, Value x) {
        int out = 2 + below(4);
        Value a = convolution(path + ".a", x, out, 3, Window.of(1, 1, 1), 1);
        Value b = conv1x1(path + ".b", x, out);
        Value sum = chance(80) ? WeightedSum.sum(List.of(a, b)) : new WeightedSum(List.of(0.5f, 2f)).of(a, b);
        return chance(70) ? activation(sum) : sum;
    }

    /** With nothing but a batch norm behind it, which is where residual branches end. */
    private Value conv1x1(String path, Value x, int out) {
        int in = x.shape().get(1);
        Convolution op = new Convolution(Window.UNIT, 1);
        Value y = op.of(x, weight(op, path + ".weight", Shape.of(out, in, 1, 1), in));
        return chance(80) ? batchNorm(path, y) : y;
    }

    private Value concat(String path, Value x) {
        if (x.shape().get(1) > 6) {
            return conv1x1(path, x, 3);
        }
        return new Concat(1).of(x, conv1x1(path, x, 1 + below(3)));
    }

    private Value pooled(Value x) {
        Pooling.Function f = chance(50) ? Pooling.Function.MAX : Pooling.Function.AVERAGE;
        boolean small = Math.min(x.shape().get(2), x.shape().get(3)) < 4;
        return small ? new Pool(f, 3, 3, Window.of(1, 1, 1)).of(x) : new Pool(f, 2, 2, Window.of(2, 0, 1)).of(x);
    }

    /** To another form and back, with something in between that has nothing to do there, or without. */
    private Value moved(String path, Value x) {
        int channels = x.shape().get(1);
        int height = x.shape().get(2);
        return switch (below(4)) {
            case 0 ->
                new Reshape(List.of(0, channels, height, -1))
                        .of(new Reshape(List.of(0, -1)).of(new Reshape(List.of(0, 0, -1)).of(x)));
            case 3 ->
                new Reshape(List.of(0, 0, height, -1))
                        .of(followed(
                                path,
                                new Reshape(List.of(
                                                -1, channels, height * x.shape().get(3)))
                                        .of(x)));
            case 1 -> new Transpose(List.of(0, 3, 1, 2)).of(new Transpose(List.of(0, 2, 3, 1)).of(x));
            default -> new Dropout(0.3f).of(new Reshape(List.of(0, 0, 0, -1)).of(x));
        };
    }

    private Value linearLayer(String path, Value x) {
        Value y = followed(path, linear(path, x, 2 + below(8)));
        return y.type().equals(x.type()) ? WeightedSum.sum(List.of(y, x)) : y;
    }

    private Value linear(String path, Value x, int out) {
        int in = x.shape().get(1);
        MatMul op = new MatMul(false, chance(70));
        Shape w = op.transposeB() ? Shape.of(out, in) : Shape.of(in, out);
        return op.of(x, weight(op, path + ".weight", w, in));
    }

    /** A bias, a batch norm, an activation and dropout, each or none of them. */
    private Value followed(String path, Value x) {
        Value y = x;
        int channels = x.shape().get(1);
        if (chance(50)) {
            y = new Bias().of(y, leaf(path + ".bias", Shape.of(channels), i -> 0.3 * normal()));
        }
        if (chance(15)) {
            images.add(y.shape().rank() == 4 ? y : images.get(0)); // so that others may read it, too
        }
        if (chance(60)) {
            y = batchNorm(path, y);
        }
        if (chance(60)) {
            y = activation(y);
        }
        return chance(15) ? new Dropout(0.5f).of(y) : y;
    }

    private Value activation(Value x) {
        return new Activation(chance(60) ? Activation.Function.RELU : one(FUNCTIONS)).of(x);
    }

    private Value batchNorm(String path, Value x) {
        Shape channels = Shape.of(x.shape().get(1));
        return new BatchNorm(1e-5f, 0.1f)
                .of(
                        x,
                        leaf(path + ".norm.weight", channels, i -> between(0.5, 1.5)),
                        leaf(path + ".norm.bias", channels, i -> 0.3 * normal()),
                        state(path + ".norm.mean", channels, i -> 0.3 * normal()),
                        state(path + ".norm.variance", channels, i -> between(0.5, 2)));
    }

    // ---- weights ----

    /** One of its own, one that another layer has already, or one that is computed from others. */
    private Value weight(Op op, String name, Shape shape, int terms) {
        List<Object> key = List.of(op, shape);
        Value known = shared.get(key);
        if (known != null && chance(50)) {
            return known;
        }
        double scale = 1 / Math.sqrt(terms);
        Value w = leaf(name, shape, i -> scale * normal());
        if (chance(12)) {
            w = WeightedSum.average(w, leaf(name + ".other", shape, i -> scale * normal()), 0.25f);
        } else if (chance(6)) {
            Value half = graph.append(new Constant(DType.F32, shape.dims(), 0.1f), List.of())
                    .get(0);
            w = WeightedSum.sum(List.of(w, half));
        } else if (chance(6) && shape.rank() == 2) {
            w = new Transpose(List.of(1, 0))
                    .of(leaf(name + ".transposed", Shape.of(shape.get(1), shape.get(0)), i -> scale * normal()));
        }
        shared.put(key, w);
        return w;
    }

    private Value leaf(String name, Shape shape, IntToDoubleFunction value) {
        return leaf(Role.WEIGHT, name, shape, value);
    }

    private Value state(String name, Shape shape, IntToDoubleFunction value) {
        return leaf(Role.STATE, name, shape, value);
    }

    private Value leaf(Role role, String name, Shape shape, IntToDoubleFunction value) {
        values.put(name, tensor(shape, value));
        return graph.leaf(role, name, Type.f32(shape));
    }

    // ---- what is right ----

    /** The outputs by the plain formulas in double precision, by name. */
    public static Map<String, double[]> exact(Model model, Map<String, Tensor> inputs) {
        Map<String, double[]> leaves = new LinkedHashMap<>();
        model.values().forEach((name, t) -> leaves.put(name, wide(t)));
        inputs.forEach((name, t) -> leaves.put(name, wide(t)));
        Map<Value, double[]> all = Reference.evaluate(model.graph(), leaves);
        Map<String, double[]> outputs = new LinkedHashMap<>();
        model.graph().outputs().forEach((name, v) -> outputs.put(name, Objects.requireNonNull(all.get(v))));
        return outputs;
    }

    /** An f32 tensor's values. */
    public static double[] wide(Tensor t) {
        float[] floats = t.floats();
        double[] wide = new double[floats.length];
        for (int i = 0; i < wide.length; i++) {
            wide[i] = floats[i];
        }
        return wide;
    }

    /** The largest difference, as a share of the largest value of that output, or of one; infinite for what is no number. */
    public static double error(Map<String, double[]> expected, Map<String, double[]> actual) {
        if (!expected.keySet().equals(actual.keySet())) {
            throw new AssertionError("the outputs are " + actual.keySet() + ", not " + expected.keySet());
        }
        double worst = 0;
        for (Map.Entry<String, double[]> output : expected.entrySet()) {
            double[] e = output.getValue();
            double[] a = Objects.requireNonNull(actual.get(output.getKey()));
            double largest = Math.max(1, Arrays.stream(e).map(Math::abs).max().orElse(0));
            for (int i = 0; i < e.length; i++) {
                double error = Math.abs(a[i] - e[i]) / largest;
                worst = error <= worst ? worst : Double.isNaN(error) ? Double.POSITIVE_INFINITY : error;
            }
        }
        return worst;
    }

    /** What a predictor answers. */
    public static Map<String, double[]> predicted(Predictor predictor, Map<String, Tensor> inputs) {
        Map<String, double[]> outputs = new LinkedHashMap<>();
        predictor.predict(inputs).forEach((name, y) -> outputs.put(name, wide(y)));
        return outputs;
    }
}
