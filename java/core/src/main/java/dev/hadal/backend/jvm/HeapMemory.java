package dev.hadal.backend.jvm;

import dev.hadal.backend.Memory;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Tensor;
import java.util.Arrays;

/** A Java array, of floats, ints, bits of bf16 values, or bytes: the Vector API reads nothing else alike on every JDK. */
public final class HeapMemory implements Memory {
    private static final float[] NO_FLOATS = {};
    private static final int[] NO_INTS = {};
    private static final short[] NO_BF16 = {};
    private static final byte[] NO_OCTETS = {};

    private final float[] floats;
    private final int[] ints;
    private final short[] bf16;
    private final byte[] octets;

    private HeapMemory(float[] floats, int[] ints, short[] bf16, byte[] octets) {
        this.floats = floats;
        this.ints = ints;
        this.bf16 = bf16;
        this.octets = octets;
    }

    private static HeapMemory of(float[] floats) {
        return new HeapMemory(floats, NO_INTS, NO_BF16, NO_OCTETS);
    }

    private static HeapMemory of(int[] ints) {
        return new HeapMemory(NO_FLOATS, ints, NO_BF16, NO_OCTETS);
    }

    private static HeapMemory of(short[] bf16) {
        return new HeapMemory(NO_FLOATS, NO_INTS, bf16, NO_OCTETS);
    }

    private static HeapMemory of(byte[] octets) {
        return new HeapMemory(NO_FLOATS, NO_INTS, NO_BF16, octets);
    }

    /** A tensor's own array. */
    static HeapMemory over(Tensor values) {
        return switch (values.dtype()) {
            case F32 -> of(values.floats());
            case BF16 -> of(values.bf16Bits());
            case I32 -> of(values.ints());
            case S8, U8 -> of(values.bytes());
        };
    }

    static HeapMemory ofFloats(long bytes) {
        return of(new float[length(bytes, DType.F32)]);
    }

    static HeapMemory ofInts(long bytes) {
        return of(new int[length(bytes, DType.I32)]);
    }

    static HeapMemory ofBf16(long bytes) {
        return of(new short[length(bytes, DType.BF16)]);
    }

    static HeapMemory ofOctets(long bytes) {
        return of(new byte[length(bytes, DType.U8)]);
    }

    private static int length(long bytes, DType dtype) {
        long length = (bytes + dtype.bytes() - 1) / dtype.bytes();
        if (length > Integer.MAX_VALUE - 8) {
            throw new IllegalArgumentException("a plan of " + bytes + " bytes of " + dtype
                    + " exceeds a Java array; use a smaller batch, or a native backend");
        }
        return (int) length;
    }

    /** The values of an f32 block; a value at byte offset o is element o / 4. */
    public float[] floats() {
        return floats;
    }

    /** The values of an i32 block. */
    public int[] ints() {
        return ints;
    }

    /** The bits of a bf16 block; a value at byte offset o is element o / 2. */
    short[] bf16() {
        return bf16;
    }

    /** The values of an s8 or u8 block. */
    byte[] octets() {
        return octets;
    }

    @Override
    public long bytes() {
        return 4L * (floats.length + ints.length) + 2L * bf16.length + octets.length;
    }

    @Override
    public void write(long offset, float[] source, int from, int count) {
        System.arraycopy(source, from, floats, (int) (offset / 4), count);
    }

    @Override
    public void write(long offset, int[] source, int from, int count) {
        System.arraycopy(source, from, ints, (int) (offset / 4), count);
    }

    @Override
    public void write(long offset, short[] source, int from, int count) {
        System.arraycopy(source, from, bf16, (int) (offset / 2), count);
    }

    @Override
    public void write(long offset, byte[] source, int from, int count) {
        System.arraycopy(source, from, octets, (int) offset, count);
    }

    @Override
    public void read(long offset, float[] target, int from, int count) {
        System.arraycopy(floats, (int) (offset / 4), target, from, count);
    }

    @Override
    public void read(long offset, int[] target, int from, int count) {
        System.arraycopy(ints, (int) (offset / 4), target, from, count);
    }

    @Override
    public void read(long offset, short[] target, int from, int count) {
        System.arraycopy(bf16, (int) (offset / 2), target, from, count);
    }

    @Override
    public void read(long offset, byte[] target, int from, int count) {
        System.arraycopy(octets, (int) offset, target, from, count);
    }

    @Override
    public void clear() {
        Arrays.fill(floats, 0f);
        Arrays.fill(ints, 0);
        Arrays.fill(bf16, (short) 0);
        Arrays.fill(octets, (byte) 0);
    }

    /** Nothing to do: the garbage collector frees arrays. */
    @Override
    public void close() {}
}
