package dev.hadal.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class TensorTest {

    @Test
    void isAViewOfItsArray() {
        float[] values = {1, 2, 3, 4};
        Tensor t = Tensor.of(Shape.of(2, 2), values);
        assertSame(values, t.floats());
        assertEquals(DType.F32, t.dtype());
        assertEquals("F32[2,2]", t.toString());
        int[] labels = {1, 2};
        assertSame(labels, Tensor.of(Shape.of(2), labels).ints());
    }

    @Test
    void zerosAreZeros() {
        assertArrayEquals(new float[6], Tensor.zeros(DType.F32, Shape.of(2, 3)).floats());
        assertArrayEquals(new int[1], Tensor.zeros(DType.I32, Shape.SCALAR).ints());
        assertEquals(0, Tensor.zeros(DType.F32, Shape.of(0, 3)).floats().length);
    }

    @Test
    void anArrayOfAnotherLengthIsRefused() {
        Exception e =
                assertThrows(IllegalArgumentException.class, () -> Tensor.of(Shape.of(2, 3), new float[] {1, 2, 3}));
        assertTrue(e.toString().contains("[2,3] takes 6 values, but the array has 3"), e::toString);
        assertThrows(IllegalArgumentException.class, () -> Tensor.of(Shape.of(0), 1f));
        assertThrows(IllegalArgumentException.class, () -> Tensor.of(Shape.SCALAR, new int[0]));
    }

    @Test
    void valuesOfAnotherTypeAreRefused() {
        Exception e = assertThrows(
                IllegalStateException.class,
                () -> Tensor.of(Shape.of(2), 1f, 2f).ints());
        assertTrue(e.toString().contains("F32[2], not I32"), e::toString);
        assertThrows(
                IllegalStateException.class, () -> Tensor.of(Shape.of(2), 1, 2).floats());
    }

    @Test
    void equalityIsOfTypeShapeAndBits() {
        Tensor t = Tensor.of(Shape.of(2), 0f, Float.NaN);
        assertEquals(t, Tensor.of(Shape.of(2), 0f, Float.NaN));
        assertEquals(t.hashCode(), Tensor.of(Shape.of(2), 0f, Float.NaN).hashCode());
        assertNotEquals(t, Tensor.of(Shape.of(2), -0f, Float.NaN));
        assertNotEquals(t, Tensor.of(Shape.of(2, 1), 0f, Float.NaN));
        assertNotEquals(Tensor.of(Shape.of(1), 0f), Tensor.of(Shape.of(1), 0));
        assertEquals(Tensor.of(Shape.of(1), 3), Tensor.of(Shape.of(1), 3));
    }
}
