package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The same values in row-major order under another shape. As in ONNX, 0 keeps the operand's dimension, and one −1
 * stands for whatever is left, so that a saved network takes any batch size.
 */
public record Reshape(List<Integer> dims) implements Op {

    public Reshape {
        dims = List.copyOf(dims);
        if (dims.stream().filter(d -> d == -1).count() > 1 || dims.stream().anyMatch(d -> d < -1)) {
            throw new IllegalArgumentException("reshape takes dimensions >= 0 and at most one -1, got " + dims);
        }
    }

    @Override
    public String name() {
        return "reshape";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x");
        Shape x = in.get(0).shape();
        List<Integer> shape = new ArrayList<>(dims);
        // Kept dimensions cancel, so that a batch of nothing leaves the rest as it is.
        long given = 1;
        long wanted = 1;
        for (int i = 0; i < Math.max(x.rank(), shape.size()); i++) {
            if (i < shape.size() && shape.get(i) == 0) {
                Require.that(i < x.rank(), "reshape: dimension %d of %s is to be kept, but x is %s", i, dims, x);
                shape.set(i, x.get(i));
            } else {
                given *= i < x.rank() ? x.get(i) : 1;
                wanted *= i < shape.size() && shape.get(i) > 0 ? shape.get(i) : 1;
            }
        }
        int rest = shape.indexOf(-1);
        if (rest >= 0) {
            Require.that(given % wanted == 0, "reshape: x %s does not divide into %s", x, dims);
            shape.set(rest, (int) (given / wanted));
        } else {
            Require.that(given == wanted, "reshape: the values of x %s do not fill %s", x, dims);
        }
        return List.of(new Type(in.get(0).dtype(), new Shape(shape)));
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        Value x = y.input(0);
        // A shape of nothing cannot be asked for: its 0 would keep dy's dimension.
        return List.of(
                x.shape().size() == 0
                        ? Constant.f32(x.graph(), x.shape(), 0)
                        : new Reshape(x.shape().dims()).of(Objects.requireNonNull(dy.get(0))));
    }

    @Override
    public String toString() {
        return "reshape" + dims;
    }
}
