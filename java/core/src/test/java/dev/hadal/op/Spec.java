package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.Bf16;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.function.IntToDoubleFunction;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.TestInstance;

/**
 * What an op family must do on every backend, by three kinds of truth: exact where sums of small integers
 * are, bounded against double precision on reals, and the gradients.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class Spec {
    private final Set<Method> started = new HashSet<>();

    /** The backend that this run is about. */
    abstract Bench bench();

    // ---- cases ----

    /** One test per case, each with draws of its own; a failure says how to see it again. */
    final <C> Stream<DynamicTest> each(String truth, Collection<C> cases, BiConsumer<C, Draw> body) {
        return cases.stream().map(c -> {
            String name = truth + " " + c;
            return DynamicTest.dynamicTest(name, () -> {
                try {
                    body.accept(c, new Draw(name));
                } catch (AssertionError | RuntimeException e) {
                    if (e instanceof org.opentest4j.TestAbortedException) {
                        throw e;
                    }
                    throw new AssertionError(
                            bench().subject() + ", " + name + ", -Dhadal.spec.seed=" + Draw.SEED + ": "
                                    + e.getMessage(),
                            e);
                }
            });
        });
    }

    @BeforeEach
    void start(TestInfo test) {
        started.add(test.getTestMethod().orElseThrow());
    }

    /** What a spec claims to cover, its cases must really run; unless only some of them were asked for. */
    @AfterAll
    void everyCoveredOpWasRun() {
        Class<?> spec = getClass();
        while (!spec.isAnnotationPresent(Covers.class)) {
            spec = spec.getSuperclass();
        }
        Set<Method> factories = new HashSet<>(Arrays.asList(spec.getDeclaredMethods()));
        factories.removeIf(m -> !m.isAnnotationPresent(TestFactory.class));
        if (started.containsAll(factories)) {
            for (Class<? extends Op> op : spec.getAnnotation(Covers.class).value()) {
                if (!bench().tally().knows(op)) {
                    throw new AssertionError(
                            spec.getSimpleName() + " covers " + Tally.nameOf(op) + ", but never runs it");
                }
            }
        }
    }

    // ---- exact ----

    /** Runs the op on small integers: every result must be the reference's, bit by bit; rounded, if it is bf16. */
    final void exact(Op op, Tensor... operands) {
        List<Tensor> in = List.of(operands);
        requireExactSums(op, in);
        double[][] expected = Truth.formula(op, in);
        List<Type> out = op.infer(Bench.types(in));
        for (int o = 0; o < expected.length; o++) {
            expected[o] =
                    out.get(o).dtype() == DType.BF16 ? Truth.wide(Truth.tensor(out.get(o), expected[o])) : expected[o];
        }
        bench().check(op, in, y -> {
            for (int o = 0; o < expected.length; o++) {
                Truth.exact("result " + o, y.get(o), expected[o]);
            }
        });
    }

    /** Fails if a sum, in whatever order, could leave the integers that f32 holds: that would be the case's fault. */
    private static void requireExactSums(Op op, List<Tensor> in) {
        for (double[] y : Truth.formula(op, Bench.types(in), magnitudes(in))) {
            for (double sum : y) {
                if (sum >= 1 << 24) {
                    throw new AssertionError("the case is not exact: its sums reach " + sum);
                }
            }
        }
    }

    private static double[][] magnitudes(List<Tensor> in) {
        return in.stream()
                .map(t -> Arrays.stream(Truth.wide(t)).map(Math::abs).toArray())
                .toArray(double[][]::new);
    }

    // ---- bounded ----

    /** The error that each result is allowed at each place, from the operands and the exact results. */
    interface Bound {
        double[][] of(double[][] in, double[][] out);
    }

    /**
     * Runs the op on reals: every result must lie within its bound of the reference in double precision. A bf16 result is
     * allowed one rounding more.
     */
    final void bounded(Op op, Bound bound, Tensor... operands) {
        List<Tensor> in = List.of(operands);
        double[][] expected = Truth.formula(op, in);
        double[][] bounds = bound.of(in.stream().map(Truth::wide).toArray(double[][]::new), expected);
        List<Type> out = op.infer(Bench.types(in));
        for (int o = 0; o < expected.length; o++) {
            for (int i = 0; out.get(o).dtype() == DType.BF16 && i < expected[o].length; i++) {
                bounds[o][i] += Bf16.ROUNDOFF * (Math.abs(expected[o][i]) + bounds[o][i]);
            }
        }
        bench().check(op, in, y -> {
            for (int o = 0; o < expected.length; o++) {
                double[] limit = bounds[o];
                double share = Truth.bounded("result " + o, y.get(o), expected[o], i -> limit[i]);
                bench().tally().error(op, "y" + o, share);
            }
        });
    }

    /** |err| ≤ 4·√K·u·Σ|aᵢbᵢ|, for results that are sums of K products. Worst observed: 0.3 of it. */
    final void boundedSums(Op op, double k, Tensor... operands) {
        double[][] sums = Truth.formula(op, Bench.types(List.of(operands)), magnitudes(List.of(operands)));
        for (double[] sum : sums) {
            for (int i = 0; i < sum.length; i++) {
                sum[i] *= 4 * Math.sqrt(k) * Truth.U;
            }
        }
        bounded(op, (in, out) -> sums, operands);
    }

    // ---- gradients ----

    /** An op in a graph of its own, with its first result differentiated. */
    private record Alone(Graph graph, List<Value> operands, Value y, Map<Value, Value> gradients) {

        static Alone of(Op op, List<Type> types) {
            Graph graph = new Graph();
            List<Value> operands = new ArrayList<>();
            for (int i = 0; i < types.size(); i++) {
                operands.add(graph.leaf(Role.INPUT, "x" + i, types.get(i)));
            }
            Value y = op.of(operands.toArray(Value[]::new));
            Value dy = graph.leaf(Role.INPUT, "dy", y.type());
            List<Value> wanted =
                    operands.stream().filter(x -> x.type().dtype() == DType.F32).toList();
            return new Alone(graph, operands, y, graph.differentiate(y, dy, wanted));
        }

        Value gradient(Value operand) {
            return Objects.requireNonNull(gradients.get(operand), "no gradient of " + operand.node());
        }
    }

    private static Map<String, Tensor> leaves(Tensor dy, List<Tensor> operands) {
        Map<String, Tensor> leaves = new LinkedHashMap<>();
        for (int i = 0; i < operands.size(); i++) {
            leaves.put("x" + i, operands.get(i));
        }
        leaves.put("dy", dy);
        return leaves;
    }

    /** ⟨dy, y⟩ = ⟨dx, x⟩ for every operand x, of an op that is linear in each of them; exactly, on integers. */
    final void adjointInEach(Op op, Tensor dy, Tensor... operands) {
        adjoint(op, dy, List.of(operands), false);
    }

    /** ⟨dy, y⟩ = Σ⟨dx, x⟩, of an op that is linear in all its operands together; exactly, on integers. */
    final void adjointInAll(Op op, Tensor dy, Tensor... operands) {
        adjoint(op, dy, List.of(operands), true);
    }

    private void adjoint(Op op, Tensor dy, List<Tensor> operands, boolean together) {
        Alone alone = Alone.of(op, Bench.types(operands));
        for (boolean free : new boolean[] {false, true}) {
            Map<Value, Tensor> values = bench().evaluate(alone.graph(), leaves(dy, operands), free);
            double product = Truth.dot(dy, value(values, alone.y()));
            double sum = 0;
            for (int i = 0; i < operands.size(); i++) {
                if (operands.get(i).dtype() != DType.F32) {
                    continue; // such as indices
                }
                Tensor dx = value(values, alone.gradient(alone.operands().get(i)));
                double term = Truth.dot(dx, operands.get(i));
                if (!together) {
                    assertEquals(product, term, "⟨dy, y⟩ = ⟨dx, x⟩ for operand " + i);
                }
                sum += term;
            }
            if (together) {
                assertEquals(product, sum, "⟨dy, y⟩ = Σ⟨dx, x⟩");
            }
        }
    }

    /**
     * Differentiates the op where it is smooth. In double precision its gradients must be what central
     * differences say; the backend's must lie within tolerance·u of those, relative to the largest of each
     * operand's.
     */
    final void gradients(Op op, double tolerance, Tensor dy, Tensor... operands) {
        gradients(op, tolerance, k -> 0, dy, operands);
    }

    /** The same, relative to no less than the given scale of each operand's gradient: the size of what it sums up. */
    final void gradients(Op op, double tolerance, IntToDoubleFunction scales, Tensor dy, Tensor... operands) {
        List<Tensor> in = List.of(operands);
        Alone alone = Alone.of(op, Bench.types(in));
        Map<String, Tensor> leaves = leaves(dy, in);
        Map<Value, double[]> truth = Bench.formula(alone.graph(), leaves);
        Map<Value, double[]> expected = new HashMap<>();
        alone.operands().stream().filter(alone.gradients()::containsKey).forEach(x -> {
            double[] dx = Objects.requireNonNull(truth.get(alone.gradient(x)));
            expected.put(x, dx);
            Differences.check(op, in, alone.operands().indexOf(x), Truth.wide(dy), dx);
        });
        for (boolean free : new boolean[] {false, true}) {
            Map<Value, Tensor> values = bench().evaluate(alone.graph(), leaves, free);
            expected.forEach((x, dx) -> {
                double scale = Math.max(
                        scales.applyAsDouble(alone.operands().indexOf(x)),
                        Arrays.stream(dx).map(Math::abs).max().orElse(0));
                double share = Truth.bounded(
                        "the gradient of operand " + alone.operands().indexOf(x),
                        value(values, alone.gradient(x)),
                        dx,
                        i -> tolerance * Truth.U * scale + Truth.TINY);
                bench().tally().error(op, "d" + alone.operands().indexOf(x), share);
            });
        }
    }

    /** Differentiates an op whose gradients are exact: they must be the reference's, bit by bit. */
    final void exactGradients(Op op, Tensor dy, Tensor... operands) {
        List<Tensor> in = List.of(operands);
        Alone alone = Alone.of(op, Bench.types(in));
        Map<Value, double[]> truth = Bench.formula(alone.graph(), leaves(dy, in));
        Map<Value, Tensor> values = bench().evaluate(alone.graph(), leaves(dy, in), true);
        alone.gradients().forEach((x, dx) -> {
            double[] expected = Objects.requireNonNull(truth.get(dx));
            int operand = alone.operands().indexOf(x);
            Differences.check(op, in, operand, Truth.wide(dy), expected);
            Truth.exact("the gradient of operand " + operand, value(values, dx), expected);
        });
    }

    private static Tensor value(Map<Value, Tensor> values, Value v) {
        return Objects.requireNonNull(values.get(v), v.toString());
    }

    // ---- shapes ----

    /** Shapes that elementwise kernels trip over: scalars, remainders of every vector, and enough for two threads. */
    static final List<Shape> ANY_SHAPES = List.of(
            Shape.SCALAR,
            Shape.of(1),
            Shape.of(7),
            Shape.of(16),
            Shape.of(33),
            Shape.of(3, 5),
            Shape.of(2, 17, 3),
            Shape.of(2, 3, 7, 5),
            Shape.of(1, 33, 4, 4),
            Shape.of(2, 2, 3, 2, 3),
            Shape.of(7, 31, 33, 17));

    /** The same, of no elements. */
    static final List<Shape> EMPTY_SHAPES =
            List.of(Shape.of(0), Shape.of(0, 3, 4, 4), Shape.of(2, 0), Shape.of(2, 3, 0));
}
