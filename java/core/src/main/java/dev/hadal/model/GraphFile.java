package dev.hadal.model;

import dev.hadal.graph.Fused;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
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
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * A graph as versioned JSON. An op is written as its name, its version and its record components, and read back through
 * the record's constructor, which checks them; nothing else is ever instantiated. A component that is an op itself, as in a
 * chain, is written alike.
 */
final class GraphFile {
    /** The metadata key of the graph in a model's file. */
    static final String METADATA = "hadal.graph";

    private static final long FORMAT = 1;

    /**
     * The saved form of an op of Hadal's own; null if that name is none's. A switch, and no table, as this loads the class of
     * no other op: a network is often the first thing that a JVM reads.
     */
    private static @Nullable SavedOp own(String name) {
        return switch (name) {
            case "activation" -> new SavedOp("activation", 2, Activation.class);
            case "adaptive_pool" -> new SavedOp("adaptive_pool", 1, AdaptivePool.class);
            case "argmax" -> new SavedOp("argmax", 1, ArgMax.class);
            case "attention_mask" -> new SavedOp("attention_mask", 1, AttentionMask.class);
            case "batch_norm" -> new SavedOp("batch_norm", 1, BatchNorm.class);
            case "bias" -> new SavedOp("bias", 1, Bias.class);
            case "binary" -> new SavedOp("binary", 1, Binary.class);
            case "cast" -> new SavedOp("cast", 1, Cast.class);
            case "clamp" -> new SavedOp("clamp", 1, Clamp.class);
            case "compare" -> new SavedOp("compare", 1, Compare.class);
            case "concat" -> new SavedOp("concat", 1, Concat.class);
            case "constant" -> new SavedOp("constant", 1, Constant.class);
            case "convolution" -> new SavedOp("convolution", 1, Convolution.class);
            case "convolution_transpose" -> new SavedOp("convolution_transpose", 1, ConvolutionTranspose.class);
            case "dequantize" -> new SavedOp("dequantize", 1, Dequantize.class);
            case "dropout" -> new SavedOp("dropout", 1, Dropout.class);
            case "expand" -> new SavedOp("expand", 1, Expand.class);
            case "fake_quantize" -> new SavedOp("fake_quantize", 1, FakeQuantize.class);
            case "fake_quantize_dynamic" -> new SavedOp("fake_quantize_dynamic", 1, FakeQuantize.Dynamic.class);
            case "fused" -> new SavedOp("fused", 1, Fused.class);
            case "gather" -> new SavedOp("gather", 1, Gather.class);
            case "global_average_pool" -> new SavedOp("global_average_pool", 1, GlobalAveragePool.class);
            case "group_norm" -> new SavedOp("group_norm", 1, GroupNorm.class);
            case "layer_norm" -> new SavedOp("layer_norm", 1, LayerNorm.class);
            case "leaf" -> new SavedOp("leaf", 1, Leaf.class);
            case "learned_step" -> new SavedOp("learned_step", 1, LearnedStep.class);
            case "matmul" -> new SavedOp("matmul", 1, MatMul.class);
            case "pad" -> new SavedOp("pad", 1, Pad.class);
            case "pool" -> new SavedOp("pool", 1, Pool.class);
            case "prelu" -> new SavedOp("prelu", 1, PRelu.class);
            case "quantize" -> new SavedOp("quantize", 1, Quantize.class);
            case "quantized" -> new SavedOp("quantized", 1, Quantized.class);
            case "recurrent" -> new SavedOp("recurrent", 1, Recurrent.class);
            case "reduce" -> new SavedOp("reduce", 1, Reduce.class);
            case "reshape" -> new SavedOp("reshape", 1, Reshape.class);
            case "resize" -> new SavedOp("resize", 1, Resize.class);
            case "rms_norm" -> new SavedOp("rms_norm", 1, RmsNorm.class);
            case "scatter_add" -> new SavedOp("scatter_add", 1, ScatterAdd.class);
            case "slice" -> new SavedOp("slice", 1, Slice.class);
            case "softmax" -> new SavedOp("softmax", 1, Softmax.class);
            case "sparse_matmul" -> new SavedOp("sparse_matmul", 1, SparseMatMul.class);
            case "split" -> new SavedOp("split", 1, Split.class);
            case "transpose" -> new SavedOp("transpose", 1, Transpose.class);
            case "unary" -> new SavedOp("unary", 1, Unary.class);
            case "weighted_sum" -> new SavedOp("weighted_sum", 1, WeightedSum.class);
            case "where" -> new SavedOp("where", 1, Where.class);
            default -> null;
        };
    }

    /** The names of all these. */
    private static final List<String> OWN =
            List.of(("activation adaptive_pool argmax attention_mask batch_norm bias binary cast clamp compare concat "
                            + "constant convolution convolution_transpose dequantize dropout expand fake_quantize "
                            + "fake_quantize_dynamic fused gather "
                            + "global_average_pool group_norm layer_norm leaf learned_step matmul pad pool prelu quantize quantized "
                            + "recurrent reduce reshape resize rms_norm scatter_add slice softmax sparse_matmul split transpose unary "
                            + "weighted_sum where")
                    .split(" "));

    /** The ops from outside, by name. */
    private static final class Foreign {
        static final Map<String, SavedOp> OPS = new TreeMap<>();

        static {
            for (SavedOp.Provider provider : ServiceLoader.load(SavedOp.Provider.class)) {
                for (SavedOp op : provider.ops()) {
                    if (!op.name().contains(".") || OPS.putIfAbsent(op.name(), op) != null) {
                        throw new IllegalStateException("op '" + op.name() + "' of "
                                + provider.getClass().getName() + " needs a name of its own, with a dot in it");
                    }
                }
            }
        }
    }

    /** The saved form of that name; null if there is none. */
    private static @Nullable SavedOp named(String name) {
        return name.contains(".") ? Foreign.OPS.get(name) : own(name);
    }

    private static SavedOp saved(Op op) {
        return names().stream()
                .map(name -> Objects.requireNonNull(named(name), name))
                .filter(s -> s.type() == op.getClass())
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException(
                        "op '" + op.name() + "' has no saved form; one from outside Hadal needs a SavedOp.Provider"));
    }

    private static Set<String> names() {
        Set<String> names = new TreeSet<>(OWN);
        names.addAll(Foreign.OPS.keySet());
        return names;
    }

    private static SavedOp saved(@Nullable Object name, @Nullable Object version) throws ModelFormatException {
        SavedOp saved = name instanceof String s ? named(s) : null;
        if (saved == null) {
            throw new ModelFormatException("unknown op '" + name + "'; this Hadal reads " + names());
        }
        if (!Long.valueOf(saved.version()).equals(version)) {
            throw new ModelFormatException(
                    "op '" + name + "' has version " + version + ", but this Hadal reads version " + saved.version());
        }
        return saved;
    }

    // ---- writing ----

    static String write(Graph graph) {
        Map<Node, Integer> ids = new LinkedHashMap<>();
        List<Object> nodes = new ArrayList<>();
        for (Node node : graph.nodes()) {
            ids.put(node, ids.size());
            Map<String, Object> entry = encodeOp(node.op());
            entry.put("path", node.path());
            entry.put(
                    "inputs", node.inputs().stream().map(v -> reference(ids, v)).toList());
            nodes.add(entry);
        }
        Map<String, Object> outputs = new LinkedHashMap<>();
        graph.outputs().forEach((name, v) -> outputs.put(name, reference(ids, v)));
        Map<String, Object> file = new LinkedHashMap<>();
        file.put("format", FORMAT);
        file.put("nodes", nodes);
        file.put("outputs", outputs);
        return Json.write(file);
    }

    private static List<Integer> reference(Map<Node, Integer> ids, Value v) {
        return List.of(Objects.requireNonNull(ids.get(v.node())), v.index());
    }

    private static Map<String, Object> encodeOp(Op op) {
        SavedOp saved = saved(op);
        Map<String, Object> entry = new LinkedHashMap<>();
        entry.put("op", saved.name());
        entry.put("version", saved.version());
        entry.put("attributes", encodeRecord((Record) op));
        return entry;
    }

    private static Map<String, Object> encodeRecord(Record record) {
        Map<String, Object> map = new LinkedHashMap<>();
        for (RecordComponent c : record.getClass().getRecordComponents()) {
            try {
                map.put(c.getName(), encode(c.getAccessor().invoke(record)));
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException("cannot read " + c, e);
            }
        }
        return map;
    }

    private static Object encode(Object value) {
        if (value instanceof Op op) {
            return encodeOp(op);
        } else if (value instanceof Record record) {
            return encodeRecord(record);
        } else if (value instanceof Enum<?> e) {
            return e.name();
        } else if (value instanceof List<?> list) {
            return list.stream().map(GraphFile::encode).toList();
        } else if (value instanceof Float f && !Float.isFinite(f)) {
            return f.toString(); // JSON has no such numbers
        }
        return value;
    }

    // ---- reading ----

    static Graph read(String text) throws ModelFormatException {
        Map<?, ?> file = map(Json.read(text), "graph");
        if (!Long.valueOf(FORMAT).equals(file.get("format"))) {
            throw new ModelFormatException(
                    "the graph has format " + file.get("format") + ", but this Hadal reads " + FORMAT);
        }
        Graph graph = new Graph();
        List<List<Value>> results = new ArrayList<>();
        for (Object entry : list(file.get("nodes"), "nodes")) {
            Map<?, ?> node = map(entry, "node " + results.size());
            List<Value> inputs = new ArrayList<>();
            for (Object reference : list(node.get("inputs"), "inputs")) {
                inputs.add(resolve(results, reference));
            }
            Op op = decodeOp(node);
            results.add(graph.append(String.valueOf(node.get("path")), op, inputs));
        }
        for (Map.Entry<?, ?> e : map(file.get("outputs"), "outputs").entrySet()) {
            graph.output(String.valueOf(e.getKey()), resolve(results, e.getValue()));
        }
        return graph;
    }

    private static Value resolve(List<List<Value>> results, Object reference) throws ModelFormatException {
        List<?> pair = list(reference, "a reference");
        if (pair.size() == 2
                && pair.get(0) instanceof Long node
                && pair.get(1) instanceof Long index
                && node >= 0
                && node < results.size()
                && index >= 0
                && index < results.get(node.intValue()).size()) {
            return results.get(node.intValue()).get(index.intValue());
        }
        throw new ModelFormatException("reference " + reference + " names no earlier value of the graph");
    }

    private static Op decodeOp(Map<?, ?> entry) throws ModelFormatException {
        SavedOp saved = saved(entry.get("op"), entry.get("version"));
        return (Op) decode(saved.type(), entry.get("attributes"), saved.name());
    }

    private static Object decode(java.lang.reflect.Type type, @Nullable Object value, String what)
            throws ModelFormatException {
        if (type instanceof ParameterizedType list && list.getRawType() == List.class) {
            List<Object> elements = new ArrayList<>();
            for (Object element : list(value, what)) {
                elements.add(decode(list.getActualTypeArguments()[0], element, what));
            }
            return elements;
        } else if (type == Op.class) {
            return decodeOp(map(value, what));
        } else if (type instanceof Class<?> c && c.isRecord()) {
            return decodeRecord(c, map(value, what), what);
        } else if (type instanceof Class<?> c && c.isEnum()) {
            for (Object constant : c.getEnumConstants()) {
                if (((Enum<?>) constant).name().equals(value)) {
                    return constant;
                }
            }
        } else if ((type == int.class || type == Integer.class) && value instanceof Long l && l == l.intValue()) {
            return l.intValue();
        } else if ((type == float.class || type == Float.class) && value instanceof Number n) {
            return n.floatValue();
        } else if (type == float.class
                && List.of("Infinity", "-Infinity", "NaN").contains(value)) {
            return Float.valueOf((String) value);
        } else if ((type == boolean.class && value instanceof Boolean)
                || (type == String.class && value instanceof String)) {
            return value;
        }
        throw new ModelFormatException(what + " must be " + type.getTypeName() + ", but is " + value);
    }

    private static Object decodeRecord(Class<?> type, Map<?, ?> values, String what) throws ModelFormatException {
        RecordComponent[] components = type.getRecordComponents();
        Object[] arguments = new Object[components.length];
        Class<?>[] types = new Class<?>[components.length];
        for (int i = 0; i < components.length; i++) {
            RecordComponent c = components[i];
            types[i] = c.getType();
            Object value = values.get(c.getName());
            if (value == null) {
                throw new ModelFormatException(what + " has no " + c.getName());
            }
            arguments[i] = decode(c.getGenericType(), value, what + "." + c.getName());
        }
        try {
            Constructor<?> constructor = type.getDeclaredConstructor(types);
            return constructor.newInstance(arguments);
        } catch (InvocationTargetException e) {
            Throwable cause = Objects.requireNonNull(e.getCause());
            throw new ModelFormatException(what + ": " + cause.getMessage(), cause);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("cannot construct " + type, e);
        }
    }

    private static Map<?, ?> map(@Nullable Object value, String what) throws ModelFormatException {
        if (value instanceof Map<?, ?> map) {
            return map;
        }
        throw new ModelFormatException(what + " must be an object, but is " + value);
    }

    private static List<?> list(@Nullable Object value, String what) throws ModelFormatException {
        if (value instanceof List<?> list) {
            return list;
        }
        throw new ModelFormatException(what + " must be a list, but is " + value);
    }

    private GraphFile() {}
}
