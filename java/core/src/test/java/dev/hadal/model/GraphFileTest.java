package dev.hadal.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.hadal.graph.Fused;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.nn.Layer;
import dev.hadal.nn.Layers;
import dev.hadal.op.Activation;
import dev.hadal.op.AdaptivePool;
import dev.hadal.op.ArgMax;
import dev.hadal.op.AttentionMask;
import dev.hadal.op.BatchNorm;
import dev.hadal.op.Bias;
import dev.hadal.op.Binary;
import dev.hadal.op.Cast;
import dev.hadal.op.Clamp;
import dev.hadal.op.Compare;
import dev.hadal.op.Concat;
import dev.hadal.op.Constant;
import dev.hadal.op.Convolution;
import dev.hadal.op.ConvolutionTranspose;
import dev.hadal.op.Dequantize;
import dev.hadal.op.Dropout;
import dev.hadal.op.Expand;
import dev.hadal.op.FakeQuantize;
import dev.hadal.op.Gather;
import dev.hadal.op.GlobalAveragePool;
import dev.hadal.op.GroupNorm;
import dev.hadal.op.LayerNorm;
import dev.hadal.op.LearnedStep;
import dev.hadal.op.MatMul;
import dev.hadal.op.PRelu;
import dev.hadal.op.Pad;
import dev.hadal.op.Pool;
import dev.hadal.op.Pooling;
import dev.hadal.op.Quantization;
import dev.hadal.op.Quantize;
import dev.hadal.op.Quantized;
import dev.hadal.op.Recurrent;
import dev.hadal.op.Reduce;
import dev.hadal.op.Reshape;
import dev.hadal.op.Resize;
import dev.hadal.op.RmsNorm;
import dev.hadal.op.ScatterAdd;
import dev.hadal.op.Slice;
import dev.hadal.op.Softmax;
import dev.hadal.op.SparseMatMul;
import dev.hadal.op.Split;
import dev.hadal.op.Transpose;
import dev.hadal.op.Unary;
import dev.hadal.op.Where;
import dev.hadal.op.Window;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What is written is read back as it was: every op that has a saved form, and every layer. */
class GraphFileTest {

    /** An op with the types of its operands. */
    record Case(Op op, List<Type> in) {
        static Case of(Op op, Type... in) {
            return new Case(op, List.of(in));
        }

        @Override
        public String toString() {
            return op.toString();
        }
    }

    private static final Type IMAGE = Type.f32(2, 4, 8, 6);
    private static final Type ROWS = Type.f32(3, 4);
    private static final Type FOUR = Type.f32(4);
    private static final Type PLACES = new Type(DType.I32, Shape.of(3));
    private static final Window WINDOW = new Window(new Window.Axis(2, 1, 0, 1), new Window.Axis(1, 2, 2, 2));
    private static final List<Float> SCALES = List.of(0.1f, 1f, 1e-7f, 0.3f, 3e5f, 0.7f);
    private static final Recurrent LSTM = new Recurrent(Recurrent.Cell.LSTM, true, true, true);

    /** Attributes unlike each other and unlike any default; floats that JSON or decimals could spoil. */
    static Stream<Case> cases() {
        return Stream.of(
                Case.of(new WeightedSum(List.of(0.1f, -1e-30f)), ROWS, ROWS),
                Case.of(new Activation(Activation.Function.ELU, 0.3f), ROWS),
                Case.of(new AdaptivePool(Pooling.Function.AVERAGE, 2, 3), IMAGE),
                Case.of(new ArgMax(-1, true), ROWS),
                Case.of(new AttentionMask(0.1f, true, true), Type.f32(3, 4, 8, 6), PLACES),
                Case.of(new BatchNorm(1e-5f, 0.2f), IMAGE, FOUR, FOUR, FOUR, FOUR),
                Case.of(new Bias(), IMAGE, FOUR),
                Case.of(new Binary(Binary.Function.POW), ROWS, FOUR),
                Case.of(new Cast(DType.I32), ROWS),
                Case.of(new Clamp(Float.NEGATIVE_INFINITY, 0.1f), ROWS),
                Case.of(new Clamp(-0f, Float.POSITIVE_INFINITY), ROWS),
                Case.of(new Compare(Compare.Function.LESS_OR_EQUAL), ROWS, FOUR),
                Case.of(new Concat(-1), ROWS, ROWS),
                Case.of(new Constant(DType.F32, List.of(2, 3), Float.NaN)),
                Case.of(new Constant(DType.F32, List.of(), Float.POSITIVE_INFINITY)),
                Case.of(new Constant(DType.F32, List.of(), Float.MIN_VALUE)),
                Case.of(new Convolution(WINDOW, 2), IMAGE, Type.f32(6, 2, 3, 2)),
                Case.of(new ConvolutionTranspose(WINDOW, 2, 1, 0), IMAGE, Type.f32(4, 3, 3, 2)),
                Case.of(new Dequantize(Quantization.u8(0.1f, 255)), new Type(DType.U8, Shape.of(3, 4))),
                Case.of(new Dropout(0.3f), ROWS),
                Case.of(new Expand(List.of(5, 3, 4)), ROWS),
                Case.of(new FakeQuantize(Quantization.s8(SCALES.subList(0, 4), 1)), ROWS),
                Case.of(new FakeQuantize.Dynamic(1), ROWS),
                Case.of(
                        Fused.of(new Convolution(WINDOW, 2), 2)
                                .then(new Bias(), 2, 0)
                                .then(new WeightedSum(List.of(1f, 0.3f)), 2, 1)
                                .then(new Activation(Activation.Function.ELU, 0.3f), 1, 0)
                                .keeping(),
                        IMAGE,
                        Type.f32(6, 2, 3, 2),
                        Type.f32(6),
                        Type.f32(2, 6, 4, 8)),
                Case.of(new Gather(-2), ROWS, PLACES),
                Case.of(new GlobalAveragePool(), IMAGE),
                Case.of(new GroupNorm(2, 1e-6f), IMAGE, FOUR, FOUR),
                Case.of(new LayerNorm(1, 1e-6f), ROWS, FOUR, FOUR),
                Case.of(new Softmax(-1, true), ROWS),
                Case.of(new SparseMatMul(20), ROWS, Type.f32(7, 8), Type.i32(7), Type.i32(4)),
                Case.of(new LearnedStep(DType.U8, 1, 17), ROWS, Type.f32(1)),
                Case.of(new MatMul(true, false), ROWS, ROWS),
                Case.of(new PRelu(), IMAGE, FOUR),
                Case.of(new Pad(List.of(1, 0), List.of(0, 2), Float.NEGATIVE_INFINITY), ROWS),
                Case.of(
                        new Pool(
                                Pooling.Function.AVERAGE_WITHOUT_PADDING,
                                3,
                                2,
                                new Window(new Window.Axis(2, 1, 0, 1), new Window.Axis(1, 0, 1, 1))),
                        IMAGE),
                Case.of(
                        LSTM,
                        Type.f32(3, 5, 2),
                        Type.f32(16, 2),
                        Type.f32(16, 4),
                        Type.f32(16),
                        Type.f32(16),
                        ROWS,
                        ROWS,
                        PLACES),
                Case.of(new Quantize(new Quantization(DType.S8, List.of(1e-30f), 0, -3)), ROWS),
                Case.of(
                        new Quantized(
                                new Convolution(WINDOW, 2),
                                List.of(Quantization.u8(0.1f, 7), Quantization.s8(SCALES, 0)),
                                List.of(Quantization.NONE)),
                        new Type(DType.U8, IMAGE.shape()),
                        new Type(DType.S8, Shape.of(6, 2, 3, 2))),
                Case.of(new Reduce(Reduce.Function.MEAN, List.of(1), true), ROWS),
                Case.of(new Reshape(List.of(0, -1, 2)), ROWS),
                Case.of(new Resize(5, 7, Resize.Mode.BILINEAR), IMAGE),
                Case.of(new RmsNorm(1, 1e-6f), ROWS, FOUR),
                Case.of(new ScatterAdd(0), ROWS, PLACES, ROWS),
                Case.of(new Slice(1, 0, Integer.MAX_VALUE, 2), ROWS),
                Case.of(new Softmax(0, false), ROWS),
                Case.of(new Split(1, List.of(1, 3)), ROWS),
                Case.of(new Transpose(List.of(1, 0)), ROWS),
                Case.of(new Unary(Unary.Function.RECIPROCAL), ROWS),
                Case.of(new Where(), new Type(DType.I32, Shape.of(4)), ROWS, FOUR));
    }

    private static Graph graph(Case c) {
        Graph graph = new Graph();
        List<Value> in = new ArrayList<>();
        for (Type type : c.in()) {
            in.add(graph.leaf(Role.INPUT, "x" + in.size(), type));
        }
        List<Value> y = graph.append(c.op(), in);
        graph.output("y", y.get(y.size() - 1));
        return graph;
    }

    @ParameterizedTest
    @MethodSource("cases")
    void whatIsWrittenIsRead(Case c) throws ModelFormatException {
        Graph graph = graph(c);
        String text = GraphFile.write(graph);
        Graph read = GraphFile.read(text);
        assertEquals(ops(graph), ops(read));
        assertEquals(graph.toString(), read.toString());
        assertEquals(text, GraphFile.write(read));
    }

    private static List<Op> ops(Graph graph) {
        return graph.nodes().stream().map(n -> n.op()).toList();
    }

    /** A saved form without a case here fails, so that none goes untested. */
    @Test
    void everySavedFormHasACase() {
        String node = "{\"op\":\"warp\",\"version\":1,\"path\":\"\",\"attributes\":{},\"inputs\":[]}";
        String message = String.valueOf(assertThrows(
                        ModelFormatException.class,
                        () -> GraphFile.read("{\"format\":1,\"nodes\":[" + node + "],\"outputs\":{}}"))
                .getMessage());
        String names = message.substring(message.indexOf('[') + 1, message.indexOf(']'));
        List<String> texts = cases().map(c -> GraphFile.write(graph(c))).toList();
        List<String> without = Arrays.stream(names.split(", "))
                .filter(name -> texts.stream().noneMatch(t -> t.contains("\"op\":\"" + name + "\"")))
                .toList();
        assertEquals(List.of(), without, "saved forms without a case");
    }

    private static final Type SEQUENCE = Type.f32(6, 4);
    private static final Type PICTURE = Type.f32(4, 8, 6);

    /** A layer of every factory of {@link Layers}, by its name. */
    private static final Map<String, Layer> LAYERS = Map.ofEntries(
            Map.entry("sequential", Layers.sequential(Layers.relu())),
            Map.entry("repeat", Layers.repeat(2, i -> Layers.relu())),
            Map.entry("residual", Layers.residual(Layers.relu())),
            Map.entry("conv2d", Layers.conv2d(2, 3).biased()),
            Map.entry("convTranspose2d", Layers.convTranspose2d(2, 3)),
            Map.entry("dropout", Layers.dropout(0.5)),
            Map.entry("batchNorm", Layers.batchNorm()),
            Map.entry("groupNorm", Layers.groupNorm(2)),
            Map.entry("instanceNorm", Layers.instanceNorm()),
            Map.entry("prelu", Layers.prelu()),
            Map.entry("globalAveragePool", Layers.globalAveragePool()),
            Map.entry("globalMaxPool", Layers.globalMaxPool()),
            Map.entry("maxPool2d", Layers.maxPool2d(2)),
            Map.entry("averagePool2d", Layers.averagePool2d(2)),
            Map.entry("adaptiveMaxPool2d", Layers.adaptiveMaxPool2d(2, 3)),
            Map.entry("adaptiveAveragePool2d", Layers.adaptiveAveragePool2d(2, 3)),
            Map.entry("flatten", Layers.flatten()),
            Map.entry("reshape", Layers.reshape(-1)),
            Map.entry("concat", Layers.concat(1, Layers.relu(), Layers.relu())),
            Map.entry("upsample", Layers.upsample(2, Resize.Mode.NEAREST)),
            Map.entry("zeroPad2d", Layers.zeroPad2d(1)));

    private static final Map<String, Layer> OF_SEQUENCES = Map.ofEntries(
            Map.entry("conv1d", Layers.conv1d(2, 3)),
            Map.entry("maxPool1d", Layers.maxPool1d(2)),
            Map.entry("averagePool1d", Layers.averagePool1d(2)),
            Map.entry("linear", Layers.linear(3)),
            Map.entry("transpose", Layers.transpose(0, 2, 1)),
            Map.entry("rnn", Layers.rnn(3)),
            Map.entry("lstm", Layers.lstm(3)),
            Map.entry("gru", Layers.gru(3)),
            Map.entry("positionalEmbedding", Layers.positionalEmbedding()),
            Map.entry("attention", Layers.attention(2)),
            Map.entry("transformerEncoderLayer", Layers.transformerEncoderLayer(2, 8)));

    static Stream<String> factories() {
        return Arrays.stream(Layers.class.getDeclaredMethods())
                .filter(m -> Modifier.isPublic(m.getModifiers()))
                .map(Method::getName)
                .distinct()
                .sorted();
    }

    /** Of what a layer makes, everything has a saved form; without options or arguments it needs no entry here. */
    @ParameterizedTest
    @MethodSource("factories")
    void everyLayerIsSaved(String factory) throws ReflectiveOperationException, ModelFormatException {
        Layer layer;
        Type sample = PICTURE;
        if (LAYERS.containsKey(factory)) {
            layer = LAYERS.get(factory);
        } else if (OF_SEQUENCES.containsKey(factory)) {
            layer = OF_SEQUENCES.get(factory);
            sample = SEQUENCE;
        } else if (factory.equals("embedding")) {
            layer = Layers.embedding(10, 4);
            sample = Type.i32(7);
        } else {
            layer = (Layer) Layers.class.getMethod(factory).invoke(null);
        }
        Graph graph = layer.model(sample, 1).graph();
        Graph read = GraphFile.read(GraphFile.write(graph));
        assertEquals(ops(graph), ops(read));
        assertEquals(graph.toString(), read.toString());
    }
}
