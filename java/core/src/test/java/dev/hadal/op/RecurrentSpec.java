package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Recurrent.Cell;
import dev.hadal.op.Recurrent.Extent;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Recurrent cells, in both directions, with and without initial states and lengths. */
@Covers({Recurrent.class, Recurrent.Backward.class})
abstract class RecurrentSpec extends Spec {

    record Case(Recurrent op, int n, int t, int i, int h) {

        List<Type> types() {
            List<Type> types = new ArrayList<>();
            for (String name : op.operands()) {
                types.add(type(name));
            }
            return types;
        }

        private Type type(String name) {
            int rows = op.cell().gates() * h;
            return switch (name) {
                case "x" -> Type.f32(n, t, i);
                case "weight_ih" -> Type.f32(rows, i);
                case "weight_hh" -> Type.f32(rows, h);
                case "bias_ih", "bias_hh" -> Type.f32(rows);
                case "lengths" -> Type.i32(n);
                default -> Type.f32(n, h);
            };
        }

        /** Inputs of variance 1, weights as PyTorch draws them, and lengths from nothing to all. */
        Tensor[] operands(Draw draw) {
            double bound = 1 / Math.sqrt(h);
            return draw(draw, (name, shape) -> switch (name) {
                case "x", "c0" -> draw.normal(shape);
                case "h0" -> draw.uniform(-1, 1, shape);
                default -> draw.uniform(-bound, bound, shape);
            });
        }

        /** Integers that stay small: recurrent weights from −1 to 1. */
        Tensor[] integers(Draw draw) {
            return draw(draw, (name, shape) -> draw.integers(name.equals("x") ? 2 : 1, shape));
        }

        private interface Values {
            Tensor of(String name, Shape shape);
        }

        private Tensor[] draw(Draw draw, Values values) {
            return op.operands().stream()
                    .map(name -> name.equals("lengths")
                            ? draw.labels(n, t + 1)
                            : values.of(name, type(name).shape()))
                    .toArray(Tensor[]::new);
        }

        /** Operands of the backward op: what the forward op's reference makes of its own, and gradients. */
        Tensor[] backwardOperands(Recurrent.Backward backward, Tensor[] forward, Values gradients) {
            List<Type> results = op.infer(types());
            double[][] y = Truth.formula(op, List.of(forward));
            return backward.operands().stream()
                    .map(name -> {
                        int result = op.results().indexOf(name.startsWith("d") ? name.substring(1) : name);
                        return name.startsWith("d")
                                ? gradients.of(name, results.get(result).shape())
                                : result >= 0
                                        ? Truth.tensor(results.get(result), y[result])
                                        : forward[op.operands().indexOf(name)];
                    })
                    .toArray(Tensor[]::new);
        }

        /** √(N·T)/8, the size of a sum of as many gates' gradients. */
        double terms() {
            return Math.sqrt(n * t) / 8;
        }

        List<String> allGradients() {
            return op.cell() == Cell.LSTM ? List.of("dy", "dh", "dc") : List.of("dy", "dh");
        }

        @Override
        public String toString() {
            return op + (op.initial() ? "[initial]" : "") + " " + new Extent(n, t, i, h);
        }
    }

    /** N, T, I and H: single ones, remainders of vectors and tiles, and enough for two threads. */
    private static final int[][] SIZES = {
        {1, 1, 1, 1}, {2, 3, 3, 2}, {3, 7, 2, 8}, {7, 2, 15, 17}, {1, 8, 33, 16}, {16, 3, 31, 33}, {33, 4, 17, 65}
    };

    /** The same for sums of integers, which grow with every step. */
    private static final int[][] EXACT_SIZES = {
        {1, 1, 1, 1}, {2, 3, 3, 2}, {3, 7, 2, 7}, {8, 2, 15, 17}, {1, 4, 33, 16}, {33, 3, 31, 33}, {64, 2, 16, 65}
    };

    private static List<Case> cases(int[][] sizes, Cell... cells) {
        List<Case> cases = new ArrayList<>();
        for (Cell cell : cells) {
            for (int way = 0; way < 8; way++) {
                Recurrent op = new Recurrent(cell, (way & 1) != 0, (way & 2) != 0, (way & 4) != 0);
                for (int[] s : sizes) {
                    cases.add(new Case(op, s[0], s[1], s[2], s[3]));
                }
            }
        }
        return cases;
    }

    @TestFactory
    Stream<DynamicTest> exact() {
        return each("exact", cases(EXACT_SIZES, Cell.RNN_RELU), (c, draw) -> exact(c.op(), c.integers(draw)));
    }

    @TestFactory
    Stream<DynamicTest> exactBackward() {
        return each("exact backward", cases(EXACT_SIZES, Cell.RNN_RELU), (c, draw) -> {
            for (List<String> given : List.of(List.of("dy", "dh"), List.of("dh"), List.of("dy"))) {
                Recurrent.Backward backward = new Recurrent.Backward(c.op(), given);
                exact(
                        backward,
                        c.backwardOperands(backward, c.integers(draw), (name, shape) -> draw.integers(1, shape)));
            }
        });
    }

    @TestFactory
    Stream<DynamicTest> exactOnNothing() {
        return each("exact", cases(new int[][] {{0, 3, 2, 5}}, Cell.values()), (c, draw) -> {
            exact(c.op(), c.integers(draw));
            Recurrent.Backward backward = new Recurrent.Backward(c.op(), c.allGradients());
            exact(backward, c.backwardOperands(backward, c.integers(draw), (name, s) -> draw.integers(1, s)));
        });
    }

    /**
     * A gate's argument is a sum of K = I + H + 2 terms, which errs by √K·u·Σ|aᵢbᵢ| or so, less where signs differ; its function,
     * whose slope is 1 at most, and the cell's products add a few u. The recurrent weights contract: their spectral
     * radius is about 1/√3, so that a state's error outlives some steps, and an LSTM's c sums up those of all: T times as
     * much. Worst observed: 0.2 of it.
     */
    private static double[][] bound(Case c, double[][] in, double[][] out) {
        double weights = Math.max(max(in[1]), max(in[2]));
        double sum = weights * (c.i() * max(in[0]) + c.h()) + max(in[3]) + max(in[4]);
        double bound = c.t() * Truth.U * (0.4 * Math.sqrt(c.i() + c.h() + 2) * sum + 5);
        double[][] bounds = new double[out.length][];
        for (int o = 0; o < out.length; o++) {
            bounds[o] = new double[out[o].length];
            Arrays.fill(bounds[o], bound);
        }
        return bounds;
    }

    private static double max(double[] values) {
        return Arrays.stream(values).map(Math::abs).max().orElse(0);
    }

    @TestFactory
    Stream<DynamicTest> bounded() {
        return each(
                "bounded",
                cases(SIZES, Cell.values()),
                (c, draw) -> bounded(c.op(), (in, out) -> bound(c, in, out), c.operands(draw)));
    }

    /**
     * Each gradient is a sum over up to N·T steps, each of which errs as the forward pass does; relative to the largest
     * of each operand's, and a bias's to no less than what it sums up. Worst observed: 0.7 of it.
     */
    private static final double GRADIENT = 22;

    /** Gradients that flow into y alone, and from there to every operand. */
    @TestFactory
    Stream<DynamicTest> gradient() {
        int[][] sizes = {{2, 3, 3, 2}, {3, 7, 2, 8}};
        return each("gradient", cases(sizes, Cell.values()), (c, draw) -> {
            Tensor dy = draw.normal(Shape.of(c.n(), c.t(), c.h()));
            gradients(c.op(), GRADIENT, k -> k == 3 || k == 4 ? c.terms() : 0, dy, c.operands(draw));
        });
    }

    /** Gradients that flow into y and the final states at once: of ⟨dy, y⟩ + ⟨dh, h⟩ + ⟨dc, c⟩. */
    @TestFactory
    Stream<DynamicTest> gradientOfTheStates() {
        int[][] sizes = {{2, 3, 3, 2}, {16, 4, 17, 33}};
        return each("gradient of states", cases(sizes, Cell.values()), (c, draw) -> {
            Whole whole = Whole.of(c, draw);
            Map<Value, double[]> truth = Bench.formula(whole.graph(), whole.leaves());
            boolean small = c.n() * c.h() < 10;
            whole.gradients().forEach((x, dx) -> {
                if (small) {
                    whole.differences(x, Objects.requireNonNull(truth.get(dx)));
                }
            });
            for (boolean free : new boolean[] {false, true}) {
                Map<Value, Tensor> values = bench().evaluate(whole.graph(), whole.leaves(), free);
                whole.gradients().forEach((x, dx) -> {
                    double[] expected = Objects.requireNonNull(truth.get(dx));
                    boolean sum = x.node().op().name().startsWith("bias");
                    double scale = Math.max(max(expected), sum ? c.terms() : 0);
                    double limit = GRADIENT * Truth.U * scale + Truth.TINY;
                    double share = Truth.bounded(
                            "the gradient of " + x.node(),
                            Objects.requireNonNull(values.get(dx)),
                            expected,
                            i -> limit);
                    bench().tally().error(c.op(), "d" + x.node().op().name(), share);
                });
            }
        });
    }

    /** The op under a loss that all its results take part in. */
    private record Whole(Graph graph, Map<String, Tensor> leaves, Value loss, Map<Value, Value> gradients) {

        static Whole of(Case c, Draw draw) {
            Graph graph = new Graph();
            Map<String, Tensor> leaves = new LinkedHashMap<>();
            List<Value> operands = new ArrayList<>();
            Tensor[] tensors = c.operands(draw);
            for (int k = 0; k < tensors.length; k++) {
                String name = c.op().operands().get(k);
                leaves.put(name, tensors[k]);
                operands.add(graph.leaf(Role.INPUT, name, c.type(name)));
            }
            List<Value> y = c.op().call(operands.toArray(Value[]::new));
            List<Value> terms = new ArrayList<>();
            for (int o = 0; o < c.allGradients().size(); o++) {
                String name = c.allGradients().get(o);
                int size = y.get(o).shape().size();
                leaves.put(name, draw.normal(Shape.of(size, 1)));
                Value flat = new Reshape(List.of(1, -1)).of(y.get(o));
                terms.add(new MatMul(false, false).of(flat, graph.leaf(Role.INPUT, name, Type.f32(size, 1))));
            }
            Value loss = WeightedSum.sum(terms);
            leaves.put("dloss", Tensor.of(Shape.of(1, 1), 1f));
            Value dloss = graph.leaf(Role.INPUT, "dloss", Type.f32(1, 1));
            List<Value> wanted = operands.stream()
                    .filter(v -> !v.node().op().name().equals("lengths"))
                    .toList();
            return new Whole(graph, leaves, loss, graph.differentiate(loss, dloss, wanted));
        }

        /** Central differences in double precision, as {@link Differences} has them for one op. */
        void differences(Value x, double[] gradient) {
            Map<String, double[]> wide = new LinkedHashMap<>();
            leaves.forEach((name, t) -> wide.put(name, Truth.wide(t)));
            double[] values = Objects.requireNonNull(wide.get(x.node().op().name()));
            int step = Math.max(1, values.length / 8);
            for (int i = 0; i < values.length; i += step) {
                double middle = values[i];
                values[i] = middle + 1e-5;
                double above = lossOf(wide);
                values[i] = middle - 1e-5;
                double below = lossOf(wide);
                values[i] = middle;
                double scale = Math.max(1e-3, max(gradient));
                assertEquals((above - below) / 2e-5, gradient[i], 1e-6 * scale, x.node() + " at " + i);
            }
        }

        private double lossOf(Map<String, double[]> wide) {
            return Objects.requireNonNull(
                    dev.hadal.backend.jvm.Reference.evaluate(graph, wide).get(loss))[0];
        }
    }

    /** Only the sequence that it stands in, and only from its step on. */
    @TestFactory
    Stream<DynamicTest> notANumberStaysOne() {
        return each("NaN", cases(new int[][] {{3, 5, 7, 17}}, Cell.values()), (c, draw) -> {
            Tensor[] operands = c.operands(draw);
            int step = 2;
            operands[0].floats()[(c.t() + step) * c.i() + 3] = Float.NaN;
            if (c.op().masked()) {
                operands[operands.length - 1] = Tensor.of(Shape.of(3), 5, 4, 0);
            }
            bench().check(c.op(), List.of(operands), y -> {
                for (int n = 0; n < 3; n++) {
                    for (int t = 0; t < 5; t++) {
                        boolean after = c.op().reverse() ? t <= step : t >= step && t < (c.op().masked() ? 4 : 5);
                        float first = y.get(0).floats()[(n * 5 + t) * 17];
                        assertEquals(n == 1 && after, Float.isNaN(first), "NaN in sequence " + n + " at step " + t);
                    }
                    assertEquals(n == 1, Float.isNaN(y.get(1).floats()[n * 17]), "NaN in state " + n);
                }
            });
        });
    }
}
