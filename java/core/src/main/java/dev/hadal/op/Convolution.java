package dev.hadal.op;

import dev.hadal.graph.Node;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Shape;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * y = x ∗ w, a cross-correlation as ONNX's Conv defines it, with x: [N,C,H,W], w: [O,C/groups,KH,KW] and
 * y: [N,O,H',W'].
 */
public record Convolution(Window window, int groups) implements Op {

    public Convolution {
        if (groups < 1) {
            throw new IllegalArgumentException("a convolution needs groups >= 1, got " + groups);
        }
    }

    @Override
    public String name() {
        return "convolution";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x", "w");
        Shape x = Require.f32(name(), "x", in.get(0), "N,C,H,W");
        Shape w = Require.f32(name(), "w", in.get(1), "O,C/groups,KH,KW");
        Require.that(
                x.get(1) == w.get(1) * groups,
                "convolution: x %s has %d channels, but w %s with groups=%d takes %d",
                x,
                x.get(1),
                w,
                groups,
                w.get(1) * groups);
        Require.that(
                w.get(0) % groups == 0,
                "convolution: the %d output channels of w %s are no multiple of groups=%d",
                w.get(0),
                w,
                groups);
        Require.that(
                window.height().fits(x.get(2), w.get(2)) && window.width().fits(x.get(3), w.get(3)),
                "convolution: the kernel of w %s does not fit into x %s with %s",
                w,
                x,
                window);
        return List.of(Type.f32(
                x.get(0),
                w.get(0),
                window.height().out(x.get(2), w.get(2)),
                window.width().out(x.get(3), w.get(3))));
    }

    @Override
    public List<@Nullable Value> gradient(Node y, List<@Nullable Value> dy) {
        Value x = y.input(0);
        Value w = y.input(1);
        Value g = Objects.requireNonNull(dy.get(0));
        return List.of(new BackwardData(this, x.shape()).of(g, w), new BackwardWeights(this, w.shape()).of(x, g));
    }

    @Override
    public String toString() {
        return "convolution[" + window + (groups == 1 ? "" : ", groups " + groups) + "]";
    }

    /** dx from dy and w. */
    public record BackwardData(Convolution forward, Shape x) implements Op {
        @Override
        public String name() {
            return "convolution_backward_data";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "dy", "w");
            Type dx = Type.f32(x);
            Require.f32(
                    name(),
                    "dy",
                    in.get(0),
                    forward.infer(List.of(dx, in.get(1))).get(0).shape());
            return List.of(dx);
        }

        @Override
        public String toString() {
            return name() + "[" + forward.window + "]";
        }
    }

    /** dw from x and dy. */
    public record BackwardWeights(Convolution forward, Shape w) implements Op {
        @Override
        public String name() {
            return "convolution_backward_weights";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            Require.operands(name(), in, "x", "dy");
            Type dw = Type.f32(w);
            Require.f32(
                    name(),
                    "dy",
                    in.get(1),
                    forward.infer(List.of(in.get(0), dw)).get(0).shape());
            return List.of(dw);
        }

        @Override
        public String toString() {
            return name() + "[" + forward.window + "]";
        }
    }
}
