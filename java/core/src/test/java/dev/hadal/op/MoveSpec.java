package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** What moves values and computes nothing: every bit arrives, and where nothing arrives there is the filling. */
@Covers({
    Transpose.class,
    Slice.class,
    Slice.Backward.class,
    Concat.class,
    Split.class,
    Split.Backward.class,
    Pad.class,
    Pad.Backward.class
})
abstract class MoveSpec extends Spec {
    private static final int END = Integer.MAX_VALUE;
    private static final int START = Integer.MIN_VALUE;

    record Case(Op op, List<Shape> x) {
        Case(Op op, Shape... x) {
            this(op, List.of(x));
        }

        List<Type> types(DType dtype) {
            return x.stream().map(s -> new Type(dtype, s)).toList();
        }

        @Override
        public String toString() {
            return op + " of " + x;
        }
    }

    // ---- by hand ----

    /** What NumPy makes of x = arange(12).reshape(3, 4), or of x and its copies. */
    record Example(Op op, Shape y, int... values) {
        @Override
        public String toString() {
            return op.toString();
        }
    }

    private static final Shape THREE_BY_FOUR = Shape.of(3, 4);
    private static final List<Example> EXAMPLES = List.of(
            new Example(new Transpose(List.of(1, 0)), Shape.of(4, 3), 0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11),
            new Example(new Slice(1, 1, -1, 1), Shape.of(3, 2), 1, 2, 5, 6, 9, 10),
            new Example(new Slice(0, 1, END, 1), Shape.of(2, 4), 4, 5, 6, 7, 8, 9, 10, 11),
            new Example(new Slice(-1, 0, END, 3), Shape.of(3, 2), 0, 3, 4, 7, 8, 11),
            new Example(new Slice(0, -1, START, -1), Shape.of(3, 4), 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3),
            new Example(new Slice(1, END, 0, -2), Shape.of(3, 2), 3, 1, 7, 5, 11, 9),
            new Example(new Slice(1, -2, -1, 1), Shape.of(3, 1), 2, 6, 10),
            new Example(new Slice(0, 5, 9, 1), Shape.of(0, 4)),
            new Example(new Slice(0, 2, 1, 1), Shape.of(0, 4)),
            new Example(new Concat(0), Shape.of(3, 4), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
            new Example(
                    new Concat(-1),
                    Shape.of(3, 8),
                    IntStream.range(0, 24).map(i -> i / 8 * 4 + i % 4).toArray()),
            new Example(new Split(1, List.of(1, 3)), Shape.of(3, 1), 0, 4, 8),
            new Example(
                    new Pad(List.of(0, 1), List.of(1, 0), -7),
                    Shape.of(4, 5),
                    IntStream.range(0, 20)
                            .map(i -> i / 5 < 3 && i % 5 > 0 ? i / 5 * 4 + i % 5 - 1 : -7)
                            .toArray()));

    @TestFactory
    Stream<DynamicTest> exactAsNumPy() {
        return each("exact", EXAMPLES, (c, draw) -> {
            Tensor x = Tensor.of(THREE_BY_FOUR, IntStream.range(0, 12).toArray());
            List<Tensor> operands = c.op().equals(new Concat(-1)) ? List.of(x, x) : List.of(x);
            bench().check(c.op(), operands, y -> {
                assertEquals(c.y(), y.get(0).shape());
                assertArrayEquals(c.values(), y.get(0).ints());
            });
        });
    }

    // ---- against the reference ----

    private static List<Case> cases() {
        List<Case> cases = new ArrayList<>(List.of(
                new Case(new Transpose(List.of()), Shape.SCALAR),
                new Case(new Transpose(List.of(0)), Shape.of(7)),
                new Case(new Transpose(List.of(1, 0)), Shape.of(65, 33)),
                new Case(new Transpose(List.of(1, 0)), Shape.of(700, 500)),
                new Case(new Transpose(List.of(0, 2, 1, 3)), Shape.of(2, 17, 4, 16)),
                new Case(new Transpose(List.of(0, 2, 3, 1)), Shape.of(3, 15, 7, 8)),
                new Case(new Transpose(List.of(0, 3, 1, 2)), Shape.of(2, 31, 33, 17)),
                new Case(new Transpose(List.of(2, 1, 0)), Shape.of(8, 1, 31)),
                new Case(new Transpose(List.of(4, 2, 0, 1, 3)), Shape.of(2, 3, 2, 7, 5)),
                new Case(new Transpose(List.of(5, 0, 4, 1, 3, 2)), Shape.of(2, 3, 2, 3, 2, 3)),
                new Case(new Slice(0, 1, 2, 1), Shape.of(2)),
                new Case(new Slice(1, 3, END, 1), Shape.of(300, 400)),
                new Case(new Slice(1, 0, END, 2), Shape.of(3, 33, 17)),
                new Case(new Slice(2, 30, START, -3), Shape.of(2, 7, 31)),
                new Case(new Slice(1, -1, START, -1), Shape.of(2, 65, 64)),
                new Case(new Slice(-2, 2, -2, 1), Shape.of(2, 3, 16, 15)),
                new Case(new Concat(0), Shape.of(3), Shape.of(1), Shape.of(7)),
                new Case(new Concat(1), Shape.of(2, 3, 8, 7), Shape.of(2, 16, 8, 7)),
                new Case(new Concat(1), Shape.of(200, 31), Shape.of(200, 33), Shape.of(200, 1)),
                new Case(new Concat(-1), Shape.of(2, 15, 1), Shape.of(2, 15, 2)),
                new Case(new Split(0, List.of(1)), Shape.of(1)),
                new Case(new Split(1, List.of(3, 17, 1)), Shape.of(33, 21)),
                new Case(new Split(-1, List.of(64, 64, 64)), Shape.of(15, 8, 192)),
                new Case(
                        new Split.Backward(new Split(1, List.of(3, 17, 1)), List.of(0, 2), Shape.of(33, 21)),
                        Shape.of(33, 3),
                        Shape.of(33, 1)),
                new Case(new Pad(List.of(), List.of(), 1), Shape.SCALAR),
                new Case(new Pad(List.of(0), List.of(0), 1), Shape.of(3)),
                new Case(new Pad(List.of(0, 0, 1, 2), List.of(0, 0, 3, 0), 0), Shape.of(2, 3, 15, 16)),
                new Case(new Pad(List.of(0, 1, 0), List.of(2, 0, 7), -3), Shape.of(3, 33, 31)),
                new Case(new Pad(List.of(100, 3), List.of(5, 3), 5), Shape.of(200, 300))));
        Draw draw = new Draw("move shapes");
        for (int i = 0; i < 10; i++) {
            Shape x = Shape.of(draw.between(1, 3), draw.dim(), draw.dim(), draw.dim());
            int axis = draw.between(0, 3);
            List<Integer> permutation = new ArrayList<>(List.of(0, 1, 2, 3));
            Collections.shuffle(permutation, new java.util.Random(i));
            int step = draw.oneOf(-2, -1, 1, 2, 3);
            cases.add(new Case(new Transpose(permutation), x));
            cases.add(new Case(new Slice(axis, draw.between(-5, 5), draw.oneOf(START, END, -1, 1), step), x));
            cases.add(new Case(new Concat(axis), x, x.with(axis, draw.dim())));
            cases.add(new Case(new Pad(small(draw), small(draw), i), x));
        }
        return withBackward(cases);
    }

    private static List<Integer> small(Draw draw) {
        return List.of(draw.between(0, 1), draw.between(0, 2), draw.between(0, 2), draw.between(0, 3));
    }

    private static List<Case> withBackward(List<Case> cases) {
        List<Case> all = new ArrayList<>(cases);
        for (Case c : cases) {
            Shape x = c.x().get(0);
            Shape y = c.op().infer(c.types(DType.F32)).get(0).shape();
            if (c.op() instanceof Slice slice) {
                all.add(new Case(new Slice.Backward(slice, x), y));
            } else if (c.op() instanceof Pad pad) {
                all.add(new Case(new Pad.Backward(pad, x), y));
            }
        }
        return all;
    }

    private static List<Case> empty() {
        return withBackward(List.of(
                new Case(new Transpose(List.of(1, 0)), Shape.of(0, 3)),
                new Case(new Slice(1, 0, END, 2), Shape.of(0, 3)),
                new Case(new Slice(1, 0, END, -2), Shape.of(2, 0)),
                new Case(new Slice(0, 7, 9, 1), Shape.of(3, 4)),
                new Case(new Concat(0), Shape.of(0), Shape.of(0)),
                new Case(new Concat(1), Shape.of(2, 0, 3), Shape.of(2, 5, 3), Shape.of(2, 0, 3)),
                new Case(new Split(0, List.of(2, 0)), Shape.of(2, 3)),
                new Case(new Split(0, List.of(0, 0)), Shape.of(0, 3)),
                new Case(new Split.Backward(new Split(0, List.of(2, 0)), List.of(1), Shape.of(2, 3)), Shape.of(0, 3)),
                new Case(new Pad(List.of(1, 0), List.of(0, 2), 4), Shape.of(0, 3)),
                new Case(new Pad(List.of(0, 1), List.of(0, 0), 4), Shape.of(0, 3))));
    }

    private void moves(Op op, List<Tensor> x) {
        double[][] sources = new double[x.size()][];
        int first = 1;
        for (int k = 0; k < sources.length; k++) {
            // The reference moves the number of each value; what it is then looked up by its bits.
            int from = first;
            sources[k] = IntStream.range(0, x.get(k).shape().size())
                    .mapToDouble(i -> from + i)
                    .toArray();
            first += sources[k].length;
        }
        double[][] expected = Truth.formula(unfilled(op), Bench.types(x), sources);
        int[] bits = x.stream()
                .flatMapToInt(t -> IntStream.range(0, t.shape().size()).map(i -> bits(t, i)))
                .toArray();
        float filling = op instanceof Move.Only only ? only.filling() : 0;
        bench().check(op, x, y -> {
            for (int o = 0; o < expected.length; o++) {
                Tensor actual = y.get(o);
                int filled = actual.dtype() == DType.F32 ? Float.floatToRawIntBits(filling) : (int) filling;
                int[] wanted = Arrays.stream(expected[o])
                        .mapToInt(source -> source == 0 ? filled : bits[(int) source - 1])
                        .toArray();
                int[] found = IntStream.range(0, wanted.length)
                        .map(i -> bits(actual, i))
                        .toArray();
                assertArrayEquals(wanted, found, "the bits of result " + o);
            }
        });
    }

    /** The same with zeros for its filling. */
    private static Op unfilled(Op op) {
        return op instanceof Pad pad ? new Pad(pad.before(), pad.after(), 0) : op;
    }

    private static int bits(Tensor t, int i) {
        return switch (t.dtype()) {
            case F32 -> Float.floatToRawIntBits(t.floats()[i]);
            case BF16 -> t.bf16Bits()[i];
            case I32 -> t.ints()[i];
            case S8, U8 -> t.bytes()[i];
        };
    }

    /** Every bit, also those of infinities, of −0, and of what is no number at all. */
    @TestFactory
    Stream<DynamicTest> exact() {
        List<Case> cases = cases();
        cases.addAll(empty());
        return each("exact", cases, (c, draw) -> {
            List<Tensor> x = c.x().stream().map(draw::normal).toList();
            float[] special = {Float.NaN, Float.NEGATIVE_INFINITY, -0f, Float.MIN_VALUE};
            for (Tensor t : x) {
                for (int i = 0; i < t.floats().length; i += 3) {
                    t.floats()[i] = special[i % special.length];
                }
            }
            moves(c.op(), x);
        });
    }

    @TestFactory
    Stream<DynamicTest> exactOnIntegers() {
        List<Case> cases = cases();
        cases.addAll(empty());
        cases.removeIf(c -> c.op().name().endsWith("backward"));
        return each("exact i32", cases, (c, draw) -> {
            List<Tensor> x = c.x().stream()
                    .map(s -> Tensor.of(
                            s,
                            IntStream.generate(() -> draw.between(-1_000_000, 1_000_000) * 2000)
                                    .limit(s.size())
                                    .toArray()))
                    .toList();
            moves(c.op(), x);
        });
    }

    @TestFactory
    Stream<DynamicTest> adjoint() {
        List<Case> cases = cases();
        cases.addAll(empty());
        // A backward op has no gradient, and a filling is no part of ⟨dx, x⟩.
        cases.removeIf(c -> c.op().name().endsWith("backward") || !c.op().equals(unfilled(c.op())));
        return each("adjoint", cases, (c, draw) -> {
            Shape y = c.op().infer(c.types(DType.F32)).get(0).shape();
            Tensor[] x = c.x().stream().map(s -> draw.integers(9, s)).toArray(Tensor[]::new);
            adjointInAll(c.op(), draw.integers(9, y), x);
        });
    }

    // ---- in a network ----

    /** Of images as a convolution leaves them, forward and backward. */
    @TestFactory
    Stream<DynamicTest> exactBehindConvolutions() {
        List<Op> ops = List.of(
                new Transpose(List.of(0, 2, 3, 1)),
                new Slice(1, 3, END, 2),
                new Slice(3, -1, START, -1),
                new Concat(1),
                new Concat(2),
                new Split(1, List.of(3, 13)),
                new Pad(List.of(0, 2, 1, 1), List.of(0, 0, 2, 1), 0.5f),
                new Resize(14, 20, Resize.Mode.BILINEAR),
                new Resize(14, 10, Resize.Mode.NEAREST));
        return each("exact", ops, (op, draw) -> {
            Graph graph = new Graph();
            Value x = graph.leaf(Role.INPUT, "x", Type.f32(2, 3, 7, 5));
            Value w = graph.leaf(Role.INPUT, "w", Type.f32(16, 3, 1, 1));
            Value image = new Convolution(Window.UNIT, 1).of(x, w);
            Value y = op instanceof Concat ? op.of(image, image) : op.of(image);
            Value dy = graph.leaf(Role.INPUT, "dy", y.type());
            Value dw = Objects.requireNonNull(
                    graph.differentiate(y, dy, List.of(w)).get(w));
            Map<String, Tensor> leaves = Map.of(
                    "x", draw.integers(4, x.shape()),
                    "w", draw.integers(4, w.shape()),
                    "dy", draw.integers(4, y.shape()));
            Map<Value, double[]> expected = Bench.formula(graph, leaves);
            Map<Value, Tensor> values = bench().evaluate(graph, leaves, true);
            for (Value v : List.of(y, dw)) {
                Truth.exact(
                        v.toString(), Objects.requireNonNull(values.get(v)), Objects.requireNonNull(expected.get(v)));
            }
        });
    }
}
