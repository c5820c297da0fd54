package dev.hadal.onednn;

import static dev.hadal.nn.Layers.embedding;
import static dev.hadal.nn.Layers.flatten;
import static dev.hadal.nn.Layers.gelu;
import static dev.hadal.nn.Layers.layerNorm;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.sequential;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.hadal.backend.Backends;
import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Operand;
import dev.hadal.backend.Region;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.model.BatchSize;
import dev.hadal.model.Model;
import dev.hadal.nn.Layer;
import dev.hadal.op.Activation;
import dev.hadal.op.Expand;
import dev.hadal.op.Gather;
import dev.hadal.run.Plan;
import dev.hadal.run.Profile;
import dev.hadal.run.Session;
import dev.hadal.run.Store;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Kernels as one list of native steps: ReLU, a primitive; ELU, a function; and a look-up, which may fail. */
@Tag("native")
class StepsTest {
    private static final OneDnnBackend BACKEND = new OneDnnBackend();
    private static final Type ROW = Type.f32(3);

    private final long bytes;
    private final int objects;

    private final NativeMemory memory;
    private final NativeMemory other;
    private final Kernel relu;
    private final Kernel elu;
    private final Kernel gather;
    private final Kernel.Bound first;
    private final Kernel.Bound second;
    private final Kernel.Bound third;
    private final Kernel.Sequence all;

    StepsTest() {
        assumeTrue(Library.get().hasHadal());
        bytes = NativeMemory.heldBytes();
        objects = Handle.live();
        memory = NativeMemory.allocate(64 * 8);
        other = NativeMemory.allocate(64);
        relu = kernel(new Activation(Activation.Function.RELU), ROW);
        elu = kernel(new Activation(Activation.Function.ELU), ROW);
        gather = kernel(new Gather(0), ROW, Type.i32(3));
        first = relu.bind(at(memory, 0, ROW), at(memory, 1, ROW), scratch());
        second = elu.bind(at(memory, 1, ROW), at(other, 0, ROW), scratch());
        third = gather.bind(
                List.of(new Region(other, 0, Layout.plain(ROW)), new Region(memory, 128, Layout.plain(Type.i32(3)))),
                at(memory, 3, ROW),
                scratch());
        all = BACKEND.sequence(List.of(first, second, third), 1);
    }

    @BeforeEach
    void fill() {
        memory.write(0, new float[] {-1, 2, 3}, 0, 3);
        memory.write(128, new int[] {2, 0, 1}, 0, 3);
    }

    @AfterEach
    void everythingIsFreed() {
        Stream.of(all, first, second, third).forEach(Kernel.Bound::close);
        Stream.of(relu, elu, gather).forEach(Kernel::close);
        memory.close();
        other.close();
        assertEquals(bytes, NativeMemory.heldBytes());
        assertEquals(objects, Handle.live());
    }

    private static Kernel kernel(Op op, Type... types) {
        List<Operand> operands = Stream.of(types).map(Operand::plain).toList();
        return BACKEND.prepare(op, operands, op.infer(List.of(types)), 1).orElseThrow();
    }

    private static List<Region> at(NativeMemory memory, int line, Type type) {
        return List.of(new Region(memory, 64L * line, Layout.plain(type)));
    }

    private Region scratch() {
        return new Region(memory, 256, Layout.plain(Type.f32(64)));
    }

    private float[] result() {
        float[] y = new float[3];
        memory.read(192, y, 0, 3);
        return y;
    }

    @Test
    void aListRunsAgainAndAgainAsTheKernelsDoOneByOne() {
        all.run();
        assertArrayEquals(new float[] {3, 0, 2}, result());
        memory.write(0, new float[] {4, 5, 6}, 0, 3);
        all.run();
        assertArrayEquals(new float[] {6, 4, 5}, result());
        memory.write(0, new float[] {7, 8, 9}, 0, 3);
        first.run();
        second.run();
        third.run();
        assertArrayEquals(new float[] {9, 7, 8}, result());
    }

    @Test
    void eachKernelIsTimed() {
        long[] nanos = new long[3];
        all.run(nanos);
        assertTrue(nanos[0] > 0 && nanos[1] > 0 && nanos[2] > 0);
        assertArrayEquals(new float[] {3, 0, 2}, result());
        assertThrows(IndexOutOfBoundsException.class, () -> all.run(new long[2]));
    }

    @Test
    void aFaultIsTheKernelsAndTheListGoesOn() {
        memory.write(128, new int[] {2, 3, 1}, 0, 3);
        IndexOutOfBoundsException e = assertThrows(IndexOutOfBoundsException.class, all::run);
        assertEquals("gather: index 3 at position 1 lies outside of 0 … 2", e.getMessage());
        memory.write(128, new int[] {2, 2, 2}, 0, 3);
        all.run();
        assertArrayEquals(new float[] {3, 3, 3}, result());
    }

    private static void assertClosed(AutoCloseable what, Kernel.Bound list) throws Exception {
        list.run();
        what.close();
        assertThrows(IllegalStateException.class, list::run);
    }

    @Test
    void aListWithoutItsMemoryDoesNotRun() throws Exception {
        assertClosed(other, all);
    }

    @Test
    void aListWithoutABoundKernelDoesNotRun() throws Exception {
        assertClosed(second, all);
        assertThrows(IllegalStateException.class, second::run);
    }

    @Test
    void aListWithoutAPrimitiveDoesNotRun() throws Exception {
        assertClosed(relu, all);
        assertThrows(IllegalStateException.class, first::run);
    }

    @Test
    void aClosedListDoesNotRun() throws Exception {
        assertClosed(all, all);
    }

    /** Weights of classes and boxes to copy are native memory of the kernel. */
    @Test
    void aListWithoutAKernelsConstantsDoesNotRun() {
        Kernel kernel = kernel(new Expand(List.of(2, 3)), ROW);
        Type y = Type.f32(2, 3);
        Kernel.Bound bound = kernel.bind(at(memory, 0, ROW), at(memory, 3, y), scratch());
        bound.run();
        assertArrayEquals(new float[] {-1, 2, 3}, result());
        kernel.close();
        assertThrows(IllegalStateException.class, bound::run);
        bound.close();
    }

    @Test
    void aProfileNamesAndTimesEachStepOfAPlan() {
        Layer net = sequential(embedding(10, 8), flatten(), layerNorm(), linear(16), gelu(), linear(3));
        Model model = net.model(Type.i32(4), 1);
        try (Plan plan = Plan.compile(
                        model.apply(new BatchSize(5)).graph(),
                        Backends.of("onednn").required().withThreads(2),
                        Plan.Options.DEFAULT);
                Store store = new Store()) {
            store.add("all", plan.stored());
            model.values().forEach(store::write);
            Session session = plan.session(store);
            session.write("x", Tensor.of(Shape.of(5, 4), new int[20]));
            Profile profile = session.profile(5);
            List<String> lines = plan.toString().lines().toList();
            assertEquals(lines.size() - 1, profile.steps().size(), profile::toString);
            for (int i = 0; i < profile.steps().size(); i++) {
                Profile.Timing step = profile.steps().get(i);
                assertTrue(lines.get(i).contains(step.what() + "   -> " + step.kernel()), lines.get(i));
            }
            assertTrue(profile.nanos() > 0, profile::toString);
            assertTrue(profile.toString().contains("gather hadal:"), profile::toString);
            float[] y = session.read("y").floats();
            session.run();
            assertArrayEquals(session.read("y").floats(), y);
        }
    }
}
