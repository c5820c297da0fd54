package dev.hadal.tensor;

/** The type of one element. */
public enum DType {
    /** IEEE 754 binary32. */
    F32(4),
    /** The upper half of an f32: its range with 8 bits of precision. {@link Bf16} converts. */
    BF16(2),
    /** Signed 32-bit integer: labels and indices. */
    I32(4),
    /** Signed 8-bit integer: what a real number is quantized to. */
    S8(1),
    /** Unsigned 8-bit integer, likewise. Java's bytes hold its bits. */
    U8(1);

    private final int bytes;

    DType(int bytes) {
        this.bytes = bytes;
    }

    /** Bytes of one element. */
    public int bytes() {
        return bytes;
    }

    /** Whether it is an integer of 8 bits. */
    public boolean isByte() {
        return bytes == 1;
    }

    /** The integer that a byte of such a tensor is. */
    public int integer(byte bits) {
        return this == U8 ? bits & 0xFF : bits;
    }
}
