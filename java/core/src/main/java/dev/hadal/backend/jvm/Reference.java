package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.op.Mixed;
import dev.hadal.tensor.DType;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * The specification: one plain loop per op, in double precision. It judges every other kernel, and it runs what no
 * faster one does.
 */
public final class Reference {

    /** An op in double precision, over row-major arrays; integers travel as doubles, which hold them exactly. */
    public interface Formula {
        void run(double[][] in, double[][] out);
    }

    /**
     * The formula of an op on these operands, if it has one here; of a mixed one, what its results are rounded from.
     */
    public static Optional<Formula> formula(Op op, List<Type> in, List<Type> out) {
        return Optional.ofNullable(TABLE.find(Mixed.inner(op), new OpTable.Types(in, out)));
    }

    private static final OpTable<OpTable.Types, Formula> TABLE = new OpTable<>();

    static {
        ElementwiseReference.define(TABLE);
        ActivationReference.define(TABLE);
        ArithmeticReference.define(TABLE);
        ReduceReference.define(TABLE);
        LinearReference.define(TABLE);
        SparseKernels.define(TABLE);
        NormReference.define(TABLE);
        GroupReference.define(TABLE);
        PoolReference.define(TABLE);
        DropoutKernels.define(TABLE);
        FakeQuantizeReference.define(TABLE);
        LossReference.define(TABLE);
        DistanceReference.define(TABLE);
        AttentionKernels.define(TABLE);
        UpdateReference.define(TABLE);
        TensorUpdateReference.define(TABLE);
        MoveReference.define(TABLE);
        ResizeReference.define(TABLE);
        RecurrentReference.define(TABLE);
        ChainReference.define(TABLE);
        QuantizedReference.define(TABLE);
    }

    /** The formula as an f32 kernel. */
    static Optional<Kernel> prepare(Op op, List<Type> in, List<Type> out) {
        return formula(op, in, out)
                .map(f -> new HeapKernel("reference", in, out, (x, y, scratch) -> {
                    double[][] xs = new double[x.length][];
                    double[][] ys = new double[y.length][];
                    for (int i = 0; i < x.length; i++) {
                        xs[i] = new double[x[i].size()];
                    }
                    for (int i = 0; i < y.length; i++) {
                        ys[i] = new double[y[i].size()];
                    }
                    return () -> {
                        for (int i = 0; i < x.length; i++) {
                            load(x[i], xs[i]);
                        }
                        f.run(xs, ys);
                        for (int i = 0; i < y.length; i++) {
                            store(ys[i], y[i]);
                        }
                    };
                }));
    }

    private static void load(Span x, double[] to) {
        boolean floats = x.type().dtype() == DType.F32;
        for (int i = 0; i < to.length; i++) {
            to[i] = floats ? x.floats()[x.offset() + i] : x.ints()[x.offset() + i];
        }
    }

    private static void store(double[] from, Span y) {
        boolean floats = y.type().dtype() == DType.F32;
        for (int i = 0; i < from.length; i++) {
            if (floats) {
                y.floats()[y.offset() + i] = (float) from[i];
            } else {
                y.ints()[y.offset() + i] = (int) from[i];
            }
        }
    }

    /**
     * Runs a whole graph in double precision.
     *
     * @param leaves the values of every leaf, by name
     * @return every value of the graph
     */
    public static Map<Value, double[]> evaluate(Graph graph, Map<String, double[]> leaves) {
        Map<Value, double[]> values = new HashMap<>();
        for (Node node : graph.nodes()) {
            if (node.op() instanceof Leaf leaf) {
                values.put(node.output(0), Objects.requireNonNull(leaves.get(leaf.name()), leaf.name()));
                continue;
            }
            List<Type> in = node.inputs().stream().map(Value::type).toList();
            double[][] xs = node.inputs().stream().map(values::get).toArray(double[][]::new);
            double[][] ys =
                    node.types().stream().map(t -> new double[t.shape().size()]).toArray(double[][]::new);
            formula(node.op(), in, node.types())
                    .orElseThrow(() -> new IllegalArgumentException("no reference for " + node))
                    .run(xs, ys);
            for (Value v : node.outputs()) {
                values.put(v, ys[v.index()]);
            }
        }
        return values;
    }

    private Reference() {}
}
