package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.op.Reduce.Function;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Many values to one. */
@Covers({Reduce.class, ArgMax.class})
abstract class ReduceSpec extends Spec {

    record Case(Reduce op, Shape x) {
        static List<Case> all(Function... functions) {
            List<Case> cases = new ArrayList<>();
            for (Function f : functions) {
                cases.add(new Case(new Reduce(f, List.of(), false), Shape.SCALAR));
                cases.add(new Case(new Reduce(f, List.of(), false), Shape.of(33)));
                cases.add(new Case(new Reduce(f, List.of(), true), Shape.of(2, 3, 4)));
                cases.add(new Case(new Reduce(f, List.of(-1), false), Shape.of(3, 17)));
                cases.add(new Case(new Reduce(f, List.of(-1), true), Shape.of(2, 3, 65)));
                cases.add(new Case(new Reduce(f, List.of(0), false), Shape.of(16, 33)));
                cases.add(new Case(new Reduce(f, List.of(1), true), Shape.of(2, 7, 5)));
                cases.add(new Case(new Reduce(f, List.of(2, 3), false), Shape.of(2, 3, 7, 5)));
                cases.add(new Case(new Reduce(f, List.of(-1, 0, 2), false), Shape.of(2, 15, 3, 8)));
                cases.add(new Case(new Reduce(f, List.of(1), false), Shape.of(4, 1, 3)));
                cases.add(new Case(new Reduce(f, List.of(-1), false), Shape.of(700, 513)));
            }
            return cases;
        }

        double terms() {
            return (double) x.size() / op.kept(x).size();
        }

        boolean small() {
            return x.size() < 1000;
        }
    }

    @TestFactory
    Stream<DynamicTest> exact() {
        return each(
                "exact",
                Case.all(Function.SUM, Function.MAX, Function.MIN),
                (c, draw) -> exact(c.op(), draw.integers(9, c.x())));
    }

    @TestFactory
    Stream<DynamicTest> exactOnNothing() {
        List<Case> empty = List.of(
                new Case(new Reduce(Function.SUM, List.of(), false), Shape.of(0)),
                new Case(new Reduce(Function.SUM, List.of(-1), true), Shape.of(2, 0)),
                new Case(new Reduce(Function.MAX, List.of(1), false), Shape.of(0, 3)),
                new Case(new Reduce(Function.MEAN, List.of(1), false), Shape.of(0, 3)));
        return each("exact", empty, (c, draw) -> exact(c.op(), draw.integers(9, c.x())));
    }

    /** Sums, bounded as those of a convolution; a mean has one rounding more, of the quotient. */
    @TestFactory
    Stream<DynamicTest> bounded() {
        return each(
                "bounded",
                Case.all(Function.SUM, Function.MEAN),
                (c, draw) -> boundedSums(c.op(), c.terms(), draw.normal(c.x())));
    }

    @TestFactory
    Stream<DynamicTest> notANumberStaysOne() {
        return each("NaN", Case.all(Function.values()), (c, draw) -> {
            Tensor x = draw.normal(c.x());
            x.floats()[x.floats().length / 2] = Float.NaN;
            double[] expected = Truth.formula(c.op(), List.of(x))[0];
            bench().check(c.op(), List.of(x), y -> {
                for (int i = 0; i < expected.length; i++) {
                    assertEquals(Double.isNaN(expected[i]), Float.isNaN(y.get(0).floats()[i]), "NaN at " + i);
                }
            });
        });
    }

    @TestFactory
    Stream<DynamicTest> adjoint() {
        return each(
                "adjoint",
                Case.all(Function.SUM),
                (c, draw) -> adjointInAll(c.op(), draw.integers(9, result(c)), draw.integers(9, c.x())));
    }

    private static Shape result(Case c) {
        return c.op().infer(List.of(Type.f32(c.x()))).get(0).shape();
    }

    /** Values apart from each other, so that each maximum is one. Worst observed: 0.5 of it. */
    @TestFactory
    Stream<DynamicTest> gradient() {
        List<Case> small =
                Case.all(Function.values()).stream().filter(Case::small).toList();
        return each("gradient", small, (c, draw) -> {
            Tensor x = draw.normal(c.x());
            int n = x.floats().length;
            Arrays.setAll(new Object[n], i -> x.floats()[i] = (i * 7919 % 1009) / 64f);
            gradients(c.op(), 4, draw.normal(result(c)), x);
        });
    }

    /** As PyTorch's amax: evenly among equals. */
    @TestFactory
    Stream<DynamicTest> gradientOfTies() {
        return each("ties", List.of(Function.MAX, Function.MIN), (f, draw) -> {
            Tensor x = Tensor.of(Shape.of(2, 3), 1f, 1f, 1f, 5f, 5f, 5f);
            Tensor dy = Tensor.of(Shape.of(2), 3f, 6f);
            adjointTies(new Reduce(f, List.of(1), false), dy, x);
        });
    }

    /** Of three equal values, each has a third. */
    private void adjointTies(Reduce op, Tensor dy, Tensor x) {
        Graph graph = new Graph();
        Value in = graph.leaf(Role.INPUT, "x", Type.f32(x.shape()));
        Value y = op.of(in);
        Value g = graph.leaf(Role.INPUT, "dy", y.type());
        Value dx = graph.differentiate(y, g, List.of(in)).get(in);
        Tensor value = bench().evaluate(graph, Map.of("x", x, "dy", dy), false).get(dx);
        assertEquals(Tensor.of(Shape.of(2, 3), 1f, 1f, 1f, 2f, 2f, 2f), value);
    }

    @TestFactory
    Stream<DynamicTest> places() {
        List<Shape> shapes = List.of(Shape.of(1), Shape.of(33), Shape.of(3, 17), Shape.of(5, 7, 3), Shape.of(300, 700));
        return each("exact argmax", shapes, (x, draw) -> {
            for (int axis = -x.rank(); axis < x.rank(); axis++) {
                ArgMax op = new ArgMax(axis, axis % 2 == 0);
                Tensor values = draw.integers(4, x);
                if (x.size() > 20) {
                    values.floats()[7] = Float.NaN;
                    values.floats()[9] = Float.NaN;
                }
                double[] expected = Truth.formula(op, List.of(values))[0];
                bench().check(op, List.of(values), y -> {
                    for (int i = 0; i < expected.length; i++) {
                        assertEquals((int) expected[i], y.get(0).ints()[i], "at " + i);
                    }
                });
            }
        });
    }
}
