package dev.hadal.compress;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Activation;
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
import dev.hadal.op.Dropout;
import dev.hadal.op.Expand;
import dev.hadal.op.Gather;
import dev.hadal.op.GlobalAveragePool;
import dev.hadal.op.GroupNorm;
import dev.hadal.op.LayerNorm;
import dev.hadal.op.MatMul;
import dev.hadal.op.PRelu;
import dev.hadal.op.Pad;
import dev.hadal.op.Pooling;
import dev.hadal.op.Recurrent;
import dev.hadal.op.Reduce;
import dev.hadal.op.Reshape;
import dev.hadal.op.Resize;
import dev.hadal.op.RmsNorm;
import dev.hadal.op.Softmax;
import dev.hadal.op.Split;
import dev.hadal.op.Transpose;
import dev.hadal.op.Unary;
import dev.hadal.op.Where;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;

/**
 * Which channels of a network stand and fall together. Every place along every axis of every value belongs to a channel;
 * what an op computes says which places are one channel: along a residual sum, say, those of its operands. A channel may be
 * taken out of a network if what is left computes the same as if the weights at all its places were zero. {@link #FIXED}
 * is the channel of all that may not: inputs and outputs, what a norm averages over, and the operands and results of any op
 * that is not known here.
 */
final class Coupling {
    /** The channel that stays. */
    static final int FIXED = 0;

    private final List<Integer> parents = new ArrayList<>(List.of(FIXED));
    private final Map<Value, int[][]> places = new HashMap<>();
    private final TreeSet<String> unknown = new TreeSet<>();

    /** Of a graph whose batch size is no other dimension, so that nothing takes it for one. */
    Coupling(Graph graph) {
        for (Node node : graph.nodes()) {
            couple(node);
        }
        for (Value shown : graph.outputs().values()) {
            fixAll(shown);
        }
        graph.commits().forEach((leaf, value) -> {
            fixAll(leaf);
            fixAll(value);
        });
    }

    /** The channel of each place along an axis. */
    int[] channels(Value v, int axis) {
        return Arrays.stream(of(v)[axis]).map(this::find).toArray();
    }

    /** The names of the ops that fix whatever they read and give, since they are not known here. */
    List<String> unknown() {
        return List.copyOf(unknown);
    }

    // ---- channels ----

    private int find(int channel) {
        int root = channel;
        while (parents.get(root) != root) {
            root = parents.get(root);
        }
        for (int c = channel; c != root; ) {
            int next = parents.get(c);
            parents.set(c, root);
            c = next;
        }
        return root;
    }

    /** The lower number is the name of both, so that what is joined with the fixed channel is fixed. */
    private void join(int a, int b) {
        int low = Math.min(find(a), find(b));
        int high = Math.max(find(a), find(b));
        parents.set(high, low);
    }

    private void join(int[] a, int[] b) {
        for (int i = 0; i < a.length; i++) {
            join(a[i], b[i]);
        }
    }

    private void fix(int[] channels) {
        for (int c : channels) {
            join(c, FIXED);
        }
    }

    private void fixAll(Value v) {
        for (int[] axis : of(v)) {
            fix(axis);
        }
    }

    private boolean isFixed(int[] channels) {
        return Arrays.stream(channels).allMatch(c -> find(c) == FIXED);
    }

    private int[] fresh(int size) {
        int[] channels = new int[size];
        for (int i = 0; i < size; i++) {
            channels[i] = parents.size();
            parents.add(parents.size());
        }
        return channels;
    }

    private static int[] fixed(int size) {
        return new int[size];
    }

    private static int[][] fixed(Shape shape) {
        return shape.dims().stream().map(Coupling::fixed).toArray(int[][]::new);
    }

    private int[][] of(Value v) {
        return Objects.requireNonNull(places.get(v));
    }

    private int[] of(Value v, int axis) {
        return of(v)[axis];
    }

    // ---- ops ----

    private void couple(Node node) {
        List<int[][]> results = results(node);
        for (Value v : node.outputs()) {
            places.put(v, results.get(v.index()));
        }
    }

    private List<int[][]> results(Node node) {
        Op op = node.op();
        if (op instanceof Leaf leaf) {
            boolean given = leaf.role() == Leaf.Role.WEIGHT || leaf.role() == Leaf.Role.STATE;
            return one(given ? freshAll(leaf.type().shape()) : fixed(leaf.type().shape()));
        } else if (op instanceof Constant) {
            return one(freshAll(node.output(0).shape()));
        } else if (op instanceof Activation
                || op instanceof Unary
                || op instanceof Clamp
                || op instanceof Dropout
                || op instanceof Cast) {
            return one(of(node.input(0)));
        } else if (op instanceof WeightedSum || op instanceof Binary || op instanceof Compare || op instanceof Where) {
            return one(broadcast(node));
        } else if (op instanceof Convolution c) {
            return one(convolution(node, c.groups()));
        } else if (op instanceof ConvolutionTranspose t) {
            return one(transposedConvolution(node, t.groups()));
        } else if (op instanceof MatMul m) {
            return one(matMul(node, m));
        } else if (op instanceof Bias || op instanceof BatchNorm || op instanceof PRelu) {
            return one(perChannel(node));
        } else if (op instanceof GroupNorm g) {
            return groupNorm(node, g.groups());
        } else if (op instanceof LayerNorm n) {
            return lastAxesNorm(node, n.axes());
        } else if (op instanceof RmsNorm n) {
            return lastAxesNorm(node, n.axes());
        } else if (op instanceof Pooling || op instanceof GlobalAveragePool || op instanceof Resize) {
            return plane(node);
        } else if (op instanceof Concat c) {
            return one(concat(node, c.axis()));
        } else if (op instanceof Split s) {
            return split(node, s);
        } else if (op instanceof Transpose t) {
            return one(t.permutation().stream()
                    .map(axis -> of(node.input(0), axis))
                    .toArray(int[][]::new));
        } else if (op instanceof Reshape) {
            return one(reshape(node));
        } else if (op instanceof Expand) {
            return one(expand(node));
        } else if (op instanceof Pad p) {
            return one(sameWhere(node, axis -> p.before().get(axis) + p.after().get(axis) == 0));
        } else if (op instanceof Softmax s) {
            int along = Math.floorMod(s.axis(), node.input(0).shape().rank());
            return one(sameWhere(node, axis -> axis != along));
        } else if (op instanceof AttentionMask) {
            node.inputs().stream().skip(1).forEach(this::fixAll);
            return one(sameWhere(node, axis -> axis < 2));
        } else if (op instanceof Reduce r) {
            return one(reduce(node, r));
        } else if (op instanceof Gather g) {
            return one(gather(node, g));
        } else if (op instanceof Recurrent) {
            return recurrent(node);
        }
        unknown.add(op.name());
        return notKnown(node);
    }

    private static List<int[][]> one(int[][] result) {
        return Collections.singletonList(result);
    }

    private int[][] freshAll(Shape shape) {
        return shape.dims().stream().map(this::fresh).toArray(int[][]::new);
    }

    private List<int[][]> notKnown(Node node) {
        node.inputs().forEach(this::fixAll);
        return node.types().stream().map(t -> fixed(t.shape())).toList();
    }

    /** Axes are aligned at the last, as in NumPy; along each, places of operands that are not repeated are one channel. */
    private int[][] broadcast(Node node) {
        Shape y = node.output(0).shape();
        int[][] result = new int[y.rank()][];
        for (int axis = 0; axis < y.rank(); axis++) {
            result[axis] = broadcast(node.inputs(), y.rank() - axis, y.get(axis));
        }
        return result;
    }

    private int[] broadcast(List<Value> operands, int fromEnd, int size) {
        int[] result = null;
        for (Value v : operands) {
            int axis = v.shape().rank() - fromEnd;
            if (axis < 0) {
                continue;
            }
            int[] channels = of(v, axis);
            if (channels.length != size) { // one place, for all
                fix(channels);
            } else if (result == null) {
                result = channels;
            } else {
                join(result, channels);
            }
        }
        return result == null ? fixed(size) : result;
    }

    /** All groups of a convolution lose the same of their channels; where each has one only, groups fall as wholes. */
    private int[][] convolution(Node node, int groups) {
        int[] x = of(node.input(0), 1);
        int[] out = of(node.input(1), 0);
        int[] in = of(node.input(1), 1);
        fixPlanes(node.input(0));
        fixPlanes(node.input(1));
        if (groups > 1 && in.length == 1) {
            fix(in);
            for (int o = 0; o < out.length; o++) {
                join(out[o], x[o / (out.length / groups)]);
            }
        } else {
            joinGroups(x, in, groups);
            joinGroups(out, groups);
        }
        return planes(of(node.input(0), 0), out, node.output(0).shape());
    }

    private int[][] transposedConvolution(Node node, int groups) {
        int[] x = of(node.input(0), 1);
        int[] in = of(node.input(1), 0);
        int[] out = of(node.input(1), 1);
        fixPlanes(node.input(0));
        fixPlanes(node.input(1));
        join(x, in);
        joinGroups(x, groups);
        int[] y = new int[out.length * groups];
        for (int o = 0; o < y.length; o++) {
            y[o] = out[o % out.length];
        }
        return planes(of(node.input(0), 0), y, node.output(0).shape());
    }

    /** Channel j of each group and place j of the weights. */
    private void joinGroups(int[] channels, int[] ofOneGroup, int groups) {
        for (int c = 0; c < channels.length; c++) {
            join(channels[c], ofOneGroup[c % (channels.length / groups)]);
        }
    }

    private void joinGroups(int[] channels, int groups) {
        joinGroups(channels, Arrays.copyOf(channels, channels.length / groups), groups);
    }

    private void fixPlanes(Value v) {
        for (int axis = 2; axis < v.shape().rank(); axis++) {
            fix(of(v, axis));
        }
    }

    private static int[][] planes(int[] samples, int[] channels, Shape y) {
        int[][] result = fixed(y);
        result[0] = samples;
        result[1] = channels;
        return result;
    }

    private int[][] matMul(Node node, MatMul op) {
        Value a = node.input(0);
        Value b = node.input(1);
        int lastA = a.shape().rank() - 1;
        int lastB = b.shape().rank() - 1;
        join(of(a, op.transposeA() ? lastA - 1 : lastA), of(b, op.transposeB() ? lastB : lastB - 1));
        Shape y = node.output(0).shape();
        int[][] result = new int[y.rank()][];
        for (int axis = 0; axis < y.rank() - 2; axis++) {
            result[axis] = broadcast(node.inputs(), y.rank() - axis, y.get(axis));
        }
        result[y.rank() - 2] = of(a, op.transposeA() ? lastA : lastA - 1);
        result[y.rank() - 1] = of(b, op.transposeB() ? lastB - 1 : lastB);
        return result;
    }

    private int[][] perChannel(Node node) {
        int[] channels = of(node.input(0), 1);
        for (Value vector : node.inputs().subList(1, node.inputs().size())) {
            int[] others = of(vector, 0);
            if (others.length == channels.length) {
                join(channels, others);
            } else { // one slope for all
                fix(others);
            }
        }
        return of(node.input(0));
    }

    /** A mean is over a group, which falls as a whole, therefore. */
    private List<int[][]> groupNorm(Node node, int groups) {
        int[][] y = perChannel(node);
        int perGroup = y[1].length / groups;
        int[] leaders = new int[groups];
        for (int c = 0; c < y[1].length; c++) {
            leaders[c / perGroup] = y[1][c / perGroup * perGroup];
            join(y[1][c], leaders[c / perGroup]);
        }
        for (int axis = 2; axis < y.length; axis++) {
            fix(y[axis]);
        }
        return List.of(y, new int[][] {y[0], leaders}, new int[][] {y[0], leaders});
    }

    private List<int[][]> lastAxesNorm(Node node, int axes) {
        int[][] y = of(node.input(0));
        for (int axis = y.length - axes; axis < y.length; axis++) {
            fix(y[axis]);
        }
        node.inputs().stream().skip(1).forEach(this::fixAll);
        int[][] before = Arrays.copyOf(y, y.length - axes);
        return node.outputs().stream().map(v -> v.index() == 0 ? y : before).toList();
    }

    private List<int[][]> plane(Node node) {
        fixPlanes(node.input(0));
        int[][] x = of(node.input(0));
        return node.types().stream().map(t -> planes(x[0], x[1], t.shape())).toList();
    }

    private int[][] concat(Node node, int axis) {
        int rank = node.output(0).shape().rank();
        int at = Math.floorMod(axis, rank);
        int[][] result = new int[rank][];
        for (int a = 0; a < rank; a++) {
            int[] first = of(node.input(0), a);
            for (Value v : node.inputs()) {
                if (a != at) {
                    join(first, of(v, a));
                }
            }
            int along = a;
            result[a] = a != at
                    ? first
                    : node.inputs().stream()
                            .flatMapToInt(v -> Arrays.stream(of(v, along)))
                            .toArray();
        }
        return result;
    }

    private List<int[][]> split(Node node, Split op) {
        int[][] x = of(node.input(0));
        int at = Math.floorMod(op.axis(), x.length);
        List<int[][]> results = new ArrayList<>();
        int start = 0;
        for (int size : op.sizes()) {
            int[][] piece = x.clone();
            piece[at] = Arrays.copyOfRange(x[at], start, start + size);
            results.add(piece);
            start += size;
        }
        return results;
    }

    /**
     * Axes of the operand and of the result go together in runs of the same number of values. Where several axes become one,
     * one of them at most may have channels that could fall; where one becomes several, the outermost has its channels.
     */
    private int[][] reshape(Node node) {
        Shape x = node.input(0).shape();
        Shape y = node.output(0).shape();
        int[][] result = fixed(y);
        if (x.size() == 0) {
            fixAll(node.input(0));
            return result;
        }
        int j = 0;
        int i = 0;
        while (i < x.rank() && j < y.rank()) {
            int fromX = i;
            int fromY = j;
            long sizeX = x.get(i++);
            long sizeY = y.get(j++);
            while (sizeX != sizeY) {
                if (sizeX < sizeY) {
                    sizeX *= x.get(i++);
                } else {
                    sizeY *= y.get(j++);
                }
            }
            reshape(node.input(0), fromX, i, result, fromY, j);
        }
        for (; i < x.rank(); i++) {
            fix(of(node.input(0), i));
        }
        return result;
    }

    private void reshape(Value x, int fromX, int toX, int[][] result, int fromY, int toY) {
        int axisX = only(fromX, toX, axis -> !isFixed(of(x, axis)));
        int axisY = only(fromY, toY, axis -> result[axis].length > 1);
        boolean single = toX - fromX == 1;
        if (toY - fromY == 1 && axisX >= 0) { // several become one
            int inner = 1;
            for (int axis = axisX + 1; axis < toX; axis++) {
                inner *= x.shape().get(axis);
            }
            int[] channels = of(x, axisX);
            for (int p = 0; p < result[fromY].length; p++) {
                result[fromY][p] = channels[p / inner % channels.length];
            }
        } else if (single && (axisY >= 0 || toY - fromY > 1)) { // one becomes several
            int outermost = fromY;
            while (outermost < toY - 1 && result[outermost].length == 1) {
                outermost++;
            }
            int[] channels = of(x, fromX);
            int inner = channels.length / result[outermost].length;
            for (int p = 0; p < channels.length; p++) {
                result[outermost][p / inner] = channels[p / inner * inner];
                join(channels[p], channels[p / inner * inner]);
            }
        } else {
            for (int axis = fromX; axis < toX; axis++) {
                fix(of(x, axis));
            }
        }
    }

    private interface Axes {
        boolean test(int axis);
    }

    /** The only axis of which it holds; −1 if there is none, or more than one. */
    private static int only(int from, int to, Axes which) {
        int found = -1;
        for (int axis = from; axis < to; axis++) {
            if (which.test(axis)) {
                if (found >= 0) {
                    return -1;
                }
                found = axis;
            }
        }
        return found;
    }

    private int[][] expand(Node node) {
        Shape x = node.input(0).shape();
        int[][] result = fixed(node.output(0).shape());
        int missing = result.length - x.rank();
        for (int axis = 0; axis < x.rank(); axis++) {
            if (x.get(axis) == result[missing + axis].length) {
                result[missing + axis] = of(node.input(0), axis);
            } else {
                fix(of(node.input(0), axis));
            }
        }
        return result;
    }

    /** The result's axes are the operand's, where it treats all places alike; others are fixed. */
    private int[][] sameWhere(Node node, Axes alike) {
        int[][] result = fixed(node.output(0).shape());
        for (int axis = 0; axis < result.length; axis++) {
            if (alike.test(axis)) {
                result[axis] = of(node.input(0), axis);
            } else {
                fix(of(node.input(0), axis));
            }
        }
        return result;
    }

    private int[][] reduce(Node node, Reduce op) {
        Shape x = node.input(0).shape();
        Shape kept = op.kept(x);
        List<int[]> result = new ArrayList<>();
        for (int axis = 0; axis < x.rank(); axis++) {
            boolean reduced =
                    op.axes().isEmpty() || op.axes().contains(axis) || op.axes().contains(axis - x.rank());
            if (reduced) {
                fix(of(node.input(0), axis));
            }
            if (!reduced || op.keepDims()) {
                result.add(reduced ? fixed(kept.get(axis)) : of(node.input(0), axis));
            }
        }
        return result.toArray(int[][]::new);
    }

    private int[][] gather(Node node, Gather op) {
        int[][] x = of(node.input(0));
        int at = Math.floorMod(op.axis(), x.length);
        fix(x[at]);
        List<int[]> result = new ArrayList<>(Arrays.asList(x).subList(0, at));
        result.addAll(Arrays.asList(of(node.input(1))));
        result.addAll(Arrays.asList(x).subList(at + 1, x.length));
        return result.toArray(int[][]::new);
    }

    /** The features that go in may fall; its units stay. */
    private List<int[][]> recurrent(Node node) {
        int[] features = of(node.input(0), 2);
        join(features, of(node.input(1), 1));
        int[][] x = of(node.input(0));
        fix(x[0]);
        fix(x[1]);
        fix(of(node.input(1), 0));
        node.inputs().stream().skip(2).forEach(this::fixAll);
        return node.types().stream().map(t -> fixed(t.shape())).toList();
    }
}
