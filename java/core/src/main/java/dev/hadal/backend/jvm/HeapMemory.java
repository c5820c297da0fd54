package dev.hadal.backend.jvm;

import dev.hadal.backend.Memory;
import dev.hadal.tensor.Tensor;
import java.util.Arrays;

/** A Java array, of floats or of ints: the Vector API reads nothing else alike on every JDK. */
public final class HeapMemory implements Memory {
    private final float[] floats;
    private final int[] ints;

    private HeapMemory(float[] floats, int[] ints) {
        this.floats = floats;
        this.ints = ints;
    }

    /** A tensor's own array. */
    static HeapMemory over(Tensor values) {
        return switch (values.dtype()) {
            case F32 -> new HeapMemory(values.floats(), new int[0]);
            case I32 -> new HeapMemory(new float[0], values.ints());
        };
    }

    static HeapMemory ofFloats(long bytes) {
        return new HeapMemory(new float[length(bytes)], new int[0]);
    }

    static HeapMemory ofInts(long bytes) {
        return new HeapMemory(new float[0], new int[length(bytes)]);
    }

    private static int length(long bytes) {
        if (bytes / 4 > Integer.MAX_VALUE - 8) {
            throw new IllegalArgumentException("a plan of " + bytes
                    + " bytes exceeds a Java array (8 GiB); use a smaller batch, or a native backend");
        }
        return (int) ((bytes + 3) / 4);
    }

    /** The values of an f32 block; a value at byte offset o is element o / 4. */
    public float[] floats() {
        return floats;
    }

    /** The values of an i32 block. */
    public int[] ints() {
        return ints;
    }

    @Override
    public long bytes() {
        return 4L * (floats.length + ints.length);
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
    public void read(long offset, float[] target, int from, int count) {
        System.arraycopy(floats, (int) (offset / 4), target, from, count);
    }

    @Override
    public void read(long offset, int[] target, int from, int count) {
        System.arraycopy(ints, (int) (offset / 4), target, from, count);
    }

    @Override
    public void clear() {
        Arrays.fill(floats, 0f);
        Arrays.fill(ints, 0);
    }

    /** Nothing to do: the garbage collector frees arrays. */
    @Override
    public void close() {}
}
