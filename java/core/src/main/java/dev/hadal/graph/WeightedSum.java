package dev.hadal.graph;

import dev.hadal.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * y = Σᵢ sᵢ·xᵢ, over f32 operands of one shape. A residual sum, the sum of a value's gradients and a running average
 * are all this op, which is why it lies here, where differentiation needs it.
 */
public record WeightedSum(List<Float> scales) implements Op {

    public WeightedSum {
        scales = List.copyOf(scales);
        if (scales.isEmpty()) {
            throw new IllegalArgumentException("a weighted sum takes at least one term");
        }
    }

    /** x₁ + x₂ + … */
    public static Value sum(List<Value> terms) {
        return terms.size() == 1
                ? terms.get(0)
                : new WeightedSum(terms.stream().map(t -> 1f).toList()).of(terms.toArray(Value[]::new));
    }

    /** (1 − weight)·a + weight·b */
    public static Value average(Value a, Value b, float weight) {
        return new WeightedSum(List.of(1 - weight, weight)).of(a, b);
    }

    @Override
    public String name() {
        return "weighted_sum";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        if (in.size() != scales.size()) {
            throw new TypeException(
                    "weighted_sum has " + scales.size() + " scales, but got " + in.size() + " operands");
        }
        for (int i = 0; i < in.size(); i++) {
            if (!in.get(i).equals(in.get(0)) || in.get(i).dtype() != DType.F32) {
                throw new TypeException("weighted_sum takes f32 operands of one shape, but operand 0 is " + in.get(0)
                        + " and operand " + i + " is " + in.get(i));
            }
        }
        return List.of(in.get(0));
    }

    /** dxᵢ = sᵢ·dy */
    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        List<@Nullable Value> dx = new ArrayList<>();
        for (float s : scales) {
            Value g = Objects.requireNonNull(dy.get(0));
            dx.add(s == 1 ? g : new WeightedSum(List.of(s)).of(g));
        }
        return dx;
    }

    @Override
    public String toString() {
        return scales.stream().allMatch(s -> s == 1)
                ? "sum"
                : scales.stream().map(String::valueOf).collect(Collectors.joining(", ", "weighted_sum[", "]"));
    }
}
