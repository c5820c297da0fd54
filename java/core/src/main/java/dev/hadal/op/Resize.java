package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Images of another size, from [N,C,H,W] to [N,C,height,width], as PyTorch's interpolate with align_corners=false. Along
 * each axis of D places in x and D' in y, place i of y lies at
 *
 * <pre>
 *   nearest:    ⌊i·D/D'⌋
 *   bilinear:   s = max((i + ½)·D/D' − ½, 0), between the places ⌊s⌋ and ⌊s⌋ + 1, weighted by their distance
 * </pre>
 */
public record Resize(int height, int width, Mode mode) implements Op {

    /** What a place of y is made of. */
    public enum Mode {
        NEAREST,
        BILINEAR
    }

    public Resize {
        if (height < 1 || width < 1) {
            throw new IllegalArgumentException("resize takes a size of at least 1x1, got " + height + "x" + width);
        }
    }

    @Override
    public String name() {
        return "resize";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x");
        Shape x = Require.f32(name(), "x", in.get(0), "N,C,H,W");
        Require.that(x.get(2) > 0 && x.get(3) > 0, "resize: x %s has no places to read", x);
        return List.of(Type.f32(x.get(0), x.get(1), height, width));
    }

    /** Where a place of y lies along an axis: between the lower and the upper place of x, so far from the lower. */
    public record Tap(int lower, int upper, double distance) {}

    /** The taps of all places along an axis. */
    public Tap[] taps(int in, int out) {
        Tap[] taps = new Tap[out];
        for (int i = 0; i < out; i++) {
            if (mode == Mode.NEAREST) {
                int place = (int) ((long) i * in / out);
                taps[i] = new Tap(place, place, 0);
            } else {
                double s = Math.max((i + 0.5) * in / out - 0.5, 0);
                int lower = Math.min((int) s, in - 1);
                int upper = Math.min(lower + 1, in - 1);
                taps[i] = new Tap(lower, upper, upper == lower ? 0 : s - lower);
            }
        }
        return taps;
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        return List.of(new Backward(this, y.input(0).shape()).of(Objects.requireNonNull(dy.get(0))));
    }

    @Override
    public String toString() {
        return name() + "[" + height + "x" + width + " " + mode.name().toLowerCase(Locale.ROOT) + "]";
    }

    /** dx: each place of dy, shared out among those that it was made of. */
    public record Backward(Resize forward, Shape x) implements Op {
        @Override
        public String name() {
            return "resize_backward";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "dy");
            Shape y = forward.infer(List.of(Type.f32(x))).get(0).shape();
            Require.f32(name(), "dy", in.get(0), y);
            return List.of(Type.f32(x));
        }

        @Override
        public String toString() {
            return forward + " backward";
        }
    }
}
