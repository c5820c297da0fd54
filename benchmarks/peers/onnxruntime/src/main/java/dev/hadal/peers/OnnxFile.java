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
    /** An element's type, as the file numbers it. */
    static final int FLOAT = 1;

    static final int UINT8 = 2;
    static final int INT8 = 3;
    static final int INT32 = 6;

    private static final int INT = 2; // types of attributes
    private static final int INTS = 7;
    private static final int IR_VERSION = 8;
    private static final int OPSET = 13;

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    /** GraphProto: its nodes, constants, inputs and outputs are appended. */
    static OnnxFile graph() {
        return new OnnxFile().text(2, "graph");
    }

    /** ModelProto: a whole file. */
    static byte[] model(OnnxFile graph) {
        return new OnnxFile()
                .number(1, IR_VERSION)
                .message(7, graph)
                .message(8, new OnnxFile().text(1, "").number(2, OPSET))
                .bytes
                .toByteArray();
    }

    /** Appends a node to a graph. */
    OnnxFile node(String op, List<String> inputs, String output, OnnxFile... attributes) {
        OnnxFile node = new OnnxFile();
        inputs.forEach(input -> node.text(1, input));
        node.text(2, output).text(4, op);
        for (OnnxFile attribute : attributes) {
            node.message(5, attribute);
        }
        return message(1, node);
    }

    /** An attribute of one number. */
    static OnnxFile attribute(String name, int value) {
        return new OnnxFile().text(1, name).number(3, value).number(20, INT);
    }

    /** An attribute of several numbers. */
    static OnnxFile attributes(String name, int... values) {
        OnnxFile attribute = new OnnxFile().text(1, name);
        for (int value : values) {
            attribute.number(8, value);
        }
        return attribute.number(20, INTS);
    }

    /** Appends a constant to a graph. */
    OnnxFile constant(String name, float[] values, int... shape) {
        ByteBuffer raw = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        raw.asFloatBuffer().put(values);
        return constant(name, FLOAT, raw.array(), shape);
    }

    /** Appends a constant of that type to a graph, whose elements are little endian. */
    OnnxFile constant(String name, int type, byte[] raw, int... shape) {
        OnnxFile tensor = new OnnxFile();
        for (int dim : shape) {
            tensor.number(1, dim);
        }
        return message(5, tensor.number(2, type).text(8, name).field(9, raw));
    }

    /** Names an input of a graph. */
    OnnxFile input(String name, int... shape) {
        return message(11, value(name, shape));
    }

    /** Names an output of a graph. */
    OnnxFile output(String name, int... shape) {
        return message(12, value(name, shape));
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
