package dev.hadal.compress;

import dev.hadal.graph.Fused;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Value;
import dev.hadal.op.Convolution;
import dev.hadal.op.ConvolutionTranspose;
import dev.hadal.op.MatMul;
import dev.hadal.op.Recurrent;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A weight that a network multiplies with: of a linear layer, a convolution, a recurrent layer. That is where parameters
 * and time are; biases, norms and embeddings are none.
 *
 * @param output the axis along which results lie: rows of a linear layer, channels that a convolution gives
 * @param input the axis that is summed over: columns of a linear layer, channels of a convolution's group
 * @param groups of a convolution, else 1: so many equal parts of the output axis read different inputs
 */
record ProductWeight(String name, Shape shape, int output, int input, int groups) {

    /** The weights of a network that are read so and in no other way, in order. */
    static List<ProductWeight> of(Graph graph) {
        Map<String, ProductWeight> found = new LinkedHashMap<>();
        List<String> otherwise = new ArrayList<>();
        for (Node node : graph.nodes()) {
            for (int i = 0; i < node.inputs().size(); i++) {
                Value v = node.input(i);
                if (v.node().op() instanceof Leaf leaf && leaf.role() == Leaf.Role.WEIGHT) {
                    ProductWeight read = read(node.op(), i, leaf);
                    if (read == null || !read.equals(found.getOrDefault(leaf.name(), read))) {
                        otherwise.add(leaf.name());
                    } else {
                        found.put(leaf.name(), read);
                    }
                }
            }
        }
        otherwise.forEach(found::remove);
        return List.copyOf(found.values());
    }

    private static @Nullable ProductWeight read(Op op, int operand, Leaf w) {
        Shape shape = w.type().shape();
        int last = shape.rank() - 1;
        if (op instanceof Fused chain && operand < chain.parts().get(0).operands()) {
            return read(chain.root(), operand, w);
        } else if (op instanceof Convolution c && operand == 1) {
            return new ProductWeight(w.name(), shape, 0, 1, c.groups());
        } else if (op instanceof ConvolutionTranspose t && operand == 1 && t.groups() == 1) {
            return new ProductWeight(w.name(), shape, 1, 0, 1);
        } else if (op instanceof MatMul m && operand == 1) {
            return new ProductWeight(
                    w.name(), shape, m.transposeB() ? last - 1 : last, m.transposeB() ? last : last - 1, 1);
        } else if (op instanceof MatMul m && operand == 0) {
            return new ProductWeight(
                    w.name(), shape, m.transposeA() ? last : last - 1, m.transposeA() ? last - 1 : last, 1);
        } else if (op instanceof Recurrent && (operand == 1 || operand == 2)) {
            return new ProductWeight(w.name(), shape, 0, 1, 1);
        }
        return null;
    }

    /** How far apart neighbours along an axis lie. */
    private int stride(int axis) {
        return shape.sizeFrom(axis + 1);
    }

    /** The unit of each element, if so many consecutive outputs of one input are a unit; fewer at a group's end. */
    int[] blocks(int rows) {
        int outputs = shape.get(output);
        int perGroup = outputs / groups;
        int perGroupBlocks = (perGroup + rows - 1) / rows;
        int stride = stride(output);
        int[] unit = new int[shape.size()];
        for (int i = 0; i < unit.length; i++) {
            int o = i / stride % outputs;
            int block = o / perGroup * perGroupBlocks + o % perGroup / rows;
            int rest = i / (stride * outputs) * stride + i % stride;
            unit[i] = block * (unit.length / outputs) + rest;
        }
        return unit;
    }

    /** The places of each full run of so many consecutive inputs of one output; what is left over is in none. */
    List<int[]> runs(int length) {
        int inputs = shape.get(input);
        int stride = stride(input);
        List<int[]> runs = new ArrayList<>();
        for (int i = 0; i < shape.size(); i++) {
            int k = i / stride % inputs;
            if (k % length == 0 && k + length <= inputs) {
                int[] run = new int[length];
                for (int j = 0; j < length; j++) {
                    run[j] = i + j * stride;
                }
                runs.add(run);
            }
        }
        return runs;
    }
}
