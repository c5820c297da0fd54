package dev.hadal.op;

import dev.hadal.graph.Type;
import dev.hadal.graph.TypeException;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.List;
import java.util.Locale;

/**
 * What the integers q of a value stand for:
 *
 * <pre>
 *   real = scale·(q − zeroPoint)        q = clamp(round(real / scale) + zeroPoint)
 * </pre>
 *
 * rounded to the nearest, ties to even, and clamped to what the type holds; NaN becomes the zero point. As ONNX has it in
 * {@code DequantizeLinear} and {@code QuantizeLinear}.
 *
 * @param dtype s8 or u8
 * @param scales one, or one for each index along an axis
 * @param axis that axis; 0 if there is one scale
 * @param zeroPoint what stands for 0; it is 0 where there are several scales
 */
public record Quantization(DType dtype, List<Float> scales, int axis, int zeroPoint) {

    /** That of a value which is not quantized: it is f32, or whatever its op takes or gives. */
    public static final Quantization NONE = new Quantization(DType.F32, List.of(), 0, 0);

    public Quantization {
        scales = List.copyOf(scales);
        axis = scales.size() > 1 ? axis : 0;
        boolean none = dtype == DType.F32 && scales.isEmpty() && zeroPoint == 0;
        if (!none) {
            check(dtype, scales, axis, zeroPoint);
        }
    }

    private static void check(DType dtype, List<Float> scales, int axis, int zeroPoint) {
        if (!dtype.isByte()) {
            throw new IllegalArgumentException("values are quantized to S8 or U8, not to " + dtype);
        }
        if (scales.isEmpty()) {
            throw new IllegalArgumentException("a quantization needs a scale, or one for each index along an axis");
        }
        for (int i = 0; i < scales.size(); i++) {
            float scale = scales.get(i);
            if (!(scale >= Float.MIN_NORMAL && scale <= Float.MAX_VALUE)) {
                throw new IllegalArgumentException(
                        "scale " + i + " of a quantization must be positive and finite, but is " + scale
                                + "; values that are all zero take the scale 1");
            }
        }
        if (axis < 0) {
            throw new IllegalArgumentException("the axis of a quantization is counted from 0, so it cannot be " + axis);
        }
        if (zeroPoint < least(dtype) || zeroPoint > greatest(dtype)) {
            throw new IllegalArgumentException("the zero point " + zeroPoint + " is no " + dtype);
        }
        if (scales.size() > 1 && zeroPoint != 0) {
            throw new IllegalArgumentException(
                    "with a scale for each index the zero point must be 0, but is " + zeroPoint);
        }
    }

    /** That of integers which stand for themselves. */
    public static Quantization identity(DType dtype) {
        return new Quantization(dtype, List.of(1f), 0, 0);
    }

    /** To unsigned integers, such as activations. */
    public static Quantization u8(float scale, int zeroPoint) {
        return new Quantization(DType.U8, List.of(scale), 0, zeroPoint);
    }

    /** To signed integers with one scale, symmetric about 0. */
    public static Quantization s8(float scale) {
        return s8(List.of(scale), 0);
    }

    /** To signed integers symmetric about 0, such as weights with a scale for each index along an axis. */
    public static Quantization s8(List<Float> scales, int axis) {
        return new Quantization(DType.S8, scales, axis, 0);
    }

    private static int least(DType dtype) {
        return dtype == DType.S8 ? Byte.MIN_VALUE : 0;
    }

    private static int greatest(DType dtype) {
        return dtype == DType.S8 ? Byte.MAX_VALUE : 255;
    }

    /** The least integer. */
    public int least() {
        return least(dtype);
    }

    /** The greatest integer. */
    public int greatest() {
        return greatest(dtype);
    }

    /** Whether the value is quantized at all. */
    public boolean quantizes() {
        return !scales.isEmpty();
    }

    /** Whether there is a scale for each index along the axis, not one for all. */
    public boolean isPerIndex() {
        return scales.size() > 1;
    }

    /** The scale at an index along the axis. */
    public float scale(int index) {
        return scales.get(isPerIndex() ? index : 0);
    }

    /** The number that an integer stands for, in f32. */
    public float real(int q, int index) {
        return scale(index) * (q - zeroPoint);
    }

    /** The integer for a number. */
    public int integer(double real, int index) {
        if (Double.isNaN(real)) {
            return zeroPoint;
        }
        return (int) Math.max(least(), Math.min(greatest(), Math.rint(real / scale(index)) + zeroPoint));
    }

    /** The index along the axis of an element of a value, given its place in row-major order. */
    public int index(Shape shape, int element) {
        return isPerIndex() ? element / shape.sizeFrom(axis + 1) % shape.get(axis) : 0;
    }

    /**
     * Checks that values of a shape can be quantized so.
     *
     * @param what how the message calls them
     * @throws TypeException if there are not as many scales as indices
     */
    public void check(String what, Shape shape) {
        Require.that(
                !isPerIndex() || (axis < shape.rank() && shape.get(axis) == scales.size()),
                "%s must have %d indices along axis %d, one for each scale, but is %s",
                what,
                scales.size(),
                axis,
                shape);
    }

    /** The integers for an f32 tensor. */
    public Tensor quantize(Tensor reals) {
        check("what is quantized", reals.shape());
        float[] x = reals.floats();
        Tensor quantized = Tensor.zeros(dtype, reals.shape());
        byte[] q = quantized.bytes();
        for (int i = 0; i < x.length; i++) {
            q[i] = (byte) integer(x[i], index(reals.shape(), i));
        }
        return quantized;
    }

    /** What the integers of a tensor stand for. */
    public Tensor dequantize(Tensor integers) {
        if (integers.dtype() != dtype) {
            throw new IllegalArgumentException("what is dequantized must be " + dtype + ", but is " + integers);
        }
        check("what is dequantized", integers.shape());
        byte[] q = integers.bytes();
        Tensor reals = Tensor.zeros(DType.F32, integers.shape());
        float[] x = reals.floats();
        for (int i = 0; i < x.length; i++) {
            x[i] = real(dtype.integer(q[i]), index(integers.shape(), i));
        }
        return reals;
    }

    /** The type of the integers for values of a type. */
    Type narrowed(Type type) {
        return quantizes() ? new Type(dtype, type.shape()) : type;
    }

    /** Such as {@code u8[0.02, zero 128]} or {@code s8[64 scales along 0]}. */
    @Override
    public String toString() {
        if (!quantizes()) {
            return "none";
        }
        return dtype.name().toLowerCase(Locale.ROOT)
                + (isPerIndex()
                        ? "[" + scales.size() + " scales along " + axis + "]"
                        : "[" + scales.get(0) + (zeroPoint == 0 ? "" : ", zero " + zeroPoint) + "]");
    }
}
