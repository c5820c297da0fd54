package dev.hadal.model;

import dev.hadal.graph.Leaf;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.op.Dropout;
import dev.hadal.op.Quantized;
import dev.hadal.op.Reshape;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.StringJoiner;
import java.util.function.ToLongFunction;

/**
 * What a network consists of: a row for each input and for each path of layers that has nodes of its own, in order.
 * Printed, it is a table.
 */
public record Summary(List<Row> rows) {

    /**
     * A layer of a path, without those within it.
     *
     * @param path empty for what lies outside any layer
     * @param ops its ops as they print, without their settings, each once
     * @param output the shape of what it computes last, such as [N,16,28,28] for a batch of N
     * @param parameters its trained values; those that layers share count where they are used first
     * @param multiplyAdds of convolutions, matrix products and recurrent layers, for one sample
     * @param activationBytes of all that its ops give for one sample; reshapes and dropout give nothing new
     */
    public record Row(
            String path, List<String> ops, String output, long parameters, long multiplyAdds, long activationBytes) {
        public Row {
            ops = List.copyOf(ops);
        }

        private Row plus(Row more) {
            List<String> names = new ArrayList<>(ops);
            more.ops.stream().filter(name -> !names.contains(name)).forEach(names::add);
            return new Row(
                    path,
                    names,
                    more.ops.isEmpty() ? output : more.output,
                    parameters + more.parameters,
                    multiplyAdds + more.multiplyAdds,
                    activationBytes + more.activationBytes);
        }

        private List<String> cells() {
            return List.of(
                    path,
                    String.join(", ", ops),
                    output,
                    grouped(parameters),
                    grouped(multiplyAdds),
                    grouped(activationBytes));
        }
    }

    private static final List<String> HEAD =
            List.of("layer", "ops", "output", "parameters", "multiply-adds", "activation bytes");
    private static final int FIRST_NUMBER = 3;

    public Summary {
        rows = List.copyOf(rows);
    }

    static Summary of(Model model) {
        List<Node> one = model.apply(new BatchSize(1)).graph().nodes();
        List<Node> two = model.apply(new BatchSize(2)).graph().nodes();
        Map<String, Row> rows = new LinkedHashMap<>();
        Set<Node> ofSample = new HashSet<>();
        for (int i = 0; i < one.size(); i++) {
            Node node = one.get(i);
            if (isInput(node) || node.inputs().stream().map(Value::node).anyMatch(ofSample::contains)) {
                ofSample.add(node);
            }
            Row row = row(node, two.get(i), ofSample.contains(node));
            rows.merge(isInput(node) ? "input " + row.path : "layer " + row.path, row, Row::plus);
        }
        rows.values().removeIf(row -> row.ops.isEmpty() && row.parameters == 0);
        return new Summary(new ArrayList<>(rows.values()));
    }

    private static boolean isInput(Node node) {
        return node.op() instanceof Leaf leaf && leaf.role() == Role.INPUT;
    }

    private static Row row(Node node, Node ofTwo, boolean ofSample) {
        String output = shape(node.output(0).shape(), ofTwo.output(0).shape());
        if (node.op() instanceof Leaf leaf) {
            boolean weight = leaf.role() == Role.WEIGHT;
            return isInput(node)
                    ? new Row(leaf.name(), List.of("input"), output, 0, 0, 0)
                    : new Row(
                            node.path(),
                            List.of(),
                            output,
                            weight ? leaf.type().shape().size() : 0,
                            0,
                            0);
        }
        Op op = Quantized.inner(node.op());
        boolean same = op instanceof Reshape || op instanceof Dropout;
        long bytes = 0;
        for (Type type : node.types()) {
            bytes += ofSample && !same ? type.bytes() : 0;
        }
        return new Row(node.path(), List.of(kind(node.op())), output, 0, MultiplyAdds.of(node), bytes);
    }

    /** How the op calls itself, its settings left out: an activation's function, say. */
    private static String kind(Op op) {
        if (op instanceof Quantized quantized) {
            return kind(quantized.op()) + " " + quantized.types();
        }
        return op.toString().replaceFirst("\\[.*", "");
    }

    /** The shape for a batch of N, from those for one sample and for two. */
    private static String shape(Shape one, Shape two) {
        StringJoiner dims = new StringJoiner(",", "[", "]");
        for (int axis = 0; axis < one.rank(); axis++) {
            int d = one.get(axis);
            dims.add(d == two.get(axis) ? String.valueOf(d) : d == 1 ? "N" : d + "·N");
        }
        return dims.toString();
    }

    /** The trained values of the whole network. */
    public long parameters() {
        return sum(Row::parameters);
    }

    /** For one sample. */
    public long multiplyAdds() {
        return sum(Row::multiplyAdds);
    }

    /** Of all that is computed for one sample; a plan that frees what nobody reads any more needs less. */
    public long activationBytes() {
        return sum(Row::activationBytes);
    }

    private long sum(ToLongFunction<Row> number) {
        return rows.stream().mapToLong(number).sum();
    }

    private static String grouped(long number) {
        return String.format(Locale.ROOT, "%,d", number);
    }

    /** A line for each row between head and totals; multiply-adds and bytes are those of one sample. */
    @Override
    public String toString() {
        List<List<String>> lines = new ArrayList<>(List.of(HEAD));
        rows.forEach(row -> lines.add(row.cells()));
        lines.add(new Row("total", List.of(), "", parameters(), multiplyAdds(), activationBytes()).cells());
        int[] widths = new int[HEAD.size()];
        for (List<String> line : lines) {
            for (int c = 0; c < widths.length; c++) {
                widths[c] = Math.max(widths[c], line.get(c).length());
            }
        }
        StringJoiner text = new StringJoiner("\n");
        lines.forEach(line -> text.add(padded(line, widths)));
        return text.toString();
    }

    private static String padded(List<String> cells, int[] widths) {
        StringJoiner line = new StringJoiner("  ");
        for (int c = 0; c < widths.length; c++) {
            line.add(String.format(Locale.ROOT, "%" + (c < FIRST_NUMBER ? "-" : "") + widths[c] + "s", cells.get(c)));
        }
        return line.toString();
    }
}
