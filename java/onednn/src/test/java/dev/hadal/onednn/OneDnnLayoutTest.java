package dev.hadal.onednn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Operand;
import dev.hadal.backend.Region;
import dev.hadal.graph.Type;
import dev.hadal.op.Convolution;
import dev.hadal.op.MatMul;
import dev.hadal.op.Window;
import dev.hadal.tensor.DType;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("native")
class OneDnnLayoutTest {
    private static final OneDnnBackend BACKEND = new OneDnnBackend();

    @Test
    void whatIsRowMajorIsPlainUnderAnyName() {
        for (Type type :
                List.of(Type.f32(4, 1, 5, 6), Type.f32(4, 7, 1, 1), Type.f32(1, 1, 1), Type.f32(3, 5), Type.f32(7))) {
            assertEquals(Layout.plain(type), OneDnnLayout.channelsLast(type));
            assertEquals(OneDnnLayout.channelsLast(type), Layout.plain(type));
        }
    }

    @Test
    void layoutsAreValues() {
        Type type = Type.f32(2, 3, 4, 5);
        Layout layout = OneDnnLayout.channelsLast(type);
        assertEquals(layout, OneDnnLayout.channelsLast(Type.f32(2, 3, 4, 5)));
        assertEquals(layout.hashCode(), OneDnnLayout.channelsLast(type).hashCode());
        assertNotEquals(layout, OneDnnLayout.channelsLast(Type.f32(2, 3, 5, 4)));
        assertNotEquals(layout, Layout.plain(type));
        assertEquals("nhwc", layout.toString());
        assertEquals(type.bytes(), layout.bytes());
    }

    @Test
    void stridesOfAxesOfOneElementMeanNothing() {
        Type type = Type.f32(1, 3, 4, 5);
        Layout other;
        try (Descriptors d = new Descriptors()) {
            other = OneDnnLayout.of(d.strided(type.dtype(), new long[] {1, 3, 4, 5}, new long[] {777, 1, 15, 3}), type);
        }
        assertEquals(OneDnnLayout.channelsLast(type), other);
    }

    /** Blocks, padding and groups are those of the other type's values, of another size. */
    @Test
    void anotherTypeInTheSameOrder() {
        Type padded = Type.f32(24, 20, 3, 3);
        for (Layout layout : List.of(
                weights(1, Type.f32(2, 20, 8, 8), padded),
                weights(4, Type.f32(2, 32, 8, 8), Type.f32(32, 8, 3, 3)),
                OneDnnLayout.channelsLast(Type.f32(2, 3, 4, 5)),
                Layout.plain(Type.f32(3, 5)))) {
            Layout narrow = layout.as(DType.BF16);
            assertEquals(new Type(DType.BF16, layout.type().shape()), narrow.type());
            assertEquals(layout.bytes() / 2, narrow.bytes());
            assertEquals(layout.toString(), narrow.toString());
            assertNotEquals(layout, narrow);
            assertEquals(layout, narrow.as(DType.F32));
            BACKEND.reorder(narrow, narrow).close();
        }
        assertTrue(weights(1, Type.f32(2, 20, 8, 8), padded).as(DType.BF16).bytes() > padded.bytes() / 2, "no padding");
    }

    /** [2, 3·2·2]: where the images lie with their channels innermost, so do the columns. */
    @Test
    void flattenedImagesLieAsTheImages() {
        Type matrix = Type.f32(2, 12);
        Layout layout = OneDnnLayout.flattened(matrix, 3, 2, 2);
        assertEquals("nhwc of [2,3,2,2]", layout.toString());
        assertNotEquals(layout, OneDnnLayout.flattened(matrix, 2, 3, 2));
        assertEquals(layout, layout.as(DType.BF16).as(DType.F32));
        assertArrayEquals(new long[] {3, 2, 2}, OneDnnLayout.image(layout.as(DType.BF16)));
        assertEquals(Layout.plain(matrix), OneDnnLayout.flattened(matrix, 1, 3, 4), "one channel");
        for (Layout other :
                new Layout[] {null, Layout.plain(matrix), weights(1, Type.f32(2, 20, 8, 8), Type.f32(24, 20, 3, 3))}) {
            assertNull(OneDnnLayout.image(other));
        }
        float[] columns = new float[24];
        for (int i = 0; i < columns.length; i++) {
            columns[i] = i;
        }
        try (NativeMemory memory = NativeMemory.allocate(3 * matrix.bytes())) {
            memory.write(0, columns, 0, 24);
            Region plain = new Region(memory, 0, Layout.plain(matrix));
            Region images = new Region(memory, matrix.bytes(), layout);
            Region back = new Region(memory, 2 * matrix.bytes(), Layout.plain(matrix));
            reorder(plain, images);
            reorder(images, back);
            float[] read = new float[24];
            memory.read(images.offset(), read, 0, 12);
            assertArrayEquals(new float[] {0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}, Arrays.copyOf(read, 12));
            memory.read(back.offset(), read, 0, 24);
            assertArrayEquals(columns, read);
        }
    }

    /** Whatever a product's columns are, they lie alike in all that have them: the weight, its gradient, that of x. */
    @Test
    void productsTakeAndGiveFlattenedImages() {
        Type x = Type.f32(20, 48);
        Type w = Type.f32(40, 48);
        Type y = Type.f32(20, 40);
        Layout images = OneDnnLayout.flattened(x, 16, 1, 3);
        Layout weights = OneDnnLayout.flattened(w, 16, 1, 3);
        Operand known = new Operand(x, images);
        assertEquals(List.of(images, weights), inputs(new MatMul(false, true), known, new Operand(w, null)));
        assertEquals(
                List.of(images, weights), inputs(new MatMul(false, true), Operand.plain(x), new Operand(w, weights)));
        assertEquals(
                List.of(Layout.plain(x), Layout.plain(w)), inputs(new MatMul(false, true), known, Operand.plain(w)));
        assertEquals(images, output(new MatMul(false, false), Operand.plain(y), new Operand(w, weights)));
        assertEquals(weights, output(new MatMul(true, false), Operand.plain(y), known));
        Type tall = Type.f32(48, 40);
        assertEquals(
                List.of(Layout.plain(x), Layout.plain(tall)),
                inputs(new MatMul(false, false), known, Operand.plain(tall)),
                "the columns of x are the rows of w");
    }

    private static List<Layout> inputs(MatMul op, Operand... operands) {
        try (Kernel kernel = prepare(op, operands)) {
            return kernel.inputs();
        }
    }

    private static Layout output(MatMul op, Operand... operands) {
        try (Kernel kernel = prepare(op, operands)) {
            return kernel.outputs().get(0);
        }
    }

    private static Kernel prepare(MatMul op, Operand... operands) {
        List<Type> types = Stream.of(operands).map(Operand::type).toList();
        return BACKEND.prepare(op, List.of(operands), op.infer(types), 1).orElseThrow();
    }

    private static Layout weights(int groups, Type x, Type w) {
        Convolution op = new Convolution(Window.of(1, 1, 1), groups);
        List<Operand> operands = List.of(Operand.plain(x), new Operand(w, null));
        try (Kernel kernel =
                BACKEND.prepare(op, operands, op.infer(List.of(x, w)), 1).orElseThrow()) {
            return kernel.inputs().get(1);
        }
    }

    @Test
    void blocksCountTheirPadding() {
        Type w = Type.f32(33, 17, 3, 3);
        Layout layout = weights(1, Type.f32(2, 17, 8, 8), w);
        assertTrue(layout.bytes() > w.bytes(), layout + " of " + layout.bytes() + " bytes");
        assertTrue(layout.toString().matches(".*[0-9]+[ab].*"), layout.toString());
    }

    /** The same weights, as one convolution sees them and as another: by way of row-major. */
    @Test
    void layoutsOfOtherAxesMeetInTheMiddle() {
        Type w = Type.f32(32, 8, 3, 3);
        Layout whole = weights(1, Type.f32(2, 8, 8, 8), w);
        Layout grouped = weights(4, Type.f32(2, 32, 8, 8), w);
        assertNotEquals(whole, grouped);
        float[] values = new float[w.shape().size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = i;
        }
        try (NativeMemory memory = NativeMemory.allocate(4 * grouped.bytes() + 4 * whole.bytes())) {
            memory.write(0, values, 0, values.length);
            Region plain = new Region(memory, 0, Layout.plain(w));
            Region first = new Region(memory, grouped.bytes(), whole);
            Region second = new Region(memory, grouped.bytes() + whole.bytes(), grouped);
            Region back = new Region(memory, 2 * grouped.bytes() + whole.bytes(), Layout.plain(w));
            reorder(plain, first);
            reorder(first, second);
            reorder(second, back);
            float[] read = new float[values.length];
            memory.read(back.offset(), read, 0, read.length);
            assertArrayEquals(values, read);
        }
    }

    private static void reorder(Region from, Region to) {
        try (Kernel kernel = BACKEND.reorder(from.layout(), to.layout());
                NativeMemory memory = NativeMemory.allocate(kernel.scratch() + 64);
                Kernel.Bound bound = kernel.bind(List.of(from), List.of(to), scratch(memory))) {
            bound.run();
        }
    }

    private static Region scratch(NativeMemory memory) {
        return new Region(memory, 0, Layout.plain(Type.f32((int) (memory.bytes() / 4))));
    }

    @Test
    void misuseIsAnExceptionAndNoCrash() {
        Type type = Type.f32(32, 32);
        MatMul op = new MatMul(false, false);
        List<Operand> operands = List.of(Operand.plain(type), Operand.plain(type));
        assertThrows(
                IllegalArgumentException.class,
                () -> BACKEND.prepare(op, operands, List.of(Type.f32(32, 33)), 1),
                "results that the op does not give");
        NativeMemory memory = NativeMemory.allocate(4 * type.bytes());
        NativeMemory scratch = NativeMemory.allocate(1 << 20);
        Region a = new Region(memory, 0, Layout.plain(type));
        Region b = new Region(memory, type.bytes(), Layout.plain(type));
        Region y = new Region(memory, 2 * type.bytes(), Layout.plain(type));
        Kernel kernel = BACKEND.prepare(op, operands, List.of(type), 1).orElseThrow();
        assertThrows(IllegalArgumentException.class, () -> kernel.bind(List.of(a), List.of(y), scratch(scratch)));
        Region wrong = new Region(memory, 0, Layout.plain(Type.f32(32, 31)));
        assertThrows(
                IllegalArgumentException.class, () -> kernel.bind(List.of(a, wrong), List.of(y), scratch(scratch)));
        Kernel.Bound bound = kernel.bind(List.of(a, b), List.of(y), scratch(scratch));
        bound.run();
        memory.close();
        assertThrows(IllegalStateException.class, bound::run, "memory is closed");
        bound.close();
        assertThrows(IllegalStateException.class, bound::run, "bound kernel is closed");
        scratch.close();
        kernel.close();
        kernel.close();
    }
}
