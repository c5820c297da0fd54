package dev.hadal.model;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.NonWritableChannelException;
import java.nio.channels.SeekableByteChannel;

/**
 * What a fuzzer may find of a reader: anything that it throws but a {@link ModelFormatException}, and memory beyond a
 * multiple of the file's size.
 */
public final class Fuzzed {
    /** Bytes that reading may allocate for each byte of a file: text, numbers, tensors, nodes, messages. */
    private static final long PER_BYTE = 1024;

    private static final long ALWAYS = 1 << 20;
    private static final int LENGTH = 8;
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    /** Reads what a file holds. */
    public interface Reader {
        void read(Safetensors.Content content) throws IOException;
    }

    /** Whatever the fuzzer thinks of, as a file of tensors. */
    public static final class Tensors {
        public static void fuzzerTestOneInput(byte[] input) throws IOException {
            check(input, true, content -> {});
            check(input, false, content -> {});
            check(withLength(input), false, content -> {});
        }

        private Tensors() {}
    }

    /** As a model, the checksum apart: no fuzzer finds one. */
    public static final class Models {
        public static void fuzzerTestOneInput(byte[] input) throws IOException {
            check(withLength(input), false, Model::of);
        }

        private Models() {}
    }

    /** Reads an input as a file, the checksum apart. */
    public static void check(byte[] input, Reader reader) throws IOException {
        check(withLength(input), false, reader);
    }

    private static void check(byte[] file, boolean checked, Reader reader) throws IOException {
        long most = ALWAYS + PER_BYTE * file.length;
        if (allocated(file, checked, reader) > most) {
            long again = allocated(file, checked, reader); // the first time, classes may have been loaded
            if (again > most) {
                throw new AssertionError(again + " bytes allocated to read " + file.length);
            }
        }
    }

    private static long allocated(byte[] file, boolean checked, Reader reader) throws IOException {
        long before = THREADS.getCurrentThreadAllocatedBytes();
        try {
            reader.read(Safetensors.read(new Bytes(file), checked, "the input"));
        } catch (ModelFormatException e) {
            if (e.getMessage() == null) {
                throw new AssertionError("no message", e);
            }
        }
        return THREADS.getCurrentThreadAllocatedBytes() - before;
    }

    /** The header ends at the last brace: a fuzzer that lengthens it needn't find that, too. */
    private static byte[] withLength(byte[] input) {
        byte[] file = input.clone();
        int end = file.length;
        while (end > LENGTH && file[end - 1] != '}') {
            end--;
        }
        if (end > LENGTH) {
            ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).putLong(end - LENGTH);
        }
        return file;
    }

    /** A file in memory. */
    private static final class Bytes implements SeekableByteChannel {
        private final ByteBuffer bytes;

        Bytes(byte[] bytes) {
            this.bytes = ByteBuffer.wrap(bytes);
        }

        @Override
        public int read(ByteBuffer target) {
            if (!bytes.hasRemaining()) {
                return -1;
            }
            int count = Math.min(bytes.remaining(), target.remaining());
            target.put(bytes.slice(bytes.position(), count));
            bytes.position(bytes.position() + count);
            return count;
        }

        @Override
        public long position() {
            return bytes.position();
        }

        @Override
        public SeekableByteChannel position(long position) {
            bytes.position((int) Math.min(position, bytes.limit()));
            return this;
        }

        @Override
        public long size() {
            return bytes.limit();
        }

        @Override
        public int write(ByteBuffer source) {
            throw new NonWritableChannelException();
        }

        @Override
        public SeekableByteChannel truncate(long size) {
            throw new NonWritableChannelException();
        }

        @Override
        public boolean isOpen() {
            return true;
        }

        @Override
        public void close() {}
    }

    private Fuzzed() {}
}
