package dev.hadal.tensor;

/** The type of one element, named as safetensors names it. */
public enum DType {
    /** IEEE 754 binary32. */
    F32(4),
    /** The upper half of an f32: its range with 8 bits of precision. {@link Bf16} converts. */
    BF16(2),
    /** Signed 32-bit integer: labels and indices. */
    I32(4);

    private final int bytes;

    DType(int bytes) {
        this.bytes = bytes;
    }

    /** Bytes of one element. */
    public int bytes() {
        return bytes;
    }
}
