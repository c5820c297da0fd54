package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Memory;
import dev.hadal.backend.Operand;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Subject.Case;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** What every backend owes the planner, whatever the op. */
@Covers({})
abstract class BackendSpec extends Spec {
    private static final Convolution CONVOLUTION = new Convolution(Window.of(1, 1, 1), 1);
    private static final List<Type> OPERANDS = List.of(Type.f32(2, 17, 9, 9), Type.f32(33, 17, 3, 3));

    private Backend backend() {
        return bench().subject().backend();
    }

    @Test
    void runsHere() {
        assertFalse(backend().name().isBlank());
        assertTrue(
                backend().availability().available(), backend().availability().detail());
        assertFalse(backend().availability().detail().isBlank(), "the log line wants a detail");
    }

    // ---- memory ----

    @Test
    void memoryGivesBackWhatWasWritten() {
        try (Memory memory = backend().allocate(backend().pool(DType.F32), 400)) {
            assertTrue(memory.bytes() >= 400);
            memory.clear();
            memory.write(40, new float[] {9, 1.5f, Float.NaN, -0f}, 1, 3);
            float[] all = new float[103];
            memory.read(0, all, 3, 100);
            for (int i = 0; i < 100; i++) {
                float expected = i == 10 ? 1.5f : i == 11 ? Float.NaN : i == 12 ? -0f : 0f;
                assertEquals(Float.floatToIntBits(expected), Float.floatToIntBits(all[3 + i]), "at " + i);
            }
            memory.clear();
            memory.read(0, all, 0, 100);
            assertArrayEquals(new float[103], all);
        }
    }

    @Test
    void memoryHoldsIntegers() {
        try (Memory memory = backend().allocate(backend().pool(DType.I32), 64)) {
            memory.clear();
            memory.write(8, new int[] {Integer.MIN_VALUE, -1, 7}, 0, 3);
            int[] read = new int[5];
            memory.read(4, read, 0, 5);
            assertArrayEquals(new int[] {0, Integer.MIN_VALUE, -1, 7, 0}, read);
        }
    }

    @Test
    void memoryHoldsBytes() {
        try (Memory memory = backend().allocate(backend().pool(DType.U8), 64)) {
            memory.clear();
            memory.write(3, new byte[] {1, Byte.MIN_VALUE, -1, 7}, 1, 3);
            byte[] read = new byte[6];
            memory.read(2, read, 1, 5);
            assertArrayEquals(new byte[] {0, 0, Byte.MIN_VALUE, -1, 7, 0}, read);
        }
    }

    @Test
    void memoryIsClosedTwiceWithoutHarm() {
        Memory memory = backend().allocate(backend().pool(DType.F32), 64);
        memory.close();
        memory.close();
    }

    // ---- layouts ----

    /** The layouts that kernels ask for when they may choose. */
    private Set<Layout> layouts() {
        Set<Layout> layouts = new LinkedHashSet<>();
        List<Case> cases = List.of(
                Case.of(CONVOLUTION, OPERANDS),
                Case.of(new Convolution(Window.of(2, 2, 1), 32), List.of(Type.f32(1, 32, 9, 9), Type.f32(32, 1, 5, 5))),
                Case.of(
                        new Convolution.BackwardWeights(CONVOLUTION, Shape.of(33, 17, 3, 3)),
                        List.of(Type.f32(2, 17, 9, 9), Type.f32(2, 33, 9, 9))),
                Case.of(new MatMul(false, true), List.of(Type.f32(31, 65), Type.f32(33, 65))),
                Case.of(new Bias(), List.of(Type.f32(3, 5), Type.f32(5))));
        for (Case c : cases) {
            List<Operand> free =
                    c.inputs().stream().map(t -> new Operand(t, null)).toList();
            backend().prepare(c.op(), free, c.outputs(), 1).ifPresent(kernel -> {
                layouts.addAll(kernel.inputs());
                layouts.addAll(kernel.outputs());
                kernel.close();
            });
        }
        layouts.add(Layout.plain(Type.i32(5, 7)));
        layouts.add(Layout.plain(Type.f32(0, 3)));
        return layouts;
    }

    /** Into any layout and back, not a bit is lost. */
    @TestFactory
    Stream<DynamicTest> reordersThereAndBack() {
        return each("reorder", List.copyOf(layouts()), (layout, draw) -> {
            Type type = layout.type();
            Tensor value = type.dtype() == DType.F32
                    ? draw.normal(type.shape())
                    : draw.labels(type.shape().size(), 1_000_000);
            value = type.dtype() == DType.F32 ? value : Tensor.of(type.shape(), value.ints());
            try (Held plain = Held.plain(backend(), value);
                    Held moved = plain.to(layout);
                    Held copied = moved.to(layout);
                    Held back = copied.to(Layout.plain(type))) {
                moved.checkPadding("the reordered", value);
                assertEquals(value, back.read());
            }
        });
    }

    // ---- kernels ----

    /** Kernels are shared by sessions, each with memory of its own. */
    @TestFactory
    Stream<DynamicTest> oneKernelServesManyThreads() {
        return each(
                "shared", List.of(CONVOLUTION, new MatMul(false, false), new BatchNorm.Training(1e-5f)), (op, draw) -> {
                    List<Type> types = op instanceof Convolution
                            ? OPERANDS
                            : op instanceof MatMul
                                    ? List.of(Type.f32(65, 33), Type.f32(33, 64))
                                    : List.of(Type.f32(4, 17, 9, 9), Type.f32(17), Type.f32(17));
                    List<Tensor> operands =
                            types.stream().map(t -> draw.normal(t.shape())).toList();
                    Optional<Kernel> prepared = prepare(op, types);
                    if (prepared.isPresent()) {
                        try (Kernel kernel = prepared.orElseThrow()) {
                            assertSameBitsInParallel(kernel, operands);
                        }
                    }
                });
    }

    private Optional<Kernel> prepare(Op op, List<Type> types) {
        return backend().prepare(op, types.stream().map(Operand::plain).toList(), op.infer(types), 1);
    }

    private void assertSameBitsInParallel(Kernel kernel, List<Tensor> operands) {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        try {
            List<Future<Set<List<Tensor>>>> runs = new ArrayList<>();
            for (int t = 0; t < 4; t++) {
                runs.add(pool.submit(() -> results(kernel, operands, 25)));
            }
            Set<List<Tensor>> distinct = new LinkedHashSet<>(results(kernel, operands, 1));
            for (Future<Set<List<Tensor>>> run : runs) {
                distinct.addAll(run.get());
            }
            assertEquals(1, distinct.size(), "different results of one kernel on the same operands");
        } catch (InterruptedException | java.util.concurrent.ExecutionException e) {
            throw new AssertionError(e);
        } finally {
            pool.shutdown();
        }
    }

    /** All the different results of that many runs in memory of one's own. */
    private Set<List<Tensor>> results(Kernel kernel, List<Tensor> operands, int runs) {
        Set<List<Tensor>> results = new LinkedHashSet<>();
        try (Desk desk = new Desk(backend())) {
            List<Held> in = desk.place(operands, kernel.inputs());
            List<Held> out = desk.room(kernel.outputs());
            try (Kernel.Bound bound = desk.bind(kernel, in, out)) {
                for (int i = 0; i < runs; i++) {
                    desk.poison(out, i);
                    bound.run();
                    results.add(out.stream().map(Held::read).toList());
                }
            }
        }
        return results;
    }

    /** Steps in sequence see what those before them wrote: −2·(x + x) + x. */
    @TestFactory
    Stream<DynamicTest> aSequenceRunsInOrder() {
        return each("sequence", List.of(Shape.of(7), Shape.of(2, 17, 5, 5)), (shape, draw) -> {
            Type type = Type.f32(shape);
            Tensor x = draw.integers(99, shape);
            WeightedSum last = new WeightedSum(List.of(-2f, 1f));
            Optional<Kernel> sum = prepare(new WeightedSum(List.of(1f, 1f)), List.of(type, type));
            Optional<Kernel> scaled = prepare(last, List.of(type, type));
            if (sum.isEmpty() || scaled.isEmpty()) {
                return;
            }
            try (Desk desk = new Desk(backend());
                    Kernel first = sum.orElseThrow();
                    Kernel second = scaled.orElseThrow()) {
                List<Held> in = desk.place(List.of(x, x), first.inputs());
                List<Held> between = desk.room(first.outputs());
                List<Held> out = desk.room(second.outputs());
                try (Kernel.Bound a = desk.bind(first, in, between);
                        Kernel.Bound b = desk.bind(second, List.of(between.get(0), in.get(1)), out);
                        Kernel.Bound both = backend().sequence(List.of(a, b), 1)) {
                    both.run();
                    both.run();
                }
                double[] expected = Truth.wide(x);
                for (int i = 0; i < expected.length; i++) {
                    expected[i] *= -3;
                }
                Truth.exact("−2·(x + x) + x", out.get(0).read(), expected);
            }
        });
    }
}
