package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * y = what the integer for x stands for: x on the grid of a quantization, still f32, so that a network learns what rounding
 * does to it (Jacob et al. 2018). The gradient goes straight through the rounding (Bengio, Léonard and Courville 2013), but
 * not where x is cut off:
 *
 * <pre>
 *   dx = dy where least ≤ round(x / scale) + zeroPoint ≤ greatest, else 0
 * </pre>
 */
public record FakeQuantize(Quantization grid) implements Op {

    public FakeQuantize {
        Quantize.requireSome("fake_quantize", grid);
    }

    @Override
    public String name() {
        return "fake_quantize";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x");
        grid.check(name() + ": x", Require.f32(name(), "x", in.get(0)));
        return in;
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        return List.of(new Backward(grid).of(y.input(0), Objects.requireNonNull(dy.get(0))));
    }

    @Override
    public String toString() {
        return name() + "[" + grid + "]";
    }

    /** The scale whose s8 grid just holds values of that largest magnitude: largest/127, or 1 if all are 0. */
    public static float scaleThatHolds(float largest) {
        float scale = largest / 127;
        return largest > 0 && scale <= Float.MAX_VALUE ? Math.max(Float.MIN_NORMAL, scale) : 1;
    }

    /** dx from x and dy. */
    public record Backward(Quantization grid) implements Op {

        public Backward {
            Quantize.requireSome("fake_quantize_backward", grid);
        }

        @Override
        public String name() {
            return "fake_quantize_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "x", "dy");
            grid.check(name() + ": x", Require.f32(name(), "x", in.get(0)));
            Require.f32(name(), "dy", in.get(1), in.get(0).shape());
            return List.of(in.get(0));
        }

        @Override
        public String toString() {
            return name() + "[" + grid + "]";
        }
    }

    /**
     * Values on the s8 grid that just holds them: each index along an axis has the scale of its largest magnitude there,
     * max |x|/127, whatever x is; an index of zeros has the scale 1. That is the grid of a weight while it is trained, and of
     * each row of a product's operand where no calibration says what will come. The gradient goes straight through: nothing
     * is cut off.
     */
    public record Dynamic(int axis) implements Op {

        public Dynamic {
            if (axis < 0) {
                throw new IllegalArgumentException("the axis of scales is counted from 0, so it cannot be " + axis);
            }
        }

        @Override
        public String name() {
            return "fake_quantize_dynamic";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "x");
            Require.f32(name(), "x", in.get(0));
            Require.axis(name(), axis, "x", in.get(0).shape());
            return in;
        }

        @Override
        public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
            return dy;
        }

        @Override
        public String toString() {
            return name() + "[along " + axis + "]";
        }
    }
}
