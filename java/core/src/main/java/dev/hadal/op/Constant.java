package dev.hadal.op;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.List;

/** A value of the given dimensions that is one number everywhere. It has no operands: append it to a graph. */
public record Constant(DType dtype, List<Integer> dims, float value) implements Op {

    public Constant {
        dims = new Shape(dims).dims();
        if (dtype == DType.I32 && value != (int) value) {
            throw new IllegalArgumentException("an i32 constant must be an integer, got " + value);
        }
    }

    /** An f32 constant, appended to the graph. */
    static Value f32(Graph graph, Shape shape, float value) {
        return graph.append(new Constant(DType.F32, shape.dims(), value), List.of())
                .get(0);
    }

    @Override
    public String name() {
        return "constant";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in);
        return List.of(new Type(dtype, new Shape(dims)));
    }

    @Override
    public String toString() {
        return name() + dims + " " + value;
    }
}
