package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.graph.Fused;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Activation.Function;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Chains that a backend takes as one op: the same results as those of the ops one after the other. */
@Covers(Fused.class)
abstract class FusedSpec extends Spec {
    private static final WeightedSum SUM = new WeightedSum(List.of(1f, 1f));
    private static final Bias BIAS = new Bias();

    /** Whose results are whole numbers, or zero, if their operands are. */
    private static final List<Function> PIECEWISE = List.of(Function.RELU);

    private static final List<Function> SMOOTH =
            List.of(Function.LEAKY_RELU, Function.SIGMOID, Function.TANH, Function.SILU, Function.HARD_SWISH);

    /** A chain, and the shapes of its operands. */
    private record Chain(Fused op, List<Shape> shapes) {
        static Chain of(Op root, Shape... shapes) {
            return new Chain(Fused.of(root, shapes.length), List.of(shapes));
        }

        Shape result() {
            return op.infer(types()).get(0).shape();
        }

        private List<Type> types() {
            return shapes.stream().map(Type::f32).toList();
        }

        private Chain then(Op next, int at, Shape other) {
            List<Shape> more = new ArrayList<>(shapes);
            more.add(other);
            return new Chain(op.then(next, 2, at), more);
        }

        Chain bias() {
            return then(BIAS, 0, Shape.of(result().get(1)));
        }

        Chain plus(int at) {
            return then(SUM, at, result());
        }

        Chain activation(Function f) {
            return new Chain(op.then(new Activation(f), 1, 0), shapes);
        }

        @Override
        public String toString() {
            return op + " of " + shapes;
        }
    }

    private static Chain convolution(int stride, int pad, int dilation, int groups, Shape x, Shape w) {
        return Chain.of(new Convolution(Window.of(stride, pad, dilation), groups), x, w);
    }

    private static List<Chain> roots() {
        List<Chain> roots = new ArrayList<>(List.of(
                convolution(1, 0, 1, 1, Shape.of(2, 1, 28, 28), Shape.of(32, 1, 3, 3)),
                convolution(1, 1, 1, 1, Shape.of(2, 32, 14, 14), Shape.of(64, 32, 3, 3)),
                convolution(1, 1, 1, 1, Shape.of(1, 128, 7, 7), Shape.of(80, 128, 3, 3)),
                convolution(2, 1, 1, 1, Shape.of(2, 16, 15, 15), Shape.of(33, 16, 3, 3)),
                convolution(1, 0, 1, 1, Shape.of(2, 17, 9, 7), Shape.of(31, 17, 1, 1)),
                convolution(1, 1, 1, 1, Shape.of(2, 7, 5, 6), Shape.of(3, 7, 3, 3)),
                convolution(2, 3, 1, 1, Shape.of(1, 3, 23, 21), Shape.of(8, 3, 7, 7)),
                convolution(1, 2, 2, 1, Shape.of(1, 3, 9, 9), Shape.of(4, 3, 3, 3)),
                convolution(1, 1, 1, 2, Shape.of(1, 32, 6, 6), Shape.of(32, 16, 3, 3)),
                convolution(1, 1, 1, 24, Shape.of(2, 24, 9, 9), Shape.of(24, 1, 3, 3)),
                Chain.of(new MatMul(false, true), Shape.of(128, 65), Shape.of(33, 65)),
                Chain.of(new MatMul(false, true), Shape.of(3, 130), Shape.of(64, 130)),
                Chain.of(new MatMul(false, false), Shape.of(1, 7), Shape.of(7, 1))));
        Draw draw = new Draw("fused shapes");
        for (int i = 0; i < 6; i++) {
            int channels = draw.dim();
            roots.add(convolution(
                    draw.between(1, 2),
                    draw.between(0, 1),
                    1,
                    1,
                    Shape.of(draw.between(1, 3), channels, draw.between(3, 12), draw.between(3, 12)),
                    Shape.of(draw.dim(), channels, 3, 3)));
            int k = draw.dim();
            roots.add(Chain.of(new MatMul(false, true), Shape.of(draw.dim(), k), Shape.of(draw.dim(), k)));
        }
        return roots;
    }

    /** What follows a product, whatever it is. */
    private static List<Chain> chains(List<Function> functions) {
        List<Chain> chains = new ArrayList<>();
        for (Chain root : roots()) {
            for (Function f : functions) {
                chains.add(root.activation(f));
                chains.add(root.bias().activation(f));
            }
            Function f = functions.get(0);
            chains.add(root.bias());
            chains.add(root.plus(0));
            chains.add(root.bias().plus(1).activation(f));
            chains.add(root.bias().activation(f).plus(0));
            chains.add(root.bias().activation(f).plus(1).activation(f));
        }
        return chains;
    }

    private static Tensor[] draw(Chain chain, java.util.function.Function<Shape, Tensor> draw) {
        return chain.shapes.stream().map(draw).toArray(Tensor[]::new);
    }

    @TestFactory
    Stream<DynamicTest> exact() {
        return each(
                "exact", chains(PIECEWISE), (chain, draw) -> exact(chain.op, draw(chain, s -> draw.integers(9, s))));
    }

    /**
     * The product, its bias and residual are a sum, bounded as any; no activation here is steeper than 1.2; its own error
     * is that of a function of at most 16 units in the last place, of results that are no larger than what they come from,
     * or than 1.
     */
    @TestFactory
    Stream<DynamicTest> bounded() {
        List<Chain> chains = new ArrayList<>(chains(SMOOTH));
        chains.addAll(chains(PIECEWISE));
        return each("bounded", chains, (chain, draw) -> {
            Tensor[] operands = draw(chain, s -> draw.normal(0, 1 / Math.sqrt(s.sizeFrom(1)), s));
            bounded(chain.op, (in, out) -> new double[][] {bound(chain, in)}, operands);
        });
    }

    private static double[] bound(Chain chain, double[][] in) {
        int k = chain.shapes.get(1).sizeFrom(1);
        double[][] magnitudes = Arrays.stream(in)
                .map(x -> Arrays.stream(x).map(Math::abs).toArray())
                .toArray(double[][]::new);
        Fused sums = new Fused(
                chain.op.parts().stream()
                        .map(p ->
                                p.op() instanceof Activation ? new Fused.Part(new Activation(Function.RELU), 1, 0) : p)
                        .toList(),
                false);
        double[] bound = Truth.formula(sums, chain.types(), magnitudes)[0];
        for (int i = 0; i < bound.length; i++) {
            bound[i] = Truth.U * (2.4 * Math.sqrt(k) * bound[i] + 8 * (bound[i] + 1));
        }
        return bound;
    }

    /** In bf16, only the operands and the last result are. */
    @TestFactory
    Stream<DynamicTest> exactInBf16() {
        return each("exact", chains(PIECEWISE), (chain, draw) -> {
            Tensor[] operands = draw(chain, s -> draw.integers(4, s));
            for (int i = 0; i < operands.length; i++) {
                operands[i] = operands[i].shape().rank() > 1 ? operands[i].narrowed() : operands[i];
            }
            exact(new Mixed(chain.op, List.of(DType.F32)), operands);
            if (chain.shapes.get(1).sizeFrom(1) < 8) {
                exact(new Mixed(chain.op, List.of(DType.BF16)), operands);
            }
        });
    }

    @TestFactory
    Stream<DynamicTest> boundedInBf16() {
        return each("bounded", chains(SMOOTH), (chain, draw) -> {
            Tensor[] operands = draw(chain, s -> draw.normal(0, 1 / Math.sqrt(s.sizeFrom(1)), s));
            for (int i = 0; i < operands.length; i++) {
                operands[i] = operands[i].shape().rank() > 1 ? operands[i].narrowed() : operands[i];
            }
            Mixed mixed = new Mixed(chain.op, List.of(DType.BF16));
            bounded(mixed, (in, out) -> new double[][] {bound(chain, in)}, operands);
        });
    }

    /** Ops that no kernel fuses, with values of another type between them, and a result that is read on the way. */
    @TestFactory
    Stream<DynamicTest> anyOps() {
        List<Chain> chains = List.of(
                new Chain(Fused.of(new Cast(DType.I32), 1).then(new Cast(DType.F32), 1, 0), List.of(Shape.of(3, 5))),
                new Chain(
                        Fused.of(BIAS, 2).then(new Transpose(List.of(1, 0)), 1, 0),
                        List.of(Shape.of(3, 5), Shape.of(5))),
                new Chain(
                        Fused.of(new Transpose(List.of(0, 2, 3, 1)), 1)
                                .then(new Convolution(Window.of(1, 1, 1), 1), 2, 0)
                                .then(new Reshape(List.of(0, -1)), 1, 0)
                                .then(new MatMul(false, true), 2, 1)
                                .keeping(),
                        List.of(Shape.of(2, 4, 5, 3), Shape.of(6, 5, 3, 3), Shape.of(7, 72))));
        return each("exact", chains, (chain, draw) -> exact(chain.op, draw(chain, s -> draw.integers(9, s))));
    }

    /** Whoever looks for the first NaN must find it behind a chain, too. */
    @TestFactory
    Stream<DynamicTest> notANumberStaysOne() {
        List<Chain> chains = new ArrayList<>();
        for (Function f : List.of(Function.RELU, Function.LEAKY_RELU, Function.SIGMOID, Function.SILU)) {
            roots().forEach(root -> chains.add(root.bias().activation(f)));
        }
        return each("NaN", chains, (chain, draw) -> {
            Tensor[] operands = draw(chain, draw::normal);
            operands[0].floats()[operands[0].shape().size() / 2] = Float.NaN;
            double[] expected = Truth.formula(chain.op, List.of(operands))[0];
            bench().check(chain.op, List.of(operands), y -> {
                for (int i = 0; i < expected.length; i++) {
                    assertEquals(Double.isNaN(expected[i]), Float.isNaN(y.get(0).floats()[i]), "NaN at " + i);
                }
            });
        });
    }

    @Test
    void thereIsNoGradient() {
        Graph graph = new Graph();
        Value x = graph.leaf(Role.INPUT, "x", Type.f32(2, 3));
        Value y = Fused.of(new Activation(Function.RELU), 1)
                .then(new Dropout(0.5f), 1, 0)
                .of(x);
        Exception e = assertThrows(IllegalStateException.class, () -> graph.differentiate(y, y, List.of(x)));
        assertTrue(String.valueOf(e.getMessage()).contains("chain of ops has no gradient"), e::getMessage);
    }

    // ---- backward ----

    private static List<Fused> backwardChains() {
        List<Fused> chains = new ArrayList<>();
        for (Activation a : List.of(
                new Activation(Function.RELU),
                new Activation(Function.LEAKY_RELU, 0.25f),
                new Activation(Function.LEAKY_RELU, 2))) {
            chains.add(Fused.of(new Activation.Backward(a.function(), a.alpha()), 2)
                    .then(new Bias.Backward(), 1, 0)
                    .keeping());
        }
        return chains;
    }

    private record Gradient(Fused op, Shape shape) {}

    private static List<Gradient> gradients() {
        List<Shape> shapes = new ArrayList<>(List.of(
                Shape.of(1, 1),
                Shape.of(128, 1024),
                Shape.of(700, 10),
                Shape.of(64, 128),
                Shape.of(2, 32, 14, 14),
                Shape.of(3, 5, 7),
                Shape.of(1, 33, 1, 1),
                Shape.of(3, 64, 24, 24),
                Shape.of(2, 3, 2, 3, 2)));
        Draw draw = new Draw("fused gradients");
        for (int i = 0; i < 6; i++) {
            shapes.add(Shape.of(draw.between(1, 3), draw.dim(), draw.dim(), draw.dim()));
            shapes.add(Shape.of(draw.dim(), draw.dim()));
        }
        List<Gradient> all = new ArrayList<>();
        for (Fused op : backwardChains()) {
            shapes.forEach(shape -> all.add(new Gradient(op, shape)));
        }
        return all;
    }

    /** An activation's gradient, and its sums, which are the bias's. */
    @TestFactory
    Stream<DynamicTest> exactBackward() {
        return each(
                "exact dx, db",
                gradients(),
                (g, draw) -> exact(g.op, draw.integers(9, g.shape), draw.integers(99, g.shape)));
    }

    @TestFactory
    Stream<DynamicTest> boundedBackward() {
        return each("bounded dx, db", gradients(), (g, draw) -> {
            double places = (double) g.shape.size() / g.shape.get(1);
            Tensor[] operands = {draw.normal(g.shape), draw.normal(g.shape)};
            bounded(
                    g.op,
                    (in, out) -> {
                        double[] dx = Arrays.stream(out[0])
                                .map(v -> Truth.U * Math.abs(v))
                                .toArray();
                        double[] sums = Truth.formula(new Bias.Backward(), List.of(Type.f32(g.shape)), new double[][] {
                            Arrays.stream(out[0]).map(Math::abs).toArray()
                        })[0];
                        double[] db = Arrays.stream(sums)
                                .map(v -> 4 * Math.sqrt(places) * Truth.U * v)
                                .toArray();
                        return new double[][] {dx, db};
                    },
                    operands);
        });
    }
}
