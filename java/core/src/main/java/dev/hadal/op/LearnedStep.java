package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Fake quantization whose scale is learned (LSQ: Esser, McKinstry, Bablani, Appuswamy and Modha 2020), with s: [1], or [C]
 * for x with C indices along the axis, and z the zero point:
 *
 * <pre>
 *   q  = clamp(round(x/s) + z)                             y = s·(q − z)
 *   dx = dy where nothing is cut off, else 0
 *   ds = g·Σ dy·(q − z − x/s where nothing is cut off, else q − z)
 *   g  = 1/√(N·(greatest − z)),   N values to each scale
 * </pre>
 *
 * A scale that is not positive counts as the least that is.
 */
public record LearnedStep(DType dtype, int axis, int zeroPoint) implements Op {

    public LearnedStep {
        new Quantization(dtype, List.of(1f), 0, zeroPoint); // checks
        if (axis < 0) {
            throw new IllegalArgumentException("the axis of learned steps is counted from 0, so it cannot be " + axis);
        }
    }

    @Override
    public String name() {
        return "learned_step";
    }

    /** The grid of a scale. */
    public Quantization grid(List<Float> scales) {
        return new Quantization(dtype, scales.stream().map(LearnedStep::usable).toList(), axis, zeroPoint);
    }

    private static float usable(float s) {
        return s >= Float.MIN_NORMAL ? Math.min(s, Float.MAX_VALUE) : Float.MIN_NORMAL;
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x", "step");
        check(name(), Require.f32(name(), "x", in.get(0)), Require.f32(name(), "step", in.get(1)));
        return List.of(in.get(0));
    }

    private void check(String op, Shape x, Shape step) {
        Require.axis(op, axis, "x", x);
        Require.that(
                step.equals(Shape.of(1)) || (step.equals(Shape.of(x.get(axis))) && zeroPoint == 0),
                "%s: step must be [1]%s, but is %s for x %s",
                op,
                zeroPoint == 0 ? " or [" + x.get(axis) + "]" : " beside a zero point",
                step,
                x);
    }

    /** How much of the sum a scale's gradient is: g. */
    public double share(Shape x, Shape step) {
        double values = (double) x.size() / step.size();
        return 1 / Math.sqrt(Math.max(1, values) * Math.max(1, (dtype == DType.U8 ? 255 : 127) - zeroPoint));
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        return List.copyOf(new Backward(this).call(y.input(0), y.input(1), Objects.requireNonNull(dy.get(0))));
    }

    @Override
    public String toString() {
        return name() + "[" + dtype.name().toLowerCase(Locale.ROOT) + (zeroPoint == 0 ? "" : ", zero " + zeroPoint)
                + "]";
    }

    /** dx and ds from x, s and dy. */
    public record Backward(LearnedStep forward) implements Op {
        @Override
        public String name() {
            return "learned_step_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "x", "step", "dy");
            Shape x = Require.f32(name(), "x", in.get(0));
            forward.check(name(), x, Require.f32(name(), "step", in.get(1)));
            Require.f32(name(), "dy", in.get(2), x);
            return List.of(in.get(0), in.get(1));
        }

        @Override
        public String toString() {
            return forward + "_backward";
        }
    }
}
