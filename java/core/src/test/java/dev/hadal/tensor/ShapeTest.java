package dev.hadal.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ShapeTest {

    @Test
    void knowsItsSizes() {
        Shape shape = Shape.of(2, 3, 4);
        assertEquals(3, shape.rank());
        assertEquals(24, shape.size());
        assertEquals(12, shape.sizeFrom(1));
        assertEquals(1, shape.sizeFrom(3));
        assertEquals(4, shape.get(2));
        assertEquals("[2,3,4]", shape.toString());
        assertEquals(Shape.of(2, 9, 4), shape.with(1, 9));
        assertEquals(Shape.of(5, 2, 3, 4), shape.prepend(5));
        assertEquals(Shape.of(2, 3, 4), shape, "unchanged");
    }

    @Test
    void aScalarHasOneElementAndNoDimensions() {
        assertEquals(1, Shape.SCALAR.size());
        assertEquals(0, Shape.SCALAR.rank());
        assertEquals("[]", Shape.SCALAR.toString());
        assertEquals(Shape.SCALAR, Shape.of());
    }

    @Test
    void zeroIsADimension() {
        assertEquals(0, Shape.of(0, 3).size());
        assertEquals(3, Shape.of(0, 3).sizeFrom(1));
    }

    @Test
    void negativeDimensionsAreRefused() {
        assertSays("negative", assertThrows(IllegalArgumentException.class, () -> Shape.of(2, -1)));
        assertSays("[2, -1]", assertThrows(IllegalArgumentException.class, () -> Shape.of(2, -1)));
        assertThrows(IllegalArgumentException.class, () -> Shape.of(2, 3).with(0, -3));
    }

    /** 2³¹ − 1 elements fit; one more, or any overflow of the product, does not, in whatever order. */
    @Test
    void moreElementsThanAnIntAreRefused() {
        assertEquals(Integer.MAX_VALUE, Shape.of(Integer.MAX_VALUE).size());
        assertSays("2^31 - 1", assertThrows(IllegalArgumentException.class, () -> Shape.of(1 << 16, 1 << 15)));
        assertThrows(IllegalArgumentException.class, () -> Shape.of(1 << 16, 1 << 16));
        assertThrows(IllegalArgumentException.class, () -> Shape.of(1 << 16, 1 << 16, 1 << 16, 1 << 16));
        assertThrows(IllegalArgumentException.class, () -> Shape.of(Integer.MAX_VALUE, Integer.MAX_VALUE, 4));
        assertThrows(IllegalArgumentException.class, () -> Shape.of(1 << 16, 1).prepend(1 << 16));
    }

    /** A 0 makes the size 0, but the strides of the other dimensions must still fit. */
    @Test
    void stridesBesideAZeroFit() {
        assertThrows(IllegalArgumentException.class, () -> Shape.of(0, 1 << 16, 1 << 16));
        assertThrows(IllegalArgumentException.class, () -> Shape.of(1 << 16, 1 << 16, 0));
    }

    @Test
    void keepsNoListOfItsCaller() {
        List<Integer> dims = new ArrayList<>(List.of(2, 3));
        Shape shape = new Shape(dims);
        dims.set(0, 7);
        assertEquals(Shape.of(2, 3), shape);
        assertThrows(UnsupportedOperationException.class, () -> shape.dims().set(0, 1));
    }

    @Test
    void axesOutsideAreRefused() {
        assertThrows(IndexOutOfBoundsException.class, () -> Shape.of(2, 3).get(2));
        assertThrows(IndexOutOfBoundsException.class, () -> Shape.of(2, 3).with(-1, 1));
    }

    private static void assertSays(String part, Exception e) {
        assertTrue(e.toString().contains(part), e::toString);
    }
}
