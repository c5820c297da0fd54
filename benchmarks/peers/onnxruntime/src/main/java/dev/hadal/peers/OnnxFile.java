package dev.hadal.peers;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Writes small ONNX models, which are protocol buffers: each field is a key, number·8 + wire type, and a varint (0) or a
 * length and as many bytes (2). The field numbers are those of onnx.proto.
 */
final class OnnxFile {
    private static final int FLOAT = 1;
    private static final int IR_VERSION = 8;
    private static final int OPSET = 13;

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    /** x → Gemm, Relu, Gemm, Relu, … Gemm → y, with random weights. */
    static byte[] mlp(int... widths) {
        OnnxFile graph = new OnnxFile().text(2, "mlp");
        int layers = widths.length - 1;
        for (int i = 0; i < layers; i++) {
            float[] w = Work.random(widths[i] * widths[i + 1]);
            for (int j = 0; j < w.length; j++) {
                w[j] *= (float) Math.sqrt(2.0 / widths[i]);
            }
            boolean last = i == layers - 1;
            String sum = last ? "y" : "sum" + i;
            graph.message(1, node("Gemm", List.of(i == 0 ? "x" : "h" + i, "w" + i, "b" + i), sum));
            if (!last) {
                graph.message(1, node("Relu", List.of(sum), "h" + (i + 1)));
            }
            graph.message(5, tensor("w" + i, w, widths[i], widths[i + 1]));
            graph.message(5, tensor("b" + i, new float[widths[i + 1]], widths[i + 1]));
        }
        graph.message(11, value("x", 1, widths[0]));
        graph.message(12, value("y", 1, widths[layers]));
        return model(graph);
    }

    /** a, b → the op → y, all of one shape. */
    static byte[] binary(String op, int... shape) {
        return model(new OnnxFile()
                .text(2, "binary")
                .message(1, node(op, List.of("a", "b"), "y"))
                .message(11, value("a", shape))
                .message(11, value("b", shape))
                .message(12, value("y", shape)));
    }

    /** ModelProto. */
    private static byte[] model(OnnxFile graph) {
        return new OnnxFile()
                .number(1, IR_VERSION)
                .message(7, graph)
                .message(8, new OnnxFile().text(1, "").number(2, OPSET))
                .bytes
                .toByteArray();
    }

    /** NodeProto. */
    private static OnnxFile node(String op, List<String> inputs, String output) {
        OnnxFile node = new OnnxFile();
        inputs.forEach(input -> node.text(1, input));
        return node.text(2, output).text(4, op);
    }

    /** TensorProto. */
    private static OnnxFile tensor(String name, float[] values, int... shape) {
        OnnxFile tensor = new OnnxFile();
        for (int dim : shape) {
            tensor.number(1, dim);
        }
        ByteBuffer raw = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        raw.asFloatBuffer().put(values);
        return tensor.number(2, FLOAT).text(8, name).field(9, raw.array());
    }

    /** ValueInfoProto: TypeProto.Tensor with a TensorShapeProto. */
    private static OnnxFile value(String name, int... shape) {
        OnnxFile dims = new OnnxFile();
        for (int dim : shape) {
            dims.message(1, new OnnxFile().number(1, dim));
        }
        OnnxFile tensor = new OnnxFile().number(1, FLOAT).message(2, dims);
        return new OnnxFile().text(1, name).message(2, new OnnxFile().message(1, tensor));
    }

    private OnnxFile number(int field, long value) {
        varint(field << 3);
        return varint(value);
    }

    private OnnxFile text(int field, String value) {
        return field(field, value.getBytes(StandardCharsets.UTF_8));
    }

    private OnnxFile message(int field, OnnxFile value) {
        return field(field, value.bytes.toByteArray());
    }

    private OnnxFile field(int field, byte[] value) {
        varint((field << 3) | 2);
        varint(value.length);
        bytes.writeBytes(value);
        return this;
    }

    private OnnxFile varint(long value) {
        long rest = value;
        while (rest > 127) {
            bytes.write((int) (rest & 127) | 128);
            rest >>>= 7;
        }
        bytes.write((int) rest);
        return this;
    }
}
