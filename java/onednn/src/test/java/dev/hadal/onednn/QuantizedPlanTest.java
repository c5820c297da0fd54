package dev.hadal.onednn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.graph.Fused;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Activation;
import dev.hadal.op.Activation.Function;
import dev.hadal.op.Bias;
import dev.hadal.op.Concat;
import dev.hadal.op.Convolution;
import dev.hadal.op.GlobalAveragePool;
import dev.hadal.op.MatMul;
import dev.hadal.op.Pool;
import dev.hadal.op.Pooling;
import dev.hadal.op.Quantization;
import dev.hadal.op.Quantize;
import dev.hadal.op.Quantized;
import dev.hadal.op.Reshape;
import dev.hadal.op.Softmax;
import dev.hadal.op.Window;
import dev.hadal.run.Plan;
import dev.hadal.run.Session;
import dev.hadal.run.Store;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Networks in 8 bits stay in 8 bits: between the first and the last quantized node a compiled plan holds no f32 value but
 * softmax's, and no kernel brings one to f32 behind the plan's back.
 */
@Tag("native")
class QuantizedPlanTest {
    private static final Activation RELU = new Activation(Function.RELU);
    private static final WeightedSum SUM = new WeightedSum(List.of(1f, 1f));

    /** A network under construction; activations are u8, with a zero point unless they come from a ReLU. */
    private static final class Network {
        final Graph graph = new Graph();
        final Map<String, Tensor> weights = new LinkedHashMap<>();
        private final Map<Value, Quantization> quantizations = new LinkedHashMap<>();
        private final Random random = new Random(7);

        Value input(int... dims) {
            Value x = graph.leaf(Role.INPUT, "x", Type.f32(dims));
            Quantization q = Quantization.u8(0.02f, 120);
            return kept(new Quantize(q).of(x), q);
        }

        private Value kept(Value v, Quantization q) {
            quantizations.put(v, q);
            return v;
        }

        private Value leaf(Tensor value) {
            String name = "w" + weights.size();
            weights.put(name, value);
            return graph.leaf(Role.WEIGHT, name, new Type(value.dtype(), value.shape()));
        }

        private Value bytes(int... dims) {
            Tensor t = Tensor.zeros(DType.S8, Shape.of(dims));
            random.nextBytes(t.bytes());
            return leaf(t);
        }

        private Value bias(int n) {
            Tensor t = Tensor.zeros(DType.F32, Shape.of(n));
            for (int i = 0; i < n; i++) {
                t.floats()[i] = (float) random.nextGaussian();
            }
            return leaf(t);
        }

        private static Quantization perOutput(int n, double terms) {
            List<Float> scales = new ArrayList<>();
            for (int i = 0; i < n; i++) {
                scales.add((float) ((0.6 + 0.001 * i) / (73 * Math.sqrt(terms))));
            }
            return Quantization.s8(scales, 0);
        }

        private Value chain(Fused chain, Quantization w, Quantization y, Value... operands) {
            List<Quantization> in = new ArrayList<>();
            for (Value v : operands) {
                in.add(quantizations.getOrDefault(v, v.type().dtype() == DType.S8 ? w : Quantization.NONE));
            }
            return kept(new Quantized(chain, in, List.of(y)).of(operands), y);
        }

        /** With a bias, an activation unless that is null, and before it a residual unless that is null. */
        Value convolution(
                Value x, int out, int k, int stride, int groups, @Nullable Activation last, @Nullable Value residual) {
            int channels = x.shape().get(1);
            Fused chain = Fused.of(new Convolution(Window.of(stride, k / 2, 1), groups), 2)
                    .then(new Bias(), 2, 0);
            chain = residual == null ? chain : chain.then(SUM, 2, 0);
            chain = last == null ? chain : chain.then(last, 1, 0);
            Quantization w = perOutput(out, channels / (double) groups * k * k);
            Quantization y = last == null ? Quantization.u8(0.03f, 131) : Quantization.u8(0.02f, 0);
            Value weights = bytes(out, channels / groups, k, k);
            return residual == null
                    ? chain(chain, w, y, x, weights, bias(out))
                    : chain(chain, w, y, x, weights, bias(out), residual);
        }

        /** The same quantization after as before. */
        Value moved(Op op, Value... operands) {
            Quantization q = Objects.requireNonNull(quantizations.get(operands[0]));
            List<Quantization> results = new ArrayList<>(List.of(q));
            while (op instanceof Pool && results.size() < 2) {
                results.add(Quantization.NONE);
            }
            return kept(new Quantized(op, Collections.nCopies(operands.length, q), results).of(operands), q);
        }

        /** To logits in f32, and what is likely. */
        Network classified(Value x, int classes) {
            Value pooled = moved(new GlobalAveragePool(), x);
            Value row = moved(new Reshape(List.of(0, -1)), pooled);
            int features = row.shape().get(1);
            Fused linear = Fused.of(new MatMul(false, true), 2).then(new Bias(), 2, 0);
            Value logits = chain(
                    linear,
                    perOutput(classes, features),
                    Quantization.NONE,
                    row,
                    bytes(classes, features),
                    bias(classes));
            graph.output("logits", logits);
            graph.output("y", new Softmax(-1, false).of(logits));
            return this;
        }
    }

    private static Network residual(int n) {
        Network net = new Network();
        Value x = net.convolution(net.input(n, 3, 32, 32), 32, 7, 2, 1, RELU, null);
        x = net.moved(new Pool(Pooling.Function.MAX, 3, 3, Window.of(2, 1, 1)), x);
        for (int stride : new int[] {1, 2}) {
            Value inner = net.convolution(x, 64, 3, stride, 1, RELU, null);
            Value shortcut = net.convolution(x, 64, 1, stride, 1, null, null);
            x = net.convolution(inner, 64, 3, 1, 1, RELU, shortcut);
        }
        return net.classified(x, 10);
    }

    private static Network mobile(int n) {
        Network net = new Network();
        Value x = net.convolution(net.input(n, 1, 28, 28), 16, 3, 2, 1, new Activation(Function.HARD_SWISH), null);
        Value wide = net.convolution(x, 48, 1, 1, 1, new Activation(Function.RELU6), null);
        Value deep = net.convolution(wide, 48, 3, 1, 48, new Activation(Function.RELU6), null);
        Value narrow = net.convolution(deep, 16, 1, 1, 1, null, x);
        Value both = net.moved(new Concat(1), wide, deep);
        return net.classified(
                net.convolution(both, 32, 1, 1, 1, RELU, net.convolution(narrow, 32, 1, 1, 1, null, null)), 10);
    }

    private static Tensor[] run(Network net, Plan plan, Tensor x) {
        try (Store store = Store.of(plan, net.weights);
                Session session = plan.session(store)) {
            session.write("x", x);
            session.run();
            return new Tensor[] {session.read("logits"), session.read("y")};
        }
    }

    private static Tensor image(int... dims) {
        Tensor x = Tensor.zeros(DType.F32, Shape.of(dims));
        Random random = new Random(3);
        for (int i = 0; i < x.floats().length; i++) {
            x.floats()[i] = (float) random.nextGaussian();
        }
        return x;
    }

    private static void staysInBytes(Network net, Tensor x) {
        Assumptions.assumeTrue(Library.get().hasHadal(), "libhadal is not built");
        Assumptions.assumeTrue(Library.get().multipliesBytes(), "no products of bytes on this processor");
        try (Plan plan = Plan.compile(net.graph, Backends.of("onednn").withThreads(1), Plan.Options.DEFAULT);
                Plan java = Plan.compile(net.graph, Backends.java(), Plan.Options.DEFAULT)) {
            List<String> steps =
                    plan.toString().lines().filter(line -> line.contains("->")).toList();
            int first = indexOf(steps, "quantize[");
            int last = indexOf(steps, "matmul");
            Pattern result = Pattern.compile(" : ([a-z0-9]+)\\[");
            for (int i = first; i < last; i++) {
                String step = steps.get(i);
                assertTrue(result.matcher(step).results().allMatch(r -> isInteger(r.group(1))), step);
                boolean isQuantize = i == first;
                assertFalse(step.contains("dequantize") || (step.contains("quantize") && !isQuantize), step);
                assertFalse(step.contains("java") || step.contains("host") || step.contains("ref:"), step);
            }
            assertTrue(steps.stream().filter(s -> s.contains("%")).allMatch(s -> s.contains(" : ")), plan::toString);
            assertEquals(0, plan.fallbacks());
            assertClose(run(net, java, x), run(net, plan, x));
        }
    }

    private static int indexOf(List<String> steps, String text) {
        for (int i = 0; i < steps.size(); i++) {
            if (steps.get(i).contains(text)) {
                return i;
            }
        }
        throw new AssertionError("no " + text + " in " + steps);
    }

    /** i32 are the places of the largest that a pool finds. */
    private static boolean isInteger(String dtype) {
        return List.of("u8", "s8", "i32").contains(dtype);
    }

    /** Rounding to another neighbour early on moves a logit by less than a tenth of what they differ by. */
    private static void assertClose(Tensor[] expected, Tensor[] actual) {
        float[] e = expected[0].floats();
        float[] a = actual[0].floats();
        float largest = 0;
        for (float v : e) {
            largest = Math.max(largest, Math.abs(v));
        }
        assertTrue(largest > 0.1, "nothing is likely");
        for (int i = 0; i < e.length; i++) {
            assertEquals(e[i], a[i], 0.05 * largest, "logit " + i);
        }
    }

    @Test
    void aResidualNetworkStaysInBytes() {
        staysInBytes(residual(2), image(2, 3, 32, 32));
    }

    @Test
    void aMobileNetworkStaysInBytes() {
        staysInBytes(mobile(1), image(1, 1, 28, 28));
    }
}
