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
import dev.hadal.op.Gather;
import dev.hadal.op.GlobalAveragePool;
import dev.hadal.op.GroupNorm;
import dev.hadal.op.LayerNorm;
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
import java.util.TreeMap;
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

    private static final List<SavedOp> OWN = List.of(
            new SavedOp("activation", 2, Activation.class),
            new SavedOp("adaptive_pool", 1, AdaptivePool.class),
            new SavedOp("argmax", 1, ArgMax.class),
            new SavedOp("attention_mask", 1, AttentionMask.class),
            new SavedOp("batch_norm", 1, BatchNorm.class),
            new SavedOp("bias", 1, Bias.class),
            new SavedOp("binary", 1, Binary.class),
            new SavedOp("cast", 1, Cast.class),
            new SavedOp("clamp", 1, Clamp.class),
            new SavedOp("compare", 1, Compare.class),
            new SavedOp("concat", 1, Concat.class),
            new SavedOp("constant", 1, Constant.class),
            new SavedOp("convolution", 1, Convolution.class),
            new SavedOp("convolution_transpose", 1, ConvolutionTranspose.class),
            new SavedOp("dequantize", 1, Dequantize.class),
            new SavedOp("dropout", 1, Dropout.class),
            new SavedOp("expand", 1, Expand.class),
            new SavedOp("fused", 1, Fused.class),
            new SavedOp("gather", 1, Gather.class),
            new SavedOp("global_average_pool", 1, GlobalAveragePool.class),
            new SavedOp("group_norm", 1, GroupNorm.class),
            new SavedOp("layer_norm", 1, LayerNorm.class),
            new SavedOp("leaf", 1, Leaf.class),
            new SavedOp("matmul", 1, MatMul.class),
            new SavedOp("pad", 1, Pad.class),
            new SavedOp("pool", 1, Pool.class),
            new SavedOp("prelu", 1, PRelu.class),
            new SavedOp("quantize", 1, Quantize.class),
            new SavedOp("quantized", 1, Quantized.class),
            new SavedOp("recurrent", 1, Recurrent.class),
            new SavedOp("reduce", 1, Reduce.class),
            new SavedOp("reshape", 1, Reshape.class),
            new SavedOp("resize", 1, Resize.class),
            new SavedOp("rms_norm", 1, RmsNorm.class),
            new SavedOp("scatter_add", 1, ScatterAdd.class),
            new SavedOp("slice", 1, Slice.class),
            new SavedOp("softmax", 1, Softmax.class),
            new SavedOp("split", 1, Split.class),
            new SavedOp("transpose", 1, Transpose.class),
            new SavedOp("unary", 1, Unary.class),
            new SavedOp("weighted_sum", 1, WeightedSum.class),
            new SavedOp("where", 1, Where.class));

    /** Every op that a saved network may hold, by name. */
    private static final Map<String, SavedOp> SAVED = new TreeMap<>();

    static {
        OWN.forEach(op -> SAVED.put(op.name(), op));
        for (SavedOp.Provider provider : ServiceLoader.load(SavedOp.Provider.class)) {
            for (SavedOp op : provider.ops()) {
                if (!op.name().contains(".") || SAVED.putIfAbsent(op.name(), op) != null) {
                    throw new IllegalStateException("op '" + op.name() + "' of "
                            + provider.getClass().getName() + " needs a name of its own, with a dot in it");
                }
            }
        }
    }

    private static SavedOp saved(Op op) {
        return SAVED.values().stream()
                .filter(s -> s.type() == op.getClass())
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException(
                        "op '" + op.name() + "' has no saved form; one from outside Hadal needs a SavedOp.Provider"));
    }

    private static SavedOp saved(@Nullable Object name, @Nullable Object version) throws ModelFormatException {
        SavedOp saved = name instanceof String s ? SAVED.get(s) : null;
        if (saved == null) {
            throw new ModelFormatException("unknown op '" + name + "'; this Hadal reads " + SAVED.keySet());
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
            results.add(graph.within(String.valueOf(node.get("path")), () -> graph.append(op, inputs)));
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
