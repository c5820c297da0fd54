package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Type;
import dev.hadal.graph.TypeException;
import dev.hadal.graph.Value;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The checks that type rules are made of; each failure says what came and what was needed. */
@SuppressWarnings("AnnotateFormatMethod") // the annotation would cost core a dependency
final class Require {

    /** Throws a {@link TypeException} with the formatted message unless the condition holds. */
    static void that(boolean ok, String format, Object... args) {
        if (!ok) {
            throw new TypeException(String.format(format, args));
        }
    }

    static void operands(String op, List<Type> in, String... names) {
        that(in.size() == names.length, "%s takes %s, but got %d operands", op, List.of(names), in.size());
    }

    /** The shape of an f32 operand. */
    static Shape f32(String op, String operand, Type type) {
        that(type.dtype() == DType.F32, "%s: %s must be f32, but is %s", op, operand, type);
        return type.shape();
    }

    /** The shape of an f32 operand of a given rank, whose axes are named in the message, such as [N,C,H,W]. */
    static Shape f32(String op, String operand, Type type, String axes) {
        Shape shape = f32(op, operand, type);
        int rank = axes.isEmpty() ? 0 : axes.split(",").length;
        that(shape.rank() == rank, "%s: %s must be [%s], but is %s", op, operand, axes, shape);
        return shape;
    }

    /** Checks that an f32 operand has exactly this shape. */
    static void f32(String op, String operand, Type type, Shape wanted) {
        that(f32(op, operand, type).equals(wanted), "%s: %s must be %s, but is %s", op, operand, wanted, type.shape());
    }

    /** The axis counted from the first, where −1 is the last. */
    static int axis(String op, int axis, String operand, Shape shape) {
        that(
                axis >= -shape.rank() && axis < shape.rank(),
                "%s: %s must have the axis %d, but is %s",
                op,
                operand,
                axis,
                shape);
        return axis < 0 ? axis + shape.rank() : axis;
    }

    /**
     * The gradient of an op's first result, where the others cannot be differentiated.
     *
     * @throws IllegalStateException if theirs is asked for
     */
    static Value gradientOfFirst(Node node, List<@Nullable Value> dy) {
        for (int i = 1; i < dy.size(); i++) {
            if (dy.get(i) != null) {
                throw new IllegalStateException("the loss depends on result " + i + " of " + node + ", but "
                        + node.op().name() + " has a gradient for its first result alone");
            }
        }
        return Objects.requireNonNull(dy.get(0));
    }

    private Require() {}
}
