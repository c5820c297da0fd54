package dev.hadal.tensor;

import java.util.Arrays;
import java.util.Objects;

/**
 * Values on the host, in row-major order: how data enters and leaves Hadal. A tensor is a view of the array it
 * was made from, never a copy; computation happens in a {@code Session}'s own memory.
 */
public final class Tensor {
    private final Shape shape;
    private final DType dtype;
    private final Object array;

    private Tensor(Shape shape, DType dtype, Object array, int length) {
        if (length != shape.size()) {
            throw new IllegalArgumentException(
                    "shape " + shape + " takes " + shape.size() + " values, but the array has " + length);
        }
        this.shape = shape;
        this.dtype = dtype;
        this.array = array;
    }

    /** An f32 tensor over the given array. */
    public static Tensor of(Shape shape, float... values) {
        return new Tensor(shape, DType.F32, values, values.length);
    }

    /** An i32 tensor over the given array. */
    public static Tensor of(Shape shape, int... values) {
        return new Tensor(shape, DType.I32, values, values.length);
    }

    /** A bf16 tensor over the given array of {@linkplain Bf16 bits}. */
    public static Tensor bf16(Shape shape, short[] bits) {
        return new Tensor(shape, DType.BF16, bits, bits.length);
    }

    /** An s8 tensor over the given array. */
    public static Tensor s8(Shape shape, byte... values) {
        return new Tensor(shape, DType.S8, values, values.length);
    }

    /** A u8 tensor over the given array, whose bytes are taken without their sign. */
    public static Tensor u8(Shape shape, byte... values) {
        return new Tensor(shape, DType.U8, values, values.length);
    }

    /** A tensor of zeros. */
    public static Tensor zeros(DType dtype, Shape shape) {
        return switch (dtype) {
            case F32 -> of(shape, new float[shape.size()]);
            case BF16 -> bf16(shape, new short[shape.size()]);
            case I32 -> of(shape, new int[shape.size()]);
            case S8 -> s8(shape, new byte[shape.size()]);
            case U8 -> u8(shape, new byte[shape.size()]);
        };
    }

    public Shape shape() {
        return shape;
    }

    public DType dtype() {
        return dtype;
    }

    /**
     * The f32 values themselves.
     *
     * @throws IllegalStateException if the tensor is not f32
     */
    public float[] floats() {
        require(DType.F32);
        return (float[]) array;
    }

    /**
     * The i32 values themselves.
     *
     * @throws IllegalStateException if the tensor is not i32
     */
    public int[] ints() {
        require(DType.I32);
        return (int[]) array;
    }

    /**
     * The s8 or u8 values themselves; {@link DType#integer} tells what each is.
     *
     * @throws IllegalStateException if the tensor is neither
     */
    public byte[] bytes() {
        if (!dtype.isByte()) {
            throw new IllegalStateException("this tensor is " + dtype + shape + ", not S8 or U8");
        }
        return (byte[]) array;
    }

    /**
     * Copies rows to another tensor of rows of the same type.
     *
     * @param from the first row to copy
     * @param at where it goes to, a row of the other tensor
     */
    public void copyRows(int from, int count, Tensor to, int at) {
        int row = shape.sizeFrom(1);
        if (dtype != to.dtype || row != to.shape.sizeFrom(1)) {
            throw new IllegalArgumentException("rows of " + this + " are no rows of " + to);
        }
        System.arraycopy(array, from * row, to.array, at * row, count * row);
    }

    /** Whether both are views of one array. */
    public boolean sharesArrayWith(Tensor other) {
        return array == other.array;
    }

    /**
     * The bits of the bf16 values themselves.
     *
     * @throws IllegalStateException if the tensor is not bf16
     */
    public short[] bf16Bits() {
        require(DType.BF16);
        return (short[]) array;
    }

    /**
     * A copy in bf16.
     *
     * @throws IllegalStateException if the tensor is not f32
     */
    public Tensor narrowed() {
        Tensor narrow = zeros(DType.BF16, shape);
        Bf16.narrow(shape.size(), floats(), 0, narrow.bf16Bits(), 0);
        return narrow;
    }

    /**
     * A copy in f32.
     *
     * @throws IllegalStateException if the tensor is not bf16
     */
    public Tensor widened() {
        Tensor wide = zeros(DType.F32, shape);
        Bf16.widen(shape.size(), bf16Bits(), 0, wide.floats(), 0);
        return wide;
    }

    private void require(DType wanted) {
        if (dtype != wanted) {
            throw new IllegalStateException("this tensor is " + dtype + shape + ", not " + wanted);
        }
    }

    /** Bitwise equality of type, shape and every value (so NaN equals itself, and 0.0 differs from -0.0). */
    @Override
    public boolean equals(Object other) {
        return other instanceof Tensor t
                && t.dtype == dtype
                && t.shape.equals(shape)
                && Objects.deepEquals(t.array, array);
    }

    @Override
    public int hashCode() {
        return switch (dtype) {
            case F32 -> Arrays.hashCode((float[]) array);
            case BF16 -> Arrays.hashCode((short[]) array);
            case I32 -> Arrays.hashCode((int[]) array);
            case S8, U8 -> Arrays.hashCode((byte[]) array);
        };
    }

    @Override
    public String toString() {
        return dtype + shape.toString();
    }
}
