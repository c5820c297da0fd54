package dev.hadal.backend;

/**
 * One block of memory that a backend computes in. Offsets are in bytes, and so are lengths in messages; hosts copy
 * whole values: floats, ints, bf16 as shorts, and s8 and u8 as bytes.
 */
public interface Memory extends AutoCloseable {

    long bytes();

    /** Copies values from the host. */
    void write(long offset, float[] source, int from, int count);

    /** Copies values from the host. */
    void write(long offset, int[] source, int from, int count);

    /** Copies the bits of bf16 values from the host. */
    void write(long offset, short[] source, int from, int count);

    /** Copies s8 or u8 values from the host. */
    void write(long offset, byte[] source, int from, int count);

    /** Copies values to the host. */
    void read(long offset, float[] target, int from, int count);

    /** Copies values to the host. */
    void read(long offset, int[] target, int from, int count);

    /** Copies the bits of bf16 values to the host. */
    void read(long offset, short[] target, int from, int count);

    /** Copies s8 or u8 values to the host. */
    void read(long offset, byte[] target, int from, int count);

    /** Sets every byte to zero. */
    void clear();

    /** Frees the block; closing twice does no harm. */
    @Override
    void close();
}
