package dev.hadal.onednn;

import dev.hadal.backend.Memory;
import java.lang.ref.Cleaner;
import java.nio.file.Path;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.ShortPointer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A block of memory outside the Java heap, aligned to 64 bytes: one cache line, one AVX-512 vector. It is freed by
 * {@link #close} alone. A block that becomes unreachable before is a leak: the log says so, and with
 * {@code -Dhadal.leaks=trace} it says where the block was allocated.
 */
public final class NativeMemory implements Memory, Life {
    private static final int ALIGNMENT = 64;
    private static final Logger LOG = LoggerFactory.getLogger(NativeMemory.class);
    private static final AtomicLong HELD = new AtomicLong();
    private static final Cleaner CLEANER = Cleaner.create();
    private static final MemoryLimit LIMIT = new MemoryLimit(Path.of("/sys/fs/cgroup"), Path.of("/proc/self/cgroup"));

    private final long bytes;
    private final Pointer block;
    private final BytePointer first;
    // Views for copies; moving them is what the lock is for.
    private final FloatPointer floats;
    private final IntPointer ints;
    private final ShortPointer shorts;
    private final BytePointer octets;
    private final Watch watch;
    private final Cleaner.Cleanable cleanable;

    /** Outlives its block, to tell whether that was closed. */
    private static final class Watch implements Runnable {
        private final long bytes;
        private final @Nullable Throwable site;
        private volatile boolean closed;

        Watch(long bytes) {
            this.bytes = bytes;
            this.site = "trace".equals(System.getProperty("hadal.leaks")) ? new Throwable("allocated here") : null;
        }

        @Override
        public void run() {
            if (!closed) {
                LOG.warn(
                        "{} bytes of native memory were never closed{}",
                        bytes,
                        site == null ? "; -Dhadal.leaks=trace tells where they were allocated" : "",
                        site);
            }
        }
    }

    private NativeMemory(long bytes, Pointer block) {
        this.bytes = bytes;
        this.block = block;
        this.first = new BytePointer(block).getPointer(-block.address() & (ALIGNMENT - 1));
        this.floats = new FloatPointer(first);
        this.ints = new IntPointer(first);
        this.shorts = new ShortPointer(first);
        this.octets = new BytePointer(first);
        this.watch = new Watch(bytes);
        this.cleanable = CLEANER.register(this, watch);
    }

    /**
     * A block of unknown content. It is malloc'd, since JavaCPP's own allocation gives up where the process is larger
     * than a multiple of the Java heap.
     *
     * @throws OutOfMemoryError if there is none, or it would exceed the limit of the container
     */
    static NativeMemory allocate(long bytes) {
        return allocate(bytes, LIMIT);
    }

    static NativeMemory allocate(long bytes, MemoryLimit limit) {
        boolean limited = bytes >= MemoryLimit.SMALL && limit.exists();
        if (limited) {
            limit.check(bytes, heldBytes());
        }
        Pointer block = Pointer.malloc(bytes + ALIGNMENT);
        if (block == null || block.isNull()) {
            throw new OutOfMemoryError(
                    "no " + bytes + " bytes of native memory; Hadal holds " + heldBytes() + ": use a smaller batch");
        }
        if (limited) {
            Pointer.memset(
                    block, 0, bytes + ALIGNMENT); // counts as used only once touched; the next check is to see it
        }
        HELD.addAndGet(bytes);
        return new NativeMemory(bytes, block);
    }

    /** A block that holds these values. */
    static NativeMemory of(float... values) {
        NativeMemory memory = allocate((long) values.length * Float.BYTES);
        memory.write(0, values, 0, values.length);
        return memory;
    }

    /** A block that holds these values. */
    static NativeMemory of(int... values) {
        NativeMemory memory = allocate((long) values.length * Integer.BYTES);
        memory.write(0, values, 0, values.length);
        return memory;
    }

    /** A block that holds these values. */
    static NativeMemory of(long... values) {
        NativeMemory memory = allocate((long) values.length * Long.BYTES);
        new LongPointer(memory.first).put(values);
        return memory;
    }

    /** A block that holds these bytes. */
    static NativeMemory of(byte... values) {
        NativeMemory memory = allocate(values.length);
        memory.write(0, values, 0, values.length);
        return memory;
    }

    /** A block that holds the bf16 values of these bits. */
    static NativeMemory of(short... bits) {
        NativeMemory memory = allocate((long) bits.length * Short.BYTES);
        memory.write(0, bits, 0, bits.length);
        return memory;
    }

    /** The bytes of all blocks that are not closed. */
    public static long heldBytes() {
        return HELD.get();
    }

    /** The address of a byte, for binding. */
    BytePointer at(long offset) {
        checkOpen();
        Objects.checkFromIndexSize(offset, 0, bytes);
        return first.getPointer(offset);
    }

    @Override
    public void checkOpen() {
        if (watch.closed) {
            throw new IllegalStateException("this memory is closed");
        }
    }

    @Override
    public long bytes() {
        return bytes;
    }

    @Override
    public synchronized void write(long offset, float[] source, int from, int count) {
        check(offset, source.length, from, count, Float.BYTES);
        floats.position(offset / Float.BYTES).put(source, from, count);
    }

    @Override
    public synchronized void write(long offset, int[] source, int from, int count) {
        check(offset, source.length, from, count, Integer.BYTES);
        ints.position(offset / Integer.BYTES).put(source, from, count);
    }

    @Override
    public synchronized void write(long offset, short[] source, int from, int count) {
        check(offset, source.length, from, count, Short.BYTES);
        shorts.position(offset / Short.BYTES).put(source, from, count);
    }

    @Override
    public synchronized void write(long offset, byte[] source, int from, int count) {
        check(offset, source.length, from, count, Byte.BYTES);
        octets.position(offset).put(source, from, count);
    }

    @Override
    public synchronized void read(long offset, float[] target, int from, int count) {
        check(offset, target.length, from, count, Float.BYTES);
        floats.position(offset / Float.BYTES).get(target, from, count);
    }

    @Override
    public synchronized void read(long offset, int[] target, int from, int count) {
        check(offset, target.length, from, count, Integer.BYTES);
        ints.position(offset / Integer.BYTES).get(target, from, count);
    }

    @Override
    public synchronized void read(long offset, short[] target, int from, int count) {
        check(offset, target.length, from, count, Short.BYTES);
        shorts.position(offset / Short.BYTES).get(target, from, count);
    }

    @Override
    public synchronized void read(long offset, byte[] target, int from, int count) {
        check(offset, target.length, from, count, Byte.BYTES);
        octets.position(offset).get(target, from, count);
    }

    private void check(long offset, int length, int from, int count, int each) {
        checkOpen();
        Objects.checkFromIndexSize(from, count, length);
        Objects.checkFromIndexSize(offset, (long) each * count, bytes);
        if (offset % each != 0) {
            throw new IllegalArgumentException("offset " + offset + " is no multiple of " + each + " bytes");
        }
    }

    @Override
    public synchronized void clear() {
        checkOpen();
        Pointer.memset(first, 0, bytes);
    }

    @Override
    public synchronized void close() {
        if (!watch.closed) {
            watch.closed = true;
            cleanable.clean();
            Pointer.free(block);
            HELD.addAndGet(-bytes);
        }
    }

    @Override
    public String toString() {
        return "native memory of " + bytes + " bytes" + (watch.closed ? ", closed" : "");
    }
}
