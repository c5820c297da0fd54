package dev.hadal.peers;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * Writes the networks of the table in ONNX, with random weights that keep the values' spread: f32, or int8 in the form that
 * ONNX Runtime's own tools give (QDQ): between any two layers a value is quantized to u8 and back; weights are s8, per output
 * channel in convolutions; biases are i32. The runtime makes of it what it has kernels for.
 */
final class OnnxNetwork {
    /** Where a rectified value lies, roughly. */
    private static final float TOP = 5;

    private static final int LEVELS = 255;

    private final OnnxFile graph = OnnxFile.graph();
    private final Random random = new Random(3);
    private final boolean int8;
    private int count;

    private OnnxNetwork(boolean int8) {
        this.int8 = int8;
    }

    /** A value and how many channels it has. */
    private record Value(String name, int channels, float scale) {}

    /** x → Gemm, Relu, Gemm, Relu, … Gemm → y, for one sample. */
    static byte[] mlp(boolean int8, int... widths) {
        OnnxNetwork network = new OnnxNetwork(int8);
        Value v = network.input(1, widths[0]);
        for (int i = 1; i < widths.length; i++) {
            v = network.linear(v, widths[i], i < widths.length - 1);
        }
        return network.finished(v, 1);
    }

    /** ResNet-50 for images of 224×224, with its batch norms folded. */
    static byte[] resnet50(boolean int8, int batch) {
        OnnxNetwork network = new OnnxNetwork(int8);
        Value v = network.convolution(network.input(batch, 3, 224, 224), 64, 7, 2, 1, true);
        v = network.like(v, "MaxPool", OnnxFile.attributes("kernel_shape", 3, 3), strides(2), pads(1));
        int[] blocks = {3, 4, 6, 3};
        for (int stage = 0; stage < blocks.length; stage++) {
            for (int i = 0; i < blocks[stage]; i++) {
                v = network.bottleneck(v, 64 << stage, stage > 0 && i == 0 ? 2 : 1, i == 0);
            }
        }
        v = network.like(v, "GlobalAveragePool");
        v = network.like(v, "Flatten");
        return network.finished(network.linear(v, 1000, false), batch);
    }

    private Value bottleneck(Value x, int channels, int stride, boolean changes) {
        Value y = convolution(x, channels, 1, 1, 1, true);
        y = convolution(y, channels, 3, stride, 1, true);
        y = convolution(y, 4 * channels, 1, 1, 0.3f, false); // so that sums do not grow
        Value shortcut = changes ? convolution(x, 4 * channels, 1, stride, 0.9f, false) : x;
        String sum = name("sum");
        graph.node("Add", List.of(y.name, shortcut.name), sum);
        return rectified(sum, 4 * channels);
    }

    private static OnnxFile strides(int stride) {
        return OnnxFile.attributes("strides", stride, stride);
    }

    private static OnnxFile pads(int padding) {
        return OnnxFile.attributes("pads", padding, padding, padding, padding);
    }

    private Value convolution(Value x, int out, int kernel, int stride, float gain, boolean relu) {
        List<String> operands = weights(x, out, kernel * kernel, gain, out, out, x.channels, kernel, kernel);
        String y = name("convolution");
        graph.node(
                "Conv",
                operands,
                y,
                OnnxFile.attributes("kernel_shape", kernel, kernel),
                strides(stride),
                pads(kernel / 2));
        return relu ? rectified(y, out) : quantized(y, out, true);
    }

    private Value linear(Value x, int out, boolean relu) {
        List<String> operands = weights(x, out, 1, 1, 1, out, x.channels);
        String y = name("linear");
        graph.node("Gemm", operands, y, OnnxFile.attribute("transB", 1));
        return relu ? rectified(y, out) : new Value(y, out, 0);
    }

    /** Something that keeps the range. */
    private Value like(Value x, String op, OnnxFile... attributes) {
        String y = name(op);
        graph.node(op, List.of(x.name), y, attributes);
        return int8 ? quantized(y, x.channels, false) : new Value(y, x.channels, 0);
    }

    /** Quantizing to u8 cuts off what is below zero. */
    private Value rectified(String x, int channels) {
        if (int8) {
            return quantized(x, channels, false);
        }
        String y = name("relu");
        graph.node("Relu", List.of(x), y);
        return new Value(y, channels, 0);
    }

    // ---- weights ----

    /** The operands x, w and b; w has a scale for each of so many groups of rows. */
    private List<String> weights(Value x, int out, int taps, float gain, int scales, int... shape) {
        int fanIn = x.channels * taps;
        float[] w = new float[out * fanIn];
        for (int i = 0; i < w.length; i++) {
            w[i] = (float) (random.nextGaussian() * gain * Math.sqrt(2.0 / fanIn));
        }
        String name = name("w");
        if (!int8) {
            graph.constant(name, w, shape).constant(name + "_bias", new float[out], out);
            return List.of(x.name, name, name + "_bias");
        }
        float[] steps = new float[scales];
        float[] biasSteps = new float[scales];
        byte[] rounded = new byte[w.length];
        int rows = w.length / scales;
        for (int s = 0; s < scales; s++) {
            float largest = 0;
            for (int i = s * rows; i < (s + 1) * rows; i++) {
                largest = Math.max(largest, Math.abs(w[i]));
            }
            steps[s] = largest / 127;
            biasSteps[s] = steps[s] * x.scale;
            for (int i = s * rows; i < (s + 1) * rows; i++) {
                rounded[i] = (byte) Math.round(w[i] / steps[s]);
            }
        }
        dequantized(name, OnnxFile.INT8, rounded, steps, shape);
        dequantized(name + "_bias", OnnxFile.INT32, new byte[4 * out], biasSteps, out);
        return List.of(x.name, name, name + "_bias");
    }

    private void dequantized(String name, int type, byte[] raw, float[] steps, int... shape) {
        boolean each = steps.length > 1;
        int[] few = each ? new int[] {steps.length} : new int[0];
        int width = type == OnnxFile.INT8 ? 1 : 4;
        graph.constant(name + "_q", type, raw, shape)
                .constant(name + "_scale", steps, few)
                .constant(name + "_zero", type, new byte[width * steps.length], few);
        List<String> operands = List.of(name + "_q", name + "_scale", name + "_zero");
        if (each) {
            graph.node("DequantizeLinear", operands, name, OnnxFile.attribute("axis", 0));
        } else {
            graph.node("DequantizeLinear", operands, name);
        }
    }

    // ---- values ----

    private Value input(int... shape) {
        graph.input("x", shape);
        return quantized("x", shape[1], true);
    }

    private Value quantized(String x, int channels, boolean signed) {
        if (!int8) {
            return new Value(x, channels, 0);
        }
        float scale = (signed ? 2 : 1) * TOP / LEVELS;
        String y = name("value");
        graph.constant(y + "_scale", new float[] {scale})
                .constant(y + "_zero", OnnxFile.UINT8, new byte[] {(byte) (signed ? 128 : 0)});
        graph.node("QuantizeLinear", List.of(x, y + "_scale", y + "_zero"), y + "_q");
        graph.node("DequantizeLinear", List.of(y + "_q", y + "_scale", y + "_zero"), y);
        return new Value(y, channels, scale);
    }

    private String name(String what) {
        return what + count++;
    }

    private byte[] finished(Value y, int batch) {
        graph.node("Identity", List.of(y.name), "y").output("y", batch, y.channels);
        return OnnxFile.model(graph);
    }
}
