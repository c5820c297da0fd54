package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.hadal.graph.TypeException;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class QuantizationTest {

    private static void refused(String message, Executable what) {
        assertEquals(message, assertThrows(IllegalArgumentException.class, what).getMessage());
    }

    @Test
    void degenerateScalesAreRefused() {
        String rest = "; values that are all zero take the scale 1";
        for (float scale : new float[] {0, -1, Float.NaN, Float.POSITIVE_INFINITY, Float.MIN_VALUE}) {
            refused(
                    "scale 1 of a quantization must be positive and finite, but is " + scale + rest,
                    () -> Quantization.s8(List.of(1f, scale), 0));
        }
        refused(
                "a quantization needs a scale, or one for each index along an axis",
                () -> Quantization.s8(List.of(), 0));
    }

    @Test
    void whatCannotBeIsRefused() {
        refused("the zero point 256 is no U8", () -> Quantization.u8(1, 256));
        refused("the zero point -1 is no U8", () -> Quantization.u8(1, -1));
        refused("the zero point 128 is no S8", () -> new Quantization(DType.S8, List.of(1f), 0, 128));
        refused(
                "with a scale for each index the zero point must be 0, but is 3",
                () -> new Quantization(DType.U8, List.of(1f, 2f), 0, 3));
        refused("values are quantized to S8 or U8, not to I32", () -> new Quantization(DType.I32, List.of(1f), 0, 0));
        refused(
                "the axis of a quantization is counted from 0, so it cannot be -1",
                () -> Quantization.s8(List.of(1f, 2f), -1));
    }

    @Test
    void eachIndexHasItsScale() {
        Quantization q = Quantization.s8(List.of(0.5f, 2f, 1f), 1);
        Tensor x = Tensor.of(Shape.of(2, 3, 1), 1, 5, 200, -64.25f, 3, Float.NaN);
        Tensor integers = q.quantize(x);
        assertEquals(Tensor.s8(x.shape(), (byte) 2, (byte) 2, (byte) 127, (byte) -128, (byte) 2, (byte) 0), integers);
        assertEquals(Tensor.of(x.shape(), 1f, 4, 127, -64, 4, 0), q.dequantize(integers));
        assertThrows(TypeException.class, () -> q.quantize(Tensor.of(Shape.of(2), 1, 2)));
    }

    @Test
    void unsignedBytesHaveNoSign() {
        Quantization q = Quantization.u8(0.5f, 200);
        assertEquals(55, q.integer(-72.4f, 0));
        Tensor x = Tensor.of(Shape.of(3), -100f, 0, 27.5f);
        assertEquals(Tensor.u8(x.shape(), (byte) 0, (byte) 200, (byte) 255), q.quantize(x));
        assertEquals(x, q.dequantize(q.quantize(x)));
    }

    @Test
    void oneScaleHasNoAxis() {
        assertEquals(Quantization.s8(0.5f), Quantization.s8(List.of(0.5f), 3));
        assertEquals("u8[0.5, zero 7]", Quantization.u8(0.5f, 7).toString());
        assertEquals(
                "s8[64 scales along 1]",
                Quantization.s8(Collections.nCopies(64, 1f), 1).toString());
        assertEquals("none", Quantization.NONE.toString());
    }
}
